//! `isostar train`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use isostar_train::experiment::{Experiment, RunFolder, TrainOptions, TrainSettings};
use isostar_train::task::{Lengths, MeanAndDeviation, SplitSummary};

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::print;

/// Arguments of `isostar train`.
#[derive(Args)]
pub struct TrainArgs {
    /// TOML settings file; command-line flags override it
    config: Option<PathBuf>,
    #[command(flatten)]
    options: TrainOptions,
    /// Run folder (default: runs/TASK-1, -2, …)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resume the unfinished run in --out with its settings; a run that only lacks its result gets it
    #[arg(long, requires = "out")]
    resume: bool,
    /// Print only result.json to stdout
    #[arg(long)]
    json: bool,
}

/// Trains a classifier with a penalty on its hidden states.
pub fn run(arguments: TrainArgs) -> Result<(), Failure> {
    let TrainArgs { config, options, out, resume, json } = arguments;
    let console = Arc::new(Console::new(json));
    let (experiment, folder, done) = match (&out, resume) {
        (Some(path), true) => {
            let (folder, settings, done) = RunFolder::reopen(path)?;
            console.line(&match settings.epochs {
                epochs if done >= epochs => format!("all {epochs} epochs are done; measuring the model and writing the result"),
                epochs => format!("going on after epoch {done} of {epochs}"),
            });
            (Experiment::prepare(settings, console.as_ref())?, folder, done)
        }
        _ => {
            let base = config.map_or(Ok(TrainOptions::default()), |path| TrainOptions::read(&path))?;
            let mut options = options.over(base);
            for setting in options.preset.map_or(Vec::new(), |preset| preset.fill(&mut options)) {
                console.line(&format!("{} {}: {}", setting.name, setting.value, setting.source));
            }
            let experiment = Experiment::prepare(TrainSettings::resolve(options), console.as_ref())?;
            let folder = RunFolder::choose(out.as_deref(), &experiment.task.name)?;
            (experiment, folder, 0)
        }
    };
    describe(&experiment, &console);
    let result = experiment.run(&folder, done, console.clone())?;
    let text = match json {
        true => serde_json::to_string(&result).map_err(|error| Failure::new(error, "report this as a bug"))?,
        false => folder.path().display().to_string(),
    };
    print(&format!("{text}\n"))
}

/// Prints the task, its splits and the model before the run starts.
fn describe(experiment: &Experiment, console: &Console) {
    let Experiment { settings, task, .. } = experiment;
    let majority = task.majority().map_or(String::new(), |majority| format!(", {} classes, majority {majority:.3}", task.labels.len()));
    console.line(&format!("{}: {} training rows, {} validation rows{majority}", task.name, task.train.rows, task.dev.rows));
    for (name, split) in [("train", &task.train), ("dev", &task.dev)] {
        console.line(&format!("  {name}: {}", contents(split, task.labels.names())));
    }
    let sizes = experiment.config().sizes();
    console.line(&format!("{}: {} layers of width {} on {}", settings.model, sizes.layers, sizes.width, settings.device));
    console.lines(experiment.notes());
    if !experiment.fresh().is_empty() {
        console.line(&format!("fresh weights: {}", experiment.fresh().join(", ")));
    }
}

/// Describes the labels and the lengths of a split.
fn contents(split: &SplitSummary, labels: &[String]) -> String {
    let SplitSummary { rows, classes, values, lengths, .. } = split;
    let classes: String = labels.iter().zip(classes).map(|(label, count)| format!("{label:?} {count} times, ")).collect();
    let values = values.map_or(String::new(), |MeanAndDeviation { mean, deviation }| format!("numbers {mean:.3} ± {deviation:.3}, "));
    let windows = if lengths.sequences == *rows { String::new() } else { format!("{} windows, ", lengths.sequences) };
    let Lengths { mean, median, longest, cut, .. } = lengths;
    format!("{classes}{values}{windows}{mean:.1} tokens on average, half at most {median}, longest {longest}, {cut} cut")
}
