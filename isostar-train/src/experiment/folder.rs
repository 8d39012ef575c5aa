//! The folder of a run.
//!
//! Every file is written beside its place, synced and renamed, and its first line or a manifest says
//! whether it is whole: a file that a crash, a full disk or a fault of the disk has damaged is never
//! believed.

mod paths;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::replace;
use super::snapshot::{FileDigest, MANIFEST, Manifest, Parts, SnapshotStore};
use super::{Diverged, ExperimentError, Observer, RunResult, TrainSettings};

/// The parent folder of runs without an explicit folder.
const RUNS: &str = "runs";

/// The file name of the lock.
pub(super) const LOCK: &str = "lock";

/// The file name of a result.
const RESULT: &str = "result.json";

/// The beginning of config.toml, before the SHA-256 of its remaining lines.
const HASH_LINE: &str = "# SHA-256 of the lines below: ";

/// The beginning of the names of files that are being written.
const WRITING: &str = ".writing-";

/// The folder of a run and its files.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// What there is of a run in its folder.
#[derive(Debug)]
pub enum RunState {
    /// Nothing: a run begins.
    Empty,
    /// A run with these settings that is not over.
    Unfinished(Box<TrainSettings>),
    /// A whole run with these settings and this result.
    Finished(Box<TrainSettings>, Box<RunResult>),
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
            Some(folder) if folder.is_taken() => {
                Err(ExperimentError::FolderTaken { path: folder.path })
            }
            Some(folder) => Ok(folder),
            None => {
                let numbered = (1..).map(|number| Path::new(RUNS).join(format!("{name}-{number}")));
                let path = numbered
                    .into_iter()
                    .find(|path| !path.exists())
                    .expect("the range is unbounded");
                Ok(Self { path })
            }
        }
    }

    /// Whether existing files prevent a new run in this folder. A lock alone does not, and neither
    /// do files that are or were being written.
    pub fn is_taken(&self) -> bool {
        let is_run = |entry: io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| {
                entry.file_name() != LOCK
                    && !entry.file_name().to_string_lossy().starts_with(WRITING)
            })
        };
        self.path.is_file() || fs::read_dir(&self.path).is_ok_and(|mut entries| entries.any(is_run))
    }

    /// Whether the folder holds a run, or what is left of one.
    pub(crate) fn is_run(&self) -> bool {
        self.config().exists() || self.path.join("checkpoint").exists()
    }

    /// Finds out what there is of a run. Damaged files are reported to the observer.
    ///
    /// # Errors
    /// If the folder holds something else than a run, the run diverged, or its settings are damaged
    /// and no snapshot holds them.
    pub fn state(&self, observer: &dyn Observer) -> Result<RunState, ExperimentError> {
        let nothing = |reason| ExperimentError::NothingToResume {
            path: self.path.clone(),
            reason,
        };
        if !self.is_taken() {
            return Ok(RunState::Empty);
        }
        if self.snapshots().steps().is_empty() && self.has_earlier_checkpoints() {
            return Err(nothing("its checkpoints are those of an earlier version"));
        }
        let settings = match self.stored_settings() {
            Ok(Some(settings)) => settings,
            found => {
                let newest = self.snapshots().newest(&|_| {});
                let (Some(parts), fault) = (newest, found.as_ref().err()) else {
                    return Err(found
                        .err()
                        .unwrap_or_else(|| nothing("there is no config.toml")));
                };
                let fault = fault.map_or_else(
                    || format!("{} is missing", self.config().display()),
                    ToString::to_string,
                );
                observer.note(&format!(
                    "{fault}; the settings are those of the newest snapshot"
                ));
                parts.state.settings
            }
        };
        let settings = Box::new(settings);
        match self.whole_result(observer)? {
            Some(result) => match self.diverged(&settings, &result) {
                Some(error) => Err(error),
                None if result.epochs >= settings.epochs => {
                    self.snapshots()
                        .report_damaged(usize::MAX, &|damaged| observer.note(&damaged.to_string()));
                    Ok(RunState::Finished(settings, Box::new(result)))
                }
                None => Ok(RunState::Unfinished(settings)),
            },
            None => Ok(RunState::Unfinished(settings)),
        }
    }

    fn has_earlier_checkpoints(&self) -> bool {
        let entries = fs::read_dir(self.path.join("checkpoint"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .into_iter()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("model-"))
    }

    /// Returns the error of a run that diverged according to its result.
    pub fn diverged(
        &self,
        settings: &TrainSettings,
        result: &RunResult,
    ) -> Option<ExperimentError> {
        let diverged = Diverged {
            divergence: result.divergence()?,
            learning_rate: settings.learning_rate,
            weight: settings.acting_weight(),
        };
        Some(ExperimentError::Diverged {
            path: self.path.clone(),
            diverged: Box::new(diverged),
        })
    }

    /// Reads the settings in config.toml; `None` if there is no run.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn settings(&self) -> Result<Option<TrainSettings>, ExperimentError> {
        let malformed = |message: String| ExperimentError::SettingsFile {
            path: self.config(),
            message,
        };
        let Some(text) = read_if_there(&self.config())? else {
            return Ok(None);
        };
        toml::from_str(&text)
            .map(Some)
            .map_err(|error| malformed(error.message().to_string()))
    }

    /// Reads the settings in config.toml, and checks the hash in its first line.
    fn stored_settings(&self) -> Result<Option<TrainSettings>, ExperimentError> {
        let Some(text) = read_if_there(&self.config())? else {
            return Ok(None);
        };
        let is_whole =
            |(hash, rest): (&str, &str)| hash == FileDigest::from_bytes(rest.as_bytes()).sha256;
        match text
            .strip_prefix(HASH_LINE)
            .and_then(|text| text.split_once('\n'))
            .is_some_and(is_whole)
        {
            true => self.settings(),
            false => Err(ExperimentError::Altered {
                path: self.config(),
            }),
        }
    }

    /// Reads result.json; `None` if the run has not finished.
    ///
    /// # Errors
    /// If the file cannot be read or parsed.
    pub fn result(&self) -> Result<Option<RunResult>, ExperimentError> {
        let Some(text) = read_if_there(&self.results())? else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| ExperimentError::ResultFile {
                path: self.results(),
                message: error.to_string(),
            })
    }

    /// Returns the number of completed epochs according to the newest snapshot; 0 if there is none.
    pub fn epochs_done(&self) -> usize {
        self.snapshots().epochs()
    }

    /// Creates the folder and writes its config.toml; removes the result of a run that goes on.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub(super) fn begin(&self, settings: &TrainSettings) -> Result<(), ExperimentError> {
        fs::create_dir_all(&self.path).map_err(ExperimentError::io(&self.path))?;
        // A result says that the run is over, so it goes first, and comes last.
        for path in [self.results(), self.path.join(MANIFEST)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(ExperimentError::io(&path)(error));
                }
                _ => {}
            }
        }
        let text = toml::to_string_pretty(settings).expect("settings are plain values");
        let text = format!(
            "{HASH_LINE}{}\n{text}",
            FileDigest::from_bytes(text.as_bytes()).sha256
        );
        if !fs::read_to_string(self.config()).is_ok_and(|found| found == text) {
            replace(&self.config(), text.as_bytes())?;
        }
        Ok(())
    }

    /// Removes what interrupted processes have left. Only who holds the lock may do so.
    pub(super) fn sweep(&self) -> Result<(), ExperimentError> {
        for folder in [&self.path, &self.model()] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(WRITING) {
                    let path = entry.path();
                    let removed = if path.is_dir() {
                        fs::remove_dir_all(&path)
                    } else {
                        fs::remove_file(&path)
                    };
                    removed.map_err(ExperimentError::io(&path))?;
                }
            }
        }
        self.snapshots().sweep()
    }

    /// Reads the newest whole snapshot; damaged ones are reported to the observer.
    pub(super) fn newest_snapshot(&self, observer: &dyn Observer) -> Option<Parts> {
        self.snapshots()
            .newest(&|damaged| observer.note(&damaged.to_string()))
    }

    /// The snapshots of the run.
    pub(super) fn snapshots(&self) -> SnapshotStore {
        SnapshotStore::at(self.path.join("checkpoint"))
    }

    /// Replaces metrics.jsonl by these lines.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub(super) fn write_metrics(&self, lines: &[String]) -> Result<(), ExperimentError> {
        replace(&self.metrics(), text(lines).as_bytes())
    }

    /// Returns metrics.jsonl to the lines of a snapshot. Lines that followed are dropped, because the
    /// run writes them again; any other difference is reported.
    ///
    /// # Errors
    /// If the system fails to write it.
    pub(super) fn restore_metrics(
        &self,
        lines: &[String],
        observer: &dyn Observer,
    ) -> Result<(), ExperimentError> {
        let found = fs::read(self.metrics()).unwrap_or_default();
        if !found.starts_with(text(lines).as_bytes()) {
            observer.note(&format!(
                "{} is damaged; its lines are restored from the snapshot",
                self.metrics().display()
            ));
        }
        self.write_metrics(lines)
    }

    /// Writes the manifest of the whole run, and then result.json, which says that it is over.
    ///
    /// # Errors
    /// If the system fails to write them.
    pub(super) fn write_result(&self, result: &RunResult) -> Result<(), ExperimentError> {
        let text = serde_json::to_string_pretty(result).expect("a result is plain values");
        let mut manifest = Manifest {
            epochs: result.epochs,
            ..Default::default()
        };
        let model = fs::read_dir(self.model())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        for path in [self.config(), self.metrics()]
            .into_iter()
            .chain(model)
            .filter(|path| path.is_file())
        {
            let name = path
                .strip_prefix(&self.path)
                .expect("the file is in the folder")
                .display()
                .to_string();
            manifest.files.insert(
                name,
                FileDigest::from_file(&path).map_err(ExperimentError::io(&path))?,
            );
        }
        manifest
            .files
            .insert(RESULT.into(), FileDigest::from_bytes(text.as_bytes()));
        replace(&self.path.join(MANIFEST), manifest.to_json().as_bytes())?;
        replace(&self.results(), text.as_bytes())
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// Reads a text file; `None` if it does not exist.
fn read_if_there(path: &Path) -> Result<Option<String>, ExperimentError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExperimentError::io(path)(error)),
    }
}
