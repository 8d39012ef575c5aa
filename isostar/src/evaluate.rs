//! `isostar evaluate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use isostar_models::{Pretrained, SequenceClassifier, SpanExtractor};
use isostar_train::data::{BatchLoader, TextEncoder};
use isostar_train::device::{default_device_name, default_pad_to, parse_device};
use isostar_train::experiment::{SplitReport, evaluate};
use isostar_train::task::{Preparation, PreparedFor, Task, TaskKind, TaskModel};
use serde::Serialize;

use crate::console::{Console, names_width};
use crate::failure::Failure;
use crate::measure::print;
use crate::source::{RowsArgs, Source};

const BATCH: usize = 64;

/// Arguments of `isostar evaluate`.
#[derive(Args)]
pub struct EvaluateArgs {
    /// Folder of a run or a model, or a model's name on the hub: organisation/name or organisation/name@revision
    #[arg(value_name = "RUN|DIR|ID")]
    model: String,
    #[command(flatten)]
    rows: RowsArgs,
    /// Write one line per row: index, label, value or text, scores. A file name ending in .json gets answers in SQuAD's own format
    #[arg(long, value_name = "FILE.jsonl")]
    predictions: Option<PathBuf>,
    /// Device: flex, ndarray, wgpu, cuda or cuda:1, if compiled in
    #[arg(long, value_name = "NAME", default_value = default_device_name())]
    device: String,
    /// Print only JSON to stdout
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

/// Measures a trained model on a split.
pub fn run(arguments: EvaluateArgs) -> Result<(), Failure> {
    let console = Console::new(arguments.json);
    let source = Source::find(&arguments.model, &console)?;
    let device = parse_device(&arguments.device)?;
    let task = arguments.rows.read(&source, &console)?;
    let (name, file) = (
        task.name.clone(),
        task.split(arguments.rows.split())?.path.clone(),
    );
    let split = arguments.rows.title(&source);
    let report = match task.kind {
        TaskKind::Classification | TaskKind::Regression => {
            report::<SequenceClassifier>(&arguments, &source, task, &device, &console)?
        }
        TaskKind::Span => report::<SpanExtractor>(&arguments, &source, task, &device, &console)?,
    };

    if let Some(path) = &arguments.predictions {
        report.write_predictions(path).map_err(|error| {
            Failure::new(
                format!("{}: {error}", path.display()),
                "name a file that can be written",
            )
        })?;
    }
    let mut metrics = report.metrics.clone();
    metrics.insert("task_loss".into(), report.task_loss);
    let text = if arguments.json {
        let evaluation = Evaluation {
            task: &name,
            split,
            rows: report.rows,
            metrics,
        };
        serde_json::to_string(&evaluation)
            .map_err(|error| Failure::new(error, "report this as a bug"))?
            + "\n"
    } else {
        let width = names_width(metrics.keys());
        let rows: String = metrics
            .iter()
            .map(|(name, value)| format!("{name:<width$} {value:>10.4}\n"))
            .collect();
        let isoscore = report
            .isoscore
            .all
            .map_or("none".into(), |score| format!("{score:.4}"));
        format!(
            "{name} {split}: {} rows of {}\n{rows}{:<width$} {isoscore:>10}\n",
            report.rows,
            file.display(),
            "IsoScore"
        )
    };
    print(&text)
}

/// Evaluates a model on the requested rows.
fn report<M: TaskModel>(
    arguments: &EvaluateArgs,
    source: &Source,
    mut task: Task,
    device: &Device,
    console: &Console,
) -> Result<SplitReport, Failure> {
    let run = source.run.as_ref();
    let model = Pretrained::<M>::read(source.model(), device)?;
    console.lines(model.notes());
    if !model.fresh.is_empty() {
        console.line(&format!(
            "not trained for this task: fresh weights in {}",
            model.fresh.join(", ")
        ));
    }
    let labels = task.labels_of(model.config.labels().names(), console)?;
    let max_length = arguments
        .rows
        .max_length(run, model.config.sizes().positions)?;
    let encoder = TextEncoder::new(model.tokenizer.clone(), max_length)?.for_model(&model.config);
    let stride = arguments.rows.stride(run, max_length);
    let pad_to = default_pad_to(&arguments.device);
    let preparation = Preparation {
        encoder: &encoder,
        labels: &labels,
        stride,
        is_evaluated: true,
        pad_to,
    };
    let prepared: PreparedFor<M> = M::prepare(task.take(arguments.rows.split())?, preparation)?;
    let loader = BatchLoader::evaluation(prepared.source.clone(), BATCH, device);
    Ok(evaluate(
        &model.model,
        &loader,
        prepared.evaluator(),
        console,
    )?)
}
