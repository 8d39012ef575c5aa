//! `isostar evaluate`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar_models::{Pretrained, SequenceClassifier};
use isostar_train::data::{BatchLoader, Labels, TextEncoder};
use isostar_train::device::{default_device_name, parse_device};
use isostar_train::experiment::{SplitReport, evaluate};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;
use crate::source::{RowsArgs, Source};

const BATCH: usize = 64;

/// Arguments of `isostar evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// A run's folder, a model's, or a model's name on the hub: organisation/name, or organisation/name@revision
    #[arg(value_name = "RUN|DIR|ID")]
    model: String,
    #[command(flatten)]
    rows: RowsArgs,
    /// Write a line a row: index, label, scores (logits)
    #[arg(long, value_name = "FILE.jsonl")]
    predictions: Option<PathBuf>,
    /// Device: flex, ndarray, wgpu, cuda or cuda:1, as far as compiled in
    #[arg(long, value_name = "NAME", default_value = default_device_name())]
    device: String,
    /// Print JSON to stdout, and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Evaluation<'a> {
    task: &'a str,
    split: &'a str,
    rows: usize,
    metrics: BTreeMap<String, f64>,
}

/// Measures a trained classifier on a split.
pub fn run(arguments: EvaluateArgs) -> Result<(), Failure> {
    let console = Console::new(arguments.json);
    let source = Source::find(&arguments.model, &console)?;
    let run = source.run.as_ref();

    let device = parse_device(&arguments.device)?;
    let model = Pretrained::<SequenceClassifier>::read(source.model(), &device)?;
    let task = arguments.rows.read(run)?;
    let split = arguments.rows.of(&task);

    let labels = Labels::from_names(model.config.labels().names());
    let max_length = arguments.rows.max_length(run, model.config.sizes().positions);
    let encoder = TextEncoder::new(model.tokenizer.clone(), max_length)?.for_model(&model.config);
    let examples = encoder.encode(&split.rows, labels.indices_of(&split.rows, &split.path)?)?;
    let loader = BatchLoader::evaluation(Arc::new(examples), BATCH, &device);
    let report = evaluate(&model.model, &loader, labels.names(), &console)?;

    if let Some(path) = &arguments.predictions {
        write_predictions(path, &report)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "name a file that can be written"))?;
    }
    let mut metrics = report.metrics();
    metrics.insert("task_loss".into(), report.task_loss);
    if arguments.json {
        let evaluation = Evaluation { task: &task.name, split: &arguments.rows.split, rows: report.rows, metrics };
        println!("{}", serde_json::to_string(&evaluation).map_err(|error| Failure::new(error, "report this as a bug"))?);
    } else {
        println!("{} {}: {} rows", task.name, arguments.rows.split, report.rows);
        metrics.iter().for_each(|(name, value)| println!("{name:<10} {value:>10.4}"));
        println!("{:<10} {:>10}", "IsoScore", report.isoscore.all.map_or("none".into(), |score| format!("{score:.4}")));
    }
    Ok(())
}

/// Through a file beside the target: what appears under its name is whole.
fn write_predictions(path: &Path, report: &SplitReport) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for prediction in &report.predictions {
        serde_json::to_writer(&mut file, prediction)?;
        file.write_all(b"\n")?;
    }
    file.persist(path)?;
    Ok(())
}
