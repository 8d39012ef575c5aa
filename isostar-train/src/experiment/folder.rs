//! The folder of a run.
//!
//! The checkpoint of epoch N in `checkpoint/` is `model-N.bpk` (the parameters), `optim-N.bpk` (AdamW's
//! moments) and `scheduler-N.bpk` (the step of the schedule), written by Burn at the end of the epoch;
//! `seconds.json` holds the seconds of every epoch. Orders of rows, dropout and references are not
//! stored: they follow from the seed, the epoch and the parameters.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::seconds::Seconds;
use super::{Diverged, ExperimentError, RunResult, TrainSettings};
use crate::whole_file::write_whole;

/// The parent folder of runs without an explicit folder.
const RUNS: &str = "runs";

/// The folder of a run and its files.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Wraps a folder that may hold a run.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Chooses the folder of a new run: `named`, or the first free one of runs/NAME-1, runs/NAME-2,
    /// … Creates nothing.
    ///
    /// # Errors
    /// If `named` is not empty.
    pub fn choose(named: Option<&Path>, name: &str) -> Result<Self, ExperimentError> {
        match named.map(Self::at) {
            Some(folder) if folder.is_taken() => Err(ExperimentError::FolderTaken { path: folder.path }),
            Some(folder) => Ok(folder),
            None => {
                let numbered = (1..).map(|number| Path::new(RUNS).join(format!("{name}-{number}")));
                let path = numbered.into_iter().find(|path| !path.exists()).expect("the range is unbounded");
                Ok(Self { path })
            }
        }
    }

    /// Whether existing files prevent a new run in this folder.
    pub fn is_taken(&self) -> bool {
        self.path.is_file() || fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Opens the folder of an unfinished run.
    ///
    /// Returns the folder, the settings, and the number of epochs whose checkpoint is complete; all
    /// epochs are complete if only the result is missing.
    ///
    /// # Errors
    /// If there are no settings or no checkpoint, or the run has a result or diverged.
    pub fn reopen(path: &Path) -> Result<(Self, TrainSettings, usize), ExperimentError> {
        let nothing = |reason| ExperimentError::NothingToResume { path: path.into(), reason };
        let folder = Self::at(path);
        let settings = folder.settings()?.ok_or_else(|| nothing("there is no config.toml"))?;
        let result = folder.result()?;
        if let Some(error) = result.as_ref().and_then(|result| folder.diverged(&settings, result)) {
            return Err(error);
        }
        match folder.epochs_done() {
            0 => Err(nothing("there is no complete checkpoint")),
            epochs if epochs >= settings.epochs && result.is_some() => Err(nothing("all its epochs are done")),
            epochs => Ok((folder, settings, epochs)),
        }
    }

    /// Returns the error of a run that diverged according to its result.
    pub fn diverged(&self, settings: &TrainSettings, result: &RunResult) -> Option<ExperimentError> {
        let diverged = Box::new(Diverged::new(result.divergence()?, settings));
        Some(ExperimentError::Diverged { path: self.path.clone(), diverged })
    }

    /// Reads the settings in config.toml; `None` if there is no run.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn settings(&self) -> Result<Option<TrainSettings>, ExperimentError> {
        let malformed = |message: String| ExperimentError::SettingsFile { path: self.config(), message };
        let Some(text) = read_if_there(&self.config())? else { return Ok(None) };
        toml::from_str(&text).map(Some).map_err(|error| malformed(error.message().to_string()))
    }

    /// Reads result.json; `None` if the run has not finished.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn result(&self) -> Result<Option<RunResult>, ExperimentError> {
        let Some(text) = read_if_there(&self.results())? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| ExperimentError::ResultFile { path: self.results(), message: error.to_string() })
    }

    /// Returns the last epoch whose checkpoint is complete; 0 if there is none.
    pub fn epochs_done(&self) -> usize {
        self.last_checkpoint().unwrap_or(0)
    }

    /// Removes the files of a run without a complete checkpoint, so that it can start over.
    ///
    /// # Errors
    /// If the system fails to remove them.
    pub fn clear(&self) -> Result<(), ExperimentError> {
        let removed = |path: PathBuf, result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ExperimentError::io(path)(error)),
            _ => Ok(()),
        };
        removed(self.metrics(), fs::remove_file(self.metrics()))?;
        removed(self.checkpoints(), fs::remove_dir_all(self.checkpoints()))
    }

    fn last_checkpoint(&self) -> Option<usize> {
        let complete = |epoch: &usize| {
            ["model", "optim", "scheduler"].iter().all(|part| self.checkpoints().join(format!("{part}-{epoch}.bpk")).is_file())
        };
        let entries = fs::read_dir(self.checkpoints()).ok()?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let epochs = names.filter_map(|name| name.strip_prefix("model-")?.strip_suffix(".bpk")?.parse().ok());
        epochs.filter(complete).max()
    }

    /// Creates the folder and writes its config.toml.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub fn create(&self, settings: &TrainSettings) -> Result<(), ExperimentError> {
        fs::create_dir_all(&self.path).map_err(ExperimentError::io(&self.path))?;
        let text = toml::to_string_pretty(settings).expect("settings are plain values");
        write_whole(&self.config(), text.as_bytes()).map_err(ExperimentError::io(&self.config()))
    }

    /// Writes result.json.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub fn write_result(&self, result: &RunResult) -> Result<(), ExperimentError> {
        let text = serde_json::to_string_pretty(result).expect("a result is plain values");
        let path = self.results();
        write_whole(&path, text.as_bytes()).map_err(ExperimentError::io(&path))
    }

    /// Returns the seconds of each epoch, as far as known.
    pub(super) fn seconds(&self) -> Vec<Option<Seconds>> {
        // An unreadable file counts as unknown: times are not worth failing a run for.
        let text = fs::read_to_string(self.seconds_file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) fn write_seconds(&self, seconds: &[Option<Seconds>]) -> io::Result<()> {
        write_whole(&self.seconds_file(), &serde_json::to_vec(seconds)?)
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of config.toml.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The path of metrics.jsonl.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The path of result.json.
    pub fn results(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// The path of the trained model.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    fn seconds_file(&self) -> PathBuf {
        self.checkpoints().join("seconds.json")
    }
}

/// Reads a text file; `None` if it does not exist.
fn read_if_there(path: &Path) -> Result<Option<String>, ExperimentError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExperimentError::io(path)(error)),
    }
}
