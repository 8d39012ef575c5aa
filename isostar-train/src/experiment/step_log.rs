//! Logs of the steps of a run, one line of JSON each: control.jsonl of a regularizer that adapts,
//! geometry.jsonl of a monitor.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use isostar_core::{HeldStep, StepNumbers};
use serde::{Deserialize, Serialize};

use super::disk::replace;
use super::result::finite;
use super::{ExperimentError, Observer, RunFolder};

/// A line of control.jsonl.
#[derive(Serialize)]
pub(super) struct ControlLine<'a> {
    /// Step of the run, from 1.
    step: u64,
    task_loss: Option<f64>,
    /// Numbers of the penalty by name, such as `score` or `shrinkage`.
    details: BTreeMap<&'a str, Option<f64>>,
    /// Scores that are held at a target.
    #[serde(skip_serializing_if = "<[HeldStep]>::is_empty")]
    held: &'a [HeldStep],
}

impl<'a> ControlLine<'a> {
    pub fn new(numbers: &'a StepNumbers, held: &'a [HeldStep]) -> Self {
        let details = numbers.details.iter();
        Self {
            step: numbers.step + 1,
            task_loss: finite(numbers.task_loss),
            details: details
                .map(|(name, value)| (name.as_str(), finite(*value)))
                .collect(),
            held,
        }
    }
}

/// The part of a line that says where it belongs.
#[derive(Deserialize)]
struct Place {
    step: u64,
}

/// Writes a log. It tells what happened; no run reads it.
pub(super) struct StepLog {
    path: PathBuf,
    file: Mutex<LogFile>,
}

/// The logs of a run.
pub(super) struct StepLogs {
    control: StepLog,
    geometry: StepLog,
}

impl StepLogs {
    /// The logs of a run that goes on after `steps` steps.
    ///
    /// # Errors
    /// If the system fails to write a file.
    pub fn new(folder: &RunFolder, steps: u64) -> Result<Self, ExperimentError> {
        Ok(Self {
            control: StepLog::new(folder.control(), steps)?,
            geometry: StepLog::new(folder.geometry(), steps)?,
        })
    }

    /// The logs of the regularizer and of the monitor.
    pub fn split(self) -> (Option<StepLog>, Option<StepLog>) {
        (Some(self.control), Some(self.geometry))
    }
}

enum LogFile {
    /// No line has been written: there is no file.
    Closed,
    Open(File),
    /// A line could not be written, which has been reported.
    Failed,
}

impl StepLog {
    /// The log of a run that goes on after `steps` steps. Later lines are dropped, because the run
    /// writes them again, and so are damaged ones.
    ///
    /// # Errors
    /// If the system fails to write the file.
    pub fn new(path: PathBuf, steps: u64) -> Result<Self, ExperimentError> {
        if let Ok(found) = fs::read(&path) {
            let is_kept = |line: &&str| {
                serde_json::from_str(line).is_ok_and(|place: Place| place.step <= steps)
            };
            let text = String::from_utf8_lossy(&found);
            let lines = text.lines().filter(is_kept);
            let kept: String = lines.flat_map(|line| [line, "\n"]).collect();
            if kept.as_bytes() != found {
                replace(&path, kept.as_bytes())?;
            }
        }
        Ok(Self {
            path,
            file: Mutex::new(LogFile::Closed),
        })
    }

    /// Adds a line. A failure is reported once, and ends the log, not the run.
    pub fn add(&self, line: &impl Serialize, observer: &dyn Observer) {
        let text = serde_json::to_string(line).expect("a line is plain values") + "\n";
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write(&self.path, &text) {
            *file = LogFile::Failed;
            observer.note(&format!("{}: {error}; the log ends", self.path.display()));
        }
    }
}

impl LogFile {
    fn write(&mut self, path: &Path, text: &str) -> io::Result<()> {
        if let Self::Closed = self {
            *self = Self::Open(File::options().append(true).create(true).open(path)?);
        }
        match self {
            Self::Open(file) => file.write_all(text.as_bytes()),
            Self::Closed | Self::Failed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn step(number: u64) -> StepNumbers {
        StepNumbers {
            step: number - 1,
            task_loss: 0.5,
            details: vec![("score".into(), 0.25), ("shrinkage".into(), f64::NAN)],
        }
    }

    #[test]
    fn a_resumed_log_has_each_step_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.jsonl");
        let log = StepLog::new(path.clone(), 0).unwrap();
        assert!(!path.exists());
        (1..=5).for_each(|number| log.add(&ControlLine::new(&step(number), &[]), &Silent));
        let whole = fs::read_to_string(&path).unwrap();
        let first = whole.lines().next().unwrap();
        assert_eq!(
            first,
            r#"{"step":1,"task_loss":0.5,"details":{"score":0.25,"shrinkage":null}}"#
        );

        // Killed within a line, and resumed after step 3.
        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let log = StepLog::new(path.clone(), 3).unwrap();
        (4..=5).for_each(|number| log.add(&ControlLine::new(&step(number), &[]), &Silent));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
}
