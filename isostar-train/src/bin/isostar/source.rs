//! Which model and which rows: what `evaluate` and `analyze` ask alike.

use std::path::PathBuf;

use clap::Args;
use isostar_train::data::Columns;
use isostar_train::experiment::{RunFolder, TrainSettings};
use isostar_train::model::find_model;
use isostar_train::task::{KnownTask, Task, TaskSource};

use crate::console::Console;
use crate::failure::Failure;

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
        if self.run.is_some() { self.folder.join("model") } else { self.folder.clone() }
    }
}

/// The rows that a model is asked about.
#[derive(Args)]
pub struct RowsArgs {
    /// Task or file; the run's own by default
    #[arg(long, value_name = "NAME|FILE")]
    task: Option<String>,
    /// Folder with the task's files; the run's own by default
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which rows: dev, train, or MNLI's dev_mismatched
    #[arg(long, default_value = "dev", value_parser = ["dev", "train", "dev_mismatched"])]
    pub split: String,
    /// Tokens a row is cut to; the run's own, or the task's, by default
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
}

impl RowsArgs {
    /// Reads the task; what is left out is the run's own.
    pub fn read(&self, run: Option<&TrainSettings>, console: &Console) -> Result<Task, Failure> {
        let own = run.map_or(TaskSource { seed: 1, ..TaskSource::default() }, TrainSettings::source);
        // A task named here is another task: the run's folder of data is not its own.
        let folder = if self.task.is_some() { None } else { own.folder };
        // A task by name has columns of its own.
        let known = self.task.as_deref().and_then(KnownTask::named);
        let is_other = known.is_some() && known != own.name.and_then(KnownTask::named);
        let columns = if is_other { Columns::default() } else { own.columns.clone() };
        let source = TaskSource { name: self.task.as_deref().or(own.name), folder: self.data.as_deref().or(folder), columns, ..own };
        Ok(Task::read(source, console)?)
    }

    /// The longest row in tokens, for a model of this many positions.
    pub fn max_length(&self, run: Option<&TrainSettings>, positions: usize) -> usize {
        let default = || self.task.as_deref().and_then(KnownTask::named).map_or(256, |known| known.max_length);
        self.max_length.or(run.map(|run| run.max_length)).unwrap_or_else(default).min(positions)
    }

    /// The tokens that windows share: the run's own, as far as the length allows.
    pub fn stride(&self, run: Option<&TrainSettings>, max_length: usize) -> usize {
        let default = TrainSettings::default_stride(max_length);
        run.filter(|run| run.max_length == max_length).map_or(default, |run| run.stride)
    }
}
