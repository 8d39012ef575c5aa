//! Selection of model and rows, shared by `evaluate` and `analyze`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use isostar_train::data::Columns;
use isostar_train::experiment::{ExperimentError, RunFolder, TrainSettings};
use isostar_train::model::find_model;
use isostar_train::task::{KnownTask, Task, TaskSource, is_named};

use crate::console::Console;
use crate::failure::Failure;

/// Folder of the model within a run folder.
const MODEL: &str = "model";

/// Folder of a model, and the run that trained it.
pub struct Source {
    /// The requested folder: a run folder or a model folder.
    pub folder: PathBuf,
    /// Settings of the run; `None` for a model folder.
    pub run: Option<TrainSettings>,
}

impl Source {
    /// Finds a model from a run folder, a model folder, or a name on the hub. The model of a run is
    /// checked against the run's manifest.
    pub fn find(name: &str, console: &Console) -> Result<Self, Failure> {
        let folder = find_model(name, console)?;
        let run = RunFolder::at(&folder).settings()?;
        if run.is_some() {
            RunFolder::at(&folder).check_model()?;
        }
        Ok(Self { run, folder })
    }

    /// Returns the folder of the model.
    pub fn model(&self) -> PathBuf {
        if self.run.is_some() {
            self.folder.join(MODEL)
        } else {
            self.folder.clone()
        }
    }

    /// Whether the model was trained on this file; `folder` may be the run folder or its model
    /// folder.
    fn was_trained_on(&self, file: &str) -> bool {
        let of_run = || {
            let run = self
                .folder
                .parent()
                .filter(|_| self.folder.ends_with(MODEL))?;
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
    /// Reads the task; omitted arguments default to the run's settings. For a file that the model
    /// was not trained on, dev holds all rows.
    pub fn read(&self, source: &Source, console: &Console) -> Result<Task, Failure> {
        let own = source.run.as_ref().map_or(
            TaskSource {
                seed: 1,
                ..TaskSource::default()
            },
            TrainSettings::source,
        );
        // The run's data folder does not apply to a task given here.
        let folder = if self.task.is_some() {
            None
        } else {
            own.folder
        };
        // A named task defines its own columns.
        let named = self.task.as_deref().filter(|task| is_named(task));
        let known = |name: Option<&str>| name.and_then(KnownTask::named);
        let is_other =
            named.is_some() && (known(named).is_none() || known(named) != known(own.name));
        let columns = if is_other {
            Columns::default()
        } else {
            own.columns.clone()
        };
        let (name, folder) = (
            self.task.as_deref().or(own.name),
            self.data.as_deref().or(folder),
        );
        Ok(Task::read(
            TaskSource {
                name,
                folder,
                columns,
                is_whole: self.is_whole_file(source),
                ..own
            },
            console,
        )?)
    }

    /// Name of the requested split.
    pub fn split(&self) -> &str {
        self.split.as_deref().unwrap_or("dev")
    }

    /// Name of the requested rows in the output.
    pub fn title(&self, source: &Source) -> &str {
        if self.is_whole_file(source) {
            "all"
        } else {
            self.split()
        }
    }

    /// Whether the model was not trained on the requested file, so that all its rows are used.
    fn is_whole_file(&self, source: &Source) -> bool {
        let is_file = |task: &&str| !is_named(task);
        let file = self
            .task
            .as_deref()
            .filter(is_file)
            .filter(|_| self.data.is_none() && self.split.is_none());
        file.is_some_and(|file| !source.was_trained_on(file))
    }

    /// Maximum length in tokens, for a model with `positions` positions.
    pub fn max_length(
        &self,
        run: Option<&TrainSettings>,
        positions: usize,
    ) -> Result<usize, Failure> {
        let default = || {
            self.task
                .as_deref()
                .and_then(KnownTask::named)
                .map_or(256, |known| known.max_length)
        };
        match self.max_length {
            Some(max_length) if max_length > positions => Err(ExperimentError::MaxLength {
                max_length,
                positions,
            }
            .into()),
            Some(max_length) => Ok(max_length),
            None => Ok(run
                .and_then(|run| run.max_length)
                .unwrap_or_else(default)
                .min(positions)),
        }
    }

    /// Number of tokens that consecutive windows share: the run's stride if `max_length` is the
    /// run's, otherwise the default.
    pub fn stride(&self, run: Option<&TrainSettings>, max_length: usize) -> usize {
        let default = TrainSettings::default_stride(max_length);
        run.filter(|run| run.max_length == Some(max_length))
            .and_then(|run| run.stride)
            .unwrap_or(default)
    }
}
