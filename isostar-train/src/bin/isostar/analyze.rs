//! `isostar analyze`: the geometry of every layer of a model.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use isostar_models::{Encoder, Pretrained};
use isostar_train::analysis::{Analysis, AnalysisError, AnalysisFile, AnalysisSettings, ModelAnalysis, analyze};
use isostar_train::data::{TextEncoder, TextRow};
use isostar_train::device::{default_device_name, parse_device};
use isostar_train::embeddings::{Sample, Sequences};

use crate::console::Console;
use crate::failure::Failure;
use crate::layers;
use crate::measure::print;
use crate::source::{RowsArgs, Source};

/// Measure every layer of a model on the rows of a task.
///
/// Each layer, 0 being the embedding output, is measured twice: the states of all tokens, and the sentence vectors, a sentence vector being
/// the mean of the states of a row's tokens, special tokens among them and padding left out. The scores are those that `isostar embed` and
/// `isostar measure` give.
///
/// The states stand in the system's temporary folder meanwhile (the variable TMPDIR names another one): up to rows × longest row × width ×
/// layers × 4 bytes, or 0.5 GB for 872 rows of SST-2 in a model of 6 layers of width 384.
///
/// --against compares layers of the same number, whatever their width; a layer that only one of the models has is compared with nothing.
#[derive(Args)]
pub struct AnalyzeArgs {
    /// A run's folder, a model's, or a model's name on the hub: organisation/name, or organisation/name@revision
    #[arg(value_name = "RUN|DIR|ID")]
    model: String,
    /// Another model, asked about the same rows
    #[arg(long, value_name = "RUN|DIR|ID")]
    against: Option<String>,
    #[command(flatten)]
    rows: RowsArgs,
    /// At most N rows of the split, drawn by --seed; each class keeps its share
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Rows computed together
    #[arg(long, value_name = "N", default_value_t = AnalysisSettings::default().batch_size)]
    batch_size: usize,
    /// Let TwoNN and MLE, whose time grows with the square of the points, take at most N of a layer, drawn at random without replacement
    #[arg(long, value_name = "N", default_value_t = AnalysisSettings::SAMPLE)]
    sample: usize,
    /// The seed of the rows that --limit leaves, and of the sample
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Device: flex, ndarray, wgpu, cuda or cuda:1, as far as compiled in
    #[arg(long, value_name = "NAME", default_value = default_device_name())]
    device: String,
    /// Folder for analysis.json; a run's own by default, and for other models none
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the contents of analysis.json on one line, and nothing else
    #[arg(long)]
    json: bool,
}

/// A model, and the rows as its tokenizer has them.
struct Subject {
    name: String,
    pretrained: Pretrained<Encoder>,
    sequences: Sequences,
}

/// Runs the command.
pub fn run(arguments: AnalyzeArgs) -> Result<(), Failure> {
    let AnalyzeArgs { model, against, rows: chosen, limit, batch_size, sample, seed, device: device_name, out, json } = arguments;
    let settings = AnalysisSettings { batch_size, sample: Sample { points: sample, seed } };
    settings.check()?;
    if limit == 0 {
        return Err(AnalysisError::Setting { name: "limit", value: limit, expected: "a whole number of at least 1" }.into());
    }
    let console = Console::new(json);
    let source = Source::find(&model, &console)?;
    let other = against.as_deref().map(|name| Source::find(name, &console)).transpose()?;

    // Everything that can be wrong is found before the work begins. Both models see the rows of the first.
    let device = parse_device(&device_name)?;
    let run = source.run.as_ref();
    let task = chosen.read(&source, &console)?;
    let split = task.split(chosen.split())?;
    let rows: Vec<TextRow> = task.draw(split, limit, seed).into_iter().map(|row| split.rows[row].clone()).collect();
    let subject = |name: &str, source: &Source| -> Result<Subject, Failure> {
        let pretrained = Pretrained::<Encoder>::read(source.model(), &device)?;
        console.lines(pretrained.notes());
        let max_length = chosen.max_length(run, pretrained.config.sizes().positions)?;
        let encoder = TextEncoder::new(pretrained.tokenizer.clone(), max_length)?.for_model(&pretrained.config);
        Ok(Subject { name: name.into(), sequences: Sequences::from_rows(&rows, &split.path, &encoder)?, pretrained })
    };
    let first = subject(&model, &source)?;
    let second = against.as_deref().zip(other.as_ref()).map(|(name, source)| subject(name, source)).transpose()?;
    let folder = out.or(run.map(|_| source.folder.clone()));
    let file = folder.as_deref().map(AnalysisFile::create).transpose()?;

    let analyzed = |subject: Subject| -> Result<ModelAnalysis, Failure> {
        let Subject { name, pretrained, sequences } = subject;
        let begin = Instant::now();
        let layers = analyze(&pretrained, &sequences, &settings, &console)?;
        Ok(ModelAnalysis {
            model: name,
            task: task.name.clone(),
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
        let line = serde_json::to_string(&analysis).map_err(|error| Failure::new(error, "leave out --json"))?;
        return print(&format!("{line}\n"));
    }
    let mut text = layers::tables(&analysis);
    if let Some(path) = written {
        text += &format!("{}\n", path.display());
    }
    print(&text)
}
