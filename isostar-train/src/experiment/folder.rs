//! The folder of a run.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ExperimentError, RunResult, TrainSettings};
use crate::whole_file::write_whole;

/// Where runs go if no folder is named.
const RUNS: &str = "runs";

/// The folder of a run, and the names in it.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder of a new run: the one named, or the first of runs/NAME-1, runs/NAME-2, … that is free. Nothing is created yet.
    ///
    /// # Errors
    /// If the folder named is not empty.
    pub fn choose(named: Option<&Path>, name: &str) -> Result<Self, ExperimentError> {
        let is_free = |path: &Path| fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
        match named {
            Some(path) if path.is_file() || !is_free(path) => Err(ExperimentError::FolderTaken { path: path.into() }),
            Some(path) => Ok(Self { path: path.into() }),
            None => {
                let numbered = (1..).map(|number| Path::new(RUNS).join(format!("{name}-{number}")));
                let path = numbered.into_iter().find(|path| !path.exists()).expect("there is no end to numbers");
                Ok(Self { path })
            }
        }
    }

    /// The folder of an unfinished run, its settings, and the last epoch whose checkpoint is complete.
    ///
    /// # Errors
    /// If there are no settings or no checkpoint.
    pub fn reopen(path: &Path) -> Result<(Self, TrainSettings, usize), ExperimentError> {
        let nothing = |reason| ExperimentError::NothingToResume { path: path.into(), reason };
        let folder = Self { path: path.into() };
        let config = folder.config();
        if !config.is_file() {
            return Err(nothing("there is no config.toml"));
        }
        let text = fs::read_to_string(&config).map_err(ExperimentError::io(&config))?;
        let settings: TrainSettings =
            toml::from_str(&text).map_err(|error| ExperimentError::SettingsFile { path: config, message: error.message().to_string() })?;
        let epoch = folder.last_checkpoint().ok_or_else(|| nothing("there is no complete checkpoint"))?;
        if epoch >= settings.epochs {
            return Err(nothing("all its epochs are done"));
        }
        Ok((folder, settings, epoch))
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
    /// If the system refuses.
    pub fn create(&self, settings: &TrainSettings) -> Result<(), ExperimentError> {
        fs::create_dir_all(&self.path).map_err(ExperimentError::io(&self.path))?;
        let text = toml::to_string_pretty(settings).expect("settings are plain values");
        write_whole(&self.config(), text.as_bytes()).map_err(ExperimentError::io(&self.config()))
    }

    /// Writes result.json.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_result(&self, result: &RunResult) -> Result<(), ExperimentError> {
        let text = serde_json::to_string_pretty(result).expect("a result is plain values");
        let path = self.path.join("result.json");
        write_whole(&path, text.as_bytes()).map_err(ExperimentError::io(&path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// config.toml.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// metrics.jsonl.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The folder of the trained model.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }
}
