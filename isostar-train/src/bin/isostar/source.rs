//! Which model and which rows: what `evaluate` and `analyze` ask alike.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use isostar_train::data::Columns;
use isostar_train::experiment::{ExperimentError, RunFolder, TrainSettings};
use isostar_train::model::find_model;
use isostar_train::task::{KnownTask, Task, TaskSource, is_named};

use crate::console::Console;
use crate::failure::Failure;

/// The folder of a run's model, in the run's.
const MODEL: &str = "model";

/// Where a model is, and the run that it comes from.
pub struct Source {
    /// The folder asked for: a run's or a model's.
    pub folder: PathBuf,
    /// The settings of the run; none where the folder is a model's.
    pub run: Option<TrainSettings>,
}

impl Source {
    /// A run's folder, a model's, or a model's name on the hub.
    pub fn find(name: &str, console: &Console) -> Result<Self, Failure> {
        let folder = find_model(name, console)?;
        Ok(Self { run: RunFolder::at(&folder).settings()?, folder })
    }

    /// The folder of the model.
    pub fn model(&self) -> PathBuf {
        if self.run.is_some() { self.folder.join(MODEL) } else { self.folder.clone() }
    }

    /// Whether a run trained the model on this file, whether the run's folder was named or its model's.
    fn was_trained_on(&self, file: &str) -> bool {
        let of_run = || {
            let run = self.folder.parent().filter(|_| self.folder.ends_with(MODEL))?;
            RunFolder::at(run).settings().ok()?
        };
        let trained_on = self.run.clone().or_else(of_run).and_then(|run| run.task);
        trained_on.is_some_and(|task| {
            task == file || matches!((fs::canonicalize(task), fs::canonicalize(file)), (Ok(one), Ok(other)) if one == other)
        })
    }
}

/// The rows that a model is asked about.
#[derive(Args)]
pub struct RowsArgs {
    /// Task or file (default: the run's own)
    #[arg(long, value_name = "NAME|FILE")]
    task: Option<String>,
    /// Folder with the task's files (default: the run's own)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Split: dev, train, or MNLI's dev_mismatched (default: dev, or every row of a file that the model was not trained on)
    #[arg(long, value_parser = ["dev", "train", "dev_mismatched"])]
    split: Option<String>,
    /// Maximum tokens per row; longer rows are cut (default: the run's own or the task's, at most the model's positions)
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
}

impl RowsArgs {
    /// Reads the task; what is left out is the run's own. All rows of a file that the model was not trained on are in dev.
    pub fn read(&self, source: &Source, console: &Console) -> Result<Task, Failure> {
        let own = source.run.as_ref().map_or(TaskSource { seed: 1, ..TaskSource::default() }, TrainSettings::source);
        // A task named here is another task: the run's folder of data is not its own.
        let folder = if self.task.is_some() { None } else { own.folder };
        // A task by name has columns of its own.
        let known = self.task.as_deref().and_then(KnownTask::named);
        let is_other = known.is_some() && known != own.name.and_then(KnownTask::named);
        let columns = if is_other { Columns::default() } else { own.columns.clone() };
        let (name, folder) = (self.task.as_deref().or(own.name), self.data.as_deref().or(folder));
        Ok(Task::read(TaskSource { name, folder, columns, is_whole: self.is_whole_file(source), ..own }, console)?)
    }

    /// The split asked for, by the name that the task knows it by.
    pub fn split(&self) -> &str {
        self.split.as_deref().unwrap_or("dev")
    }

    /// What the rows asked for are called.
    pub fn title(&self, source: &Source) -> &str {
        if self.is_whole_file(source) { "all" } else { self.split() }
    }

    /// Whether every row of the file asked for is new to the model, so that none need be held out.
    fn is_whole_file(&self, source: &Source) -> bool {
        let is_file = |task: &&str| !is_named(task);
        let file = self.task.as_deref().filter(is_file).filter(|_| self.data.is_none() && self.split.is_none());
        file.is_some_and(|file| !source.was_trained_on(file))
    }

    /// The longest row in tokens, for a model of this many positions.
    pub fn max_length(&self, run: Option<&TrainSettings>, positions: usize) -> Result<usize, Failure> {
        let default = || self.task.as_deref().and_then(KnownTask::named).map_or(256, |known| known.max_length);
        match self.max_length {
            Some(max_length) if max_length > positions => Err(ExperimentError::MaxLength { max_length, positions }.into()),
            Some(max_length) => Ok(max_length),
            None => Ok(run.and_then(|run| run.max_length).unwrap_or_else(default).min(positions)),
        }
    }

    /// The tokens that windows share: the run's own, as far as the length allows.
    pub fn stride(&self, run: Option<&TrainSettings>, max_length: usize) -> usize {
        let default = TrainSettings::default_stride(max_length);
        run.filter(|run| run.max_length == Some(max_length)).and_then(|run| run.stride).unwrap_or(default)
    }
}
