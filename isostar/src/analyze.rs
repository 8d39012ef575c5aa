//! `isostar analyze`: the geometry of every layer of a model.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use isostar_measure::Sample;
use isostar_models::{Checkpoint, Encoder, Pretrained};
use isostar_train::analysis::{
    Analysis, AnalysisError, AnalysisFile, AnalysisSettings, ModelAnalysis, analyze,
};
use isostar_train::data::{TextEncoder, TextRow};
use isostar_train::device::{default_device_name, parse_device};
use isostar_train::embed::Sequences;

use crate::allocator;
use crate::console::Console;
use crate::failure::Failure;
use crate::layers;
use crate::measure::print;
use crate::source::{RowsArgs, Source};

/// Measure every layer of a model on the rows of a task.
///
/// Each layer is measured twice: for the token states, and for the sentence vectors. Layer 0 is the
/// embedding output. A sentence vector is the mean of the states of a row's tokens, including
/// special tokens and excluding padding. The scores equal those of `isostar embed` followed by
/// `isostar measure`.
///
/// The states of all layers are held in memory: tokens × width × (layers + 1) × 4 bytes, or 0.24
/// GB for 872 rows of SST-2 in a model of 6 layers of width 384.
///
/// --against compares layers with the same number, even if their widths differ; a layer that only
/// one of the models has is not compared.
#[derive(Args)]
pub struct AnalyzeArgs {
    /// Folder of a run, folder of a model, or name of a model on the hub: organisation/name, or
    /// organisation/name@revision
    #[arg(value_name = "RUN|DIR|ID")]
    model: String,
    /// Another model to compare with, on the same rows
    #[arg(long, value_name = "RUN|DIR|ID")]
    against: Option<String>,
    #[command(flatten)]
    rows: RowsArgs,
    /// Maximum number of rows of the split, drawn with --seed; each class keeps its share
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Rows per batch
    #[arg(long, value_name = "N", default_value_t = AnalysisSettings::default().batch_size)]
    batch_size: usize,
    /// Maximum number of points per layer for TwoNN and MLE, drawn at random without replacement;
    /// their time grows with the square of the number of points
    #[arg(long, value_name = "N", default_value_t = AnalysisSettings::SAMPLE)]
    sample: usize,
    /// Seed for drawing the rows of --limit and the sample
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Device: flex, ndarray, wgpu, cuda or cuda:1, as far as compiled in
    #[arg(long, value_name = "NAME", default_value = default_device_name())]
    device: String,
    /// Folder for analysis.json [default: the run's folder; for other models, no file is written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print only the contents of analysis.json, on one line
    #[arg(long)]
    json: bool,
}

/// A model, and the rows tokenized for it.
struct Subject {
    name: String,
    checkpoint: Checkpoint<Encoder>,
    sequences: Sequences,
}

/// Runs the command.
pub fn run(arguments: AnalyzeArgs) -> Result<(), Failure> {
    // The states of all layers are the most of its memory; what a batch needed besides is not kept.
    allocator::return_pages();
    let AnalyzeArgs {
        model,
        against,
        rows: chosen,
        limit,
        batch_size,
        sample,
        seed,
        device: device_name,
        out,
        json,
    } = arguments;
    let settings = AnalysisSettings {
        batch_size,
        sample: Sample {
            points: sample,
            seed,
        },
    };
    settings.check()?;
    if limit == 0 {
        return Err(AnalysisError::Setting {
            name: "limit",
            value: limit,
            expected: "a whole number of at least 1",
        }
        .into());
    }
    let console = Console::new(json);
    let source = Source::find(&model, &console)?;
    let other = against
        .as_deref()
        .map(|name| Source::find(name, &console))
        .transpose()?;

    // All inputs are checked before the work begins. Both models use the rows of the first.
    let device = parse_device(&device_name)?;
    let run = source.run.as_ref();
    let task = chosen.read(&source, &console)?;
    let split = task.split(chosen.split())?;
    let rows: Vec<TextRow> = task
        .draw(split, limit, seed)
        .into_iter()
        .map(|row| split.rows[row].clone())
        .collect();
    let subject = |name: &str, source: &Source| -> Result<Subject, Failure> {
        let pretrained = Pretrained::<Encoder>::read(source.model(), &device)?;
        console.lines(pretrained.notes());
        let max_length = chosen.max_length(run, pretrained.config.sizes().positions)?;
        let (checkpoint, tokenizer) = pretrained.into_parts();
        let encoder = TextEncoder::new(tokenizer, max_length)?.for_model(&checkpoint.config);
        Ok(Subject {
            name: name.into(),
            sequences: Sequences::from_rows(&rows, &split.path, &encoder)?,
            checkpoint,
        })
    };
    let first = subject(&model, &source)?;
    let second = against
        .as_deref()
        .zip(other.as_ref())
        .map(|(name, source)| subject(name, source))
        .transpose()?;
    // The rows of every split take as much memory as a layer of states.
    let task_name = task.name.clone();
    drop((rows, task));
    let folder = out.or(run.map(|_| source.folder.clone()));
    let file = folder.as_deref().map(AnalysisFile::create).transpose()?;

    let analyzed = |subject: Subject| -> Result<ModelAnalysis, Failure> {
        let Subject {
            name,
            checkpoint,
            sequences,
        } = subject;
        let begin = Instant::now();
        let layers = analyze(checkpoint, &sequences, &settings, &console)?;
        Ok(ModelAnalysis {
            model: name,
            task: task_name.clone(),
            split: chosen.title(&source).into(),
            rows: sequences.len(),
            tokens: sequences.tokens(),
            seed,
            sample: (sequences.tokens() > sample).then_some(sample),
            device: device_name.clone(),
            seconds: begin.elapsed().as_secs_f64(),
            layers,
        })
    };
    let analysis = Analysis::new(analyzed(first)?, second.map(analyzed).transpose()?);
    let written = file.map(|file| file.write(&analysis)).transpose()?;
    if json {
        let line = serde_json::to_string(&analysis)
            .map_err(|error| Failure::new(error, "leave out --json"))?;
        return print(&format!("{line}\n"));
    }
    let mut text = layers::tables(&analysis);
    if let Some(path) = written {
        text += &format!("{}\n", path.display());
    }
    print(&text)
}
