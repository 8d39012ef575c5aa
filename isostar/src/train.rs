//! `isostar train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar_train::experiment::{
    Experiment, ExperimentError, RunFolder, RunLock, RunResult, RunState, TrainOptions,
    TrainSettings,
};
use isostar_train::task::{Lengths, MeanAndDeviation, SplitSummary};
use isostar_train::world::World;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::print;
use crate::options::Options;
use crate::processes::{self, Quiet};
use crate::signals;

/// Arguments of `isostar train`.
#[derive(Args)]
pub struct TrainArgs {
    /// TOML settings file; command-line flags override it
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// Run folder (default: runs/TASK-1, -2, …)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in --out from its newest snapshot, with its settings; begin it if there is none. The same line, given again until it
    /// ends, ends the run. --epochs may grow
    #[arg(long, requires = "out")]
    resume: bool,
    /// Print only result.json to stdout
    #[arg(long)]
    json: bool,
}

/// Trains a classifier with a penalty on its hidden states. Processes that mpirun or srun has started
/// train it together.
pub fn run(arguments: TrainArgs) -> Result<(), Failure> {
    let world = processes::join()?;
    processes::work(&world, || {
        let line: Vec<String> = std::env::args().skip(1).collect();
        world.check_same("arguments", line.join("\0").as_bytes())?;
        match world.is_first() {
            true => lead(arguments, &world),
            false => follow(&world),
        }
    })
}

/// Trains as every process but the first, with the settings and in the folder of the first.
fn follow(world: &World) -> Result<(), Failure> {
    let settings = world.from_first(Vec::new())?;
    let settings = String::from_utf8_lossy(&settings);
    if settings.is_empty() {
        return Ok(());
    }
    let settings = toml::from_str(&settings)
        .map_err(|error| Failure::new(error, "start all processes with the same program"))?;
    let observer = Quiet::shared();
    let experiment = Experiment::prepare(settings, observer.as_ref())?;
    world.check_same("tasks", experiment.task.name.as_bytes())?;
    let folder = world.from_first(Vec::new())?;
    let folder = RunFolder::at(String::from_utf8_lossy(&folder).as_ref());
    experiment.run_in(world, &folder, None, observer)?;
    Ok(())
}

/// Trains as the first process, or as the only one.
fn lead(arguments: TrainArgs, world: &World) -> Result<(), Failure> {
    let TrainArgs {
        config,
        options,
        out,
        resume,
        json,
    } = arguments;
    let console = Arc::new(Console::new(json));
    let base = config.map_or(Ok(TrainOptions::default()), |path| {
        TrainOptions::read(&path)
    })?;
    let mut options = options.0.over(base);
    let lock = match &out {
        Some(path) if resume && path.is_dir() => Some(RunFolder::at(path).lock(console.as_ref())?),
        _ => None,
    };
    let found = lock.as_ref().map_or(Ok(RunState::Empty), |lock| {
        lock.folder().state(console.as_ref())
    })?;
    let settings = match (found, &out) {
        (RunState::Finished(settings, result), Some(path)) => {
            let changed = changed(&settings, &options, path)?;
            if changed.epochs == settings.epochs {
                world.from_first(Vec::new())?;
                console.line("the run is complete; --epochs N trains it further");
                return print_result(&result, path, json);
            }
            changed
        }
        (RunState::Unfinished(settings), Some(path)) => changed(&settings, &options, path)?,
        _ => {
            for setting in options
                .preset
                .map_or(Vec::new(), |preset| preset.fill(&mut options))
            {
                console.line(&format!(
                    "{} {}: {}",
                    setting.name, setting.value, setting.source
                ));
            }
            TrainSettings::resolve(options)
        }
    };
    let text = toml::to_string(&settings).expect("settings are plain values");
    world.from_first(text.into_bytes())?;
    let experiment = Experiment::prepare(settings, console.as_ref())?;
    // Nothing is written unless every process is ready.
    world.check_same("tasks", experiment.task.name.as_bytes())?;
    let lock = match lock {
        Some(lock) => lock,
        None => begin(out.as_deref(), resume, &experiment.task.name, &console)?,
    };
    let folder = lock.folder();
    let path = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().into());
    world.from_first(path.to_string_lossy().into_owned().into_bytes())?;
    describe(&experiment, &console);
    if world.size() > 1 {
        console.line(&format!("{} processes share each batch", world.size()));
    }
    match experiment.run_in(world, folder, Some(&lock), console.clone()) {
        Ok(result) => print_result(&result, folder.path(), json),
        Err(error @ ExperimentError::Interrupted { stop, .. }) => {
            signals::requeue(error.into(), stop)
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes the folder of a run that begins.
fn begin(
    out: Option<&Path>,
    resume: bool,
    name: &str,
    console: &Console,
) -> Result<RunLock, ExperimentError> {
    match out {
        // Of two processes that are given the same line at once, the second may find a run here by
        // now; it goes on with it.
        Some(path) if resume => RunFolder::at(path).lock(console),
        out => RunFolder::lock_new(out, name, console),
    }
}

/// Applies flags to the settings of a run that goes on.
fn changed(
    settings: &TrainSettings,
    options: &TrainOptions,
    path: &Path,
) -> Result<TrainSettings, Failure> {
    settings.changed_by(options).map_err(|keys| {
        ExperimentError::OtherSettings {
            path: path.into(),
            keys,
        }
        .into()
    })
}

fn print_result(result: &RunResult, folder: &Path, json: bool) -> Result<(), Failure> {
    let text = match json {
        true => serde_json::to_string(result)
            .map_err(|error| Failure::new(error, "report this as a bug"))?,
        false => folder.display().to_string(),
    };
    print(&format!("{text}\n"))
}

/// Prints the task, its splits and the model before the run starts.
fn describe(experiment: &Experiment, console: &Console) {
    let Experiment { settings, task, .. } = experiment;
    let majority = task.majority().map_or(String::new(), |majority| {
        format!(", {} classes, majority {majority:.3}", task.labels.len())
    });
    console.line(&format!(
        "{}: {} training rows, {} validation rows{majority}",
        task.name, task.train.rows, task.dev.rows
    ));
    for (name, split) in [("train", &task.train), ("dev", &task.dev)] {
        console.line(&format!(
            "  {name}: {}",
            contents(split, task.labels.names())
        ));
    }
    let sizes = experiment.config().sizes();
    console.line(&format!(
        "{}: {} layers of width {} on {}",
        settings.model, sizes.layers, sizes.width, settings.device
    ));
    console.lines(experiment.notes());
    if !experiment.fresh().is_empty() {
        console.line(&format!("fresh weights: {}", experiment.fresh().join(", ")));
    }
}

/// Describes the labels and the lengths of a split.
fn contents(split: &SplitSummary, labels: &[String]) -> String {
    let SplitSummary {
        rows,
        classes,
        values,
        lengths,
        ..
    } = split;
    let classes: String = labels
        .iter()
        .zip(classes)
        .map(|(label, count)| format!("{label:?} {count} times, "))
        .collect();
    let values = values.map_or(String::new(), |MeanAndDeviation { mean, deviation }| {
        format!("numbers {mean:.3} ± {deviation:.3}, ")
    });
    let windows = if lengths.sequences == *rows {
        String::new()
    } else {
        format!("{} windows, ", lengths.sequences)
    };
    let Lengths {
        mean,
        median,
        longest,
        cut,
        ..
    } = lengths;
    format!(
        "{classes}{values}{windows}{mean:.1} tokens on average, half at most {median}, longest {longest}, {cut} cut"
    )
}
