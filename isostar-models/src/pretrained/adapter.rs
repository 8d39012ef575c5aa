//! Detection of folders that contain a PEFT adapter instead of a model.

use std::fs::{self, File};
use std::path::Path;

use serde_json::Value;

use super::header::header;
use crate::ModelError;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// The PEFT types of adapters that extend the input or the attention of a model, and cannot be
/// merged into its weights.
const PROMPTS: [&str; 5] = [
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "ADAPTION_PROMPT",
];

/// The suffixes of the names of classifiers' output weights.
const OUTPUTS: [&str; 3] = [
    ".classifier.weight",
    ".classifier.out_proj.weight",
    ".score.weight",
];

/// The error for a folder that contains an adapter; `None` if it does not contain one.
pub(super) fn refusal(folder: &Path) -> Option<ModelError> {
    let path = folder.join(CONFIG);
    let content: Value = serde_json::from_slice(&fs::read(&path).ok()?).unwrap_or_default();
    let text = |field: &str| content[field].as_str().filter(|text| !text.is_empty());
    let is_prompt = text("peft_type").is_some_and(|kind| PROMPTS.contains(&kind));
    let [base, task] =
        ["base_model_name_or_path", "task_type"].map(|field| text(field).map(String::from));
    Some(ModelError::Adapter {
        base,
        task,
        labels: labels(folder),
        is_prompt,
        path,
    })
}

/// The number of outputs of the classifier that was trained with the adapter.
fn labels(folder: &Path) -> Option<usize> {
    let path = folder.join(WEIGHTS);
    let (_, metadata) = header(&path, &mut File::open(&path).ok()?).ok()?;
    let is_output = |name: &str| OUTPUTS.iter().any(|output| name.ends_with(output));
    metadata
        .tensors()
        .into_iter()
        .find(|(name, _)| is_output(name))?
        .1
        .shape
        .first()
        .copied()
}
