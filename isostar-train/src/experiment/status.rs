//! How far a run has come, from the outside.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::{Holder, RunFolder, RunResult};

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activity {
    /// It has its result.
    Done,
    /// A process works on it.
    Running,
    /// It has no result, and no process works on it.
    Stopped,
    /// Its numbers are no longer finite.
    Diverged,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStatus {
    /// What it is doing.
    pub activity: Activity,
    /// The number of completed epochs; while it runs, those of its newest snapshot.
    pub epochs_done: usize,
    /// The number of epochs of its settings; `None` before these are written.
    pub epochs: Option<usize>,
    /// The number of steps taken; of a run that was stopped, those of its newest snapshot.
    pub step: usize,
    /// The number of steps of the run; `None` if it is not known.
    pub steps: Option<usize>,
    /// Seconds that the remaining steps take: of a run that is running, at its present pace; of one
    /// that was stopped, at its mean pace, without evaluations.
    pub seconds_left: Option<f64>,
    /// The process that works on it.
    pub holder: Option<Holder>,
    /// The result of a run that is done or diverged.
    pub result: Option<RunResult>,
}

/// Depth of folders below the one that is searched for runs: `runs` holds plans, and these hold runs.
const DEPTH: usize = 3;

impl RunFolder {
    /// Finds the runs in a folder and the folders below it, and how far they have come; that folder
    /// alone if it is one of a run. Sorted by path, where numbers are compared as numbers.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn find(folder: &Path) -> io::Result<Vec<(Self, RunStatus)>> {
        let run = Self::at(folder);
        if let Some(status) = run.status() {
            return Ok(vec![(run, status)]);
        }
        let mut found = Vec::new();
        search(folder, DEPTH, &mut found)?;
        found.sort_by_cached_key(|(run, _)| natural(&run.path().to_string_lossy()));
        Ok(found)
    }

    /// Finds out how far a run has come, without waiting for its lock; `None` if the folder holds no
    /// run. Files that cannot be read count as missing, and those of a run that is over are not
    /// checked against their manifest.
    pub fn status(&self) -> Option<RunStatus> {
        // Before the files: a run that ends meanwhile is then seen to run.
        let holder = self.holder();
        if holder.is_none() && !self.is_run() && self.last_holder().is_none() {
            return None;
        }
        let settings = self.settings().ok().flatten();
        let epochs = settings.as_ref().map(|settings| settings.epochs);
        let saved = self.snapshots().newest_state();
        let result = self.result().ok().flatten();
        let mut status = RunStatus {
            activity: Activity::Stopped,
            epochs_done: saved.as_ref().map_or(0, |saved| saved.place.epochs),
            epochs,
            step: saved.as_ref().map_or(0, |saved| saved.place.step),
            steps: saved
                .as_ref()
                .and_then(|saved| Some(saved.batches * epochs?)),
            seconds_left: None,
            holder,
            result: None,
        };
        if let Some(holder) = &status.holder {
            status.activity = Activity::Running;
            if holder.steps > 0 {
                (status.step, status.steps) = (holder.step, Some(holder.steps));
                status.seconds_left = holder.seconds_left;
            }
        } else if let Some(result) = result {
            let is_diverged = result.divergence().is_some();
            let is_done = epochs.is_none_or(|epochs| result.epochs >= epochs);
            if is_diverged || is_done {
                status.activity = if is_diverged {
                    Activity::Diverged
                } else {
                    Activity::Done
                };
                status.epochs_done = result.epochs;
                status.result = Some(result);
            }
        }
        if let (Activity::Stopped, Some(saved), Some(steps)) =
            (status.activity, saved, status.steps)
        {
            let seconds = saved.seconds.training + saved.seconds.calibration;
            let left = seconds / status.step as f64 * steps.saturating_sub(status.step) as f64;
            status.seconds_left = Some(left).filter(|left| left.is_finite());
        }
        Some(status)
    }
}

fn search(folder: &Path, depth: usize, found: &mut Vec<(RunFolder, RunStatus)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let run = RunFolder::at(&path);
        match run.status() {
            Some(status) => found.push((run, status)),
            // One that cannot be read is none of a run.
            None if depth > 1 => drop(search(&path, depth - 1, found)),
            None => {}
        }
    }
    Ok(())
}

/// Sort key of a name in which run-10 follows run-9.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut is_in_number = false;
    for letter in name.chars() {
        let digit = letter.to_digit(10);
        if digit.is_none() && is_in_number {
            parts.push((String::new(), 0));
        }
        is_in_number = digit.is_some();
        let (text, number) = parts.last_mut().expect("there is always a part");
        match digit {
            Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
            None => text.push(letter),
        }
    }
    parts
}
