//! `isostar evaluate`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar_models::{Pretrained, SequenceClassifier};
use isostar_train::data::{BatchLoader, Columns, Labels, TextEncoder};
use isostar_train::device::{default_device_name, parse_device};
use isostar_train::experiment::{SplitReport, TrainSettings, evaluate};
use isostar_train::model::find_model;
use isostar_train::task::Task;
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;

const BATCH: usize = 64;

/// Arguments of `isostar evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// A run's folder, a model's, or a model's name on the hub: organisation/name, or organisation/name@revision
    #[arg(value_name = "RUN|DIR|ID")]
    model: String,
    /// Task or file; the run's own by default
    #[arg(long, value_name = "NAME|FILE")]
    task: Option<String>,
    /// Folder with the task's files; the run's own by default
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which rows: dev or train
    #[arg(long, default_value = "dev", value_parser = ["dev", "train"])]
    split: String,
    /// Write a line a row: index, label, scores (logits)
    #[arg(long, value_name = "FILE.jsonl")]
    predictions: Option<PathBuf>,
    /// Tokens a row is cut to; the run's own, or 256, by default
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
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
    let folder = find_model(&arguments.model, &console)?;
    let settings = settings_of(&folder)?;
    let model_folder = if settings.is_some() { folder.join("model") } else { folder };
    let (task, data, columns, limit, max_length, seed) = match settings {
        Some(run) => (run.task, run.data, run.columns, run.limit, Some(run.max_length), run.seed),
        None => (None, None, Columns::default(), None, None, 1),
    };
    // A task named here is another task: the run's folder of data is not its own.
    let data = arguments.data.or(if arguments.task.is_some() { None } else { data });
    let task = arguments.task.or(task);

    let device = parse_device(&arguments.device)?;
    let model = Pretrained::<SequenceClassifier>::read(&model_folder, &device)?;
    let task = Task::read(task.as_deref(), data.as_deref(), &columns, limit, seed)?;
    let split = if arguments.split == "dev" { &task.splits.dev } else { &task.splits.train };

    let labels = Labels::from_names(model.config.labels().names());
    let positions = model.config.sizes().positions;
    let max_length = arguments.max_length.or(max_length).unwrap_or(256).min(positions);
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
        let evaluation = Evaluation { task: &task.name, split: &arguments.split, rows: report.rows, metrics };
        println!("{}", serde_json::to_string(&evaluation).map_err(|error| Failure::new(error, "report this as a bug"))?);
    } else {
        println!("{} {}: {} rows", task.name, arguments.split, report.rows);
        metrics.iter().for_each(|(name, value)| println!("{name:<10} {value:>10.4}"));
        println!("{:<10} {:>10}", "IsoScore", report.isoscore.all.map_or("none".into(), |score| format!("{score:.4}")));
    }
    Ok(())
}

/// The settings of a run, or nothing where the folder is a model's.
fn settings_of(folder: &Path) -> Result<Option<TrainSettings>, Failure> {
    let config = folder.join("config.toml");
    if !config.is_file() {
        return Ok(None);
    }
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(format!("{}: {error}", config.display()), "name the folder of a run made by this version")
    };
    let text = fs::read_to_string(&config).map_err(|error| broken(&error))?;
    toml::from_str(&text).map(Some).map_err(|error| broken(&error.message()))
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
