//! tokenizer.json and tokenizer_config.json.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::folder::{parse_json, read_file};
use crate::{ModelConfig, ModelError};

pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The tokenizer of a folder, checked against the model's vocabulary, and transformers' settings of it.
pub(super) fn read(folder: &Path, config: &ModelConfig) -> Result<(Tokenizer, Map<String, Value>), ModelError> {
    let path = folder.join(TOKENIZER);
    let bytes = read_file(&path)?;
    let tokenizer = Tokenizer::from_bytes(bytes).map_err(|source| ModelError::Tokenizer { path: path.clone(), source })?;
    let tokens = tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
    let rows = config.sizes().vocabulary;
    if tokens > rows {
        return Err(ModelError::Vocabulary { path, tokens, rows });
    }
    let settings = match folder.join(TOKENIZER_CONFIG) {
        path if path.exists() => parse_json(&path, &read_file(&path)?)?,
        _ => settings(&tokenizer, config),
    };
    Ok((tokenizer, settings))
}

/// The settings where the source has none: the length limit, and the special tokens that the tokenizer knows, of BERT's or else of RoBERTa's
/// or GPT-2's.
pub(super) fn settings(tokenizer: &Tokenizer, config: &ModelConfig) -> Map<String, Value> {
    const SPECIAL: [(&str, &[&str]); 7] = [
        ("bos_token", &["<s>", "<|endoftext|>"]),
        ("cls_token", &["[CLS]", "<s>"]),
        ("eos_token", &["</s>", "<|endoftext|>"]),
        ("mask_token", &["[MASK]", "<mask>"]),
        ("pad_token", &["[PAD]", "<pad>", "<|endoftext|>"]),
        ("sep_token", &["[SEP]", "</s>"]),
        ("unk_token", &["[UNK]", "<unk>", "<|endoftext|>"]),
    ];
    let known = |names: &[&'static str]| names.iter().copied().find(|name| tokenizer.token_to_id(name).is_some());
    let tokens = SPECIAL.into_iter().filter_map(|(name, names)| Some((name.to_string(), json!(known(names)?))));
    let settings = [
        ("tokenizer_class".to_string(), json!("PreTrainedTokenizerFast")),
        ("model_max_length".to_string(), json!(config.sizes().positions)),
    ];
    settings.into_iter().chain(tokens).collect()
}
