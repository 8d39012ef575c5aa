//! `isostar runs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use isostar_train::experiment::{Activity, Holder, RunFolder, RunStatus};
use serde::Serialize;

use crate::failure::Failure;
use crate::measure::print;
use crate::outcome::{aligned, outcome};
use crate::progress::duration;

/// List runs: done, running, stopped or diverged, with their progress
///
/// A run is running if a process holds its lock, on whatever machine with the same file system; its heartbeat is the last time that process was
/// seen to progress. The steps of a stopped run are those of its newest snapshot, from which it goes on. Of a running run, the time left is that
/// of the remaining steps at the present pace; of a stopped run, that of the remaining steps at its mean pace. Writes nothing.
#[derive(Args)]
pub struct RunsArgs {
    /// Folder of a run, or folder with runs
    #[arg(value_name = "DIR", default_value = "runs")]
    folder: PathBuf,
    /// Print one JSON object per run, one per line
    #[arg(long)]
    json: bool,
}

/// One line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    run: String,
    folder: String,
    state: Activity,
    epochs_done: usize,
    epochs: Option<usize>,
    step: usize,
    steps: Option<usize>,
    seconds_left: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<&'a Holder>,
    /// Seconds since the heartbeat of the holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    silence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a BTreeMap<String, Option<f64>>>,
}

/// Lists the runs of a folder.
pub fn run(arguments: RunsArgs) -> Result<(), Failure> {
    let RunsArgs { folder, json } = arguments;
    let found = RunFolder::find(&folder).map_err(|error| {
        Failure::new(
            format!("{}: {error}", folder.display()),
            "pass the folder of a run, or a folder with runs, such as runs or runs/PLAN",
        )
    })?;
    if found.is_empty() {
        return Err(Failure::new(
            format!("{} holds no run", folder.display()),
            "pass the folder of a run, or a folder with runs, such as runs or runs/PLAN",
        ));
    }
    let text = if json {
        lines(&folder, &found)?
    } else {
        table(&folder, &found)
    };
    print(&text)
}

fn lines(parent: &Path, found: &[(RunFolder, RunStatus)]) -> Result<String, Failure> {
    let mut lines = String::new();
    for (folder, status) in found {
        let line = Line {
            run: name(parent, folder),
            folder: folder.path().display().to_string(),
            state: status.activity,
            epochs_done: status.epochs_done,
            epochs: status.epochs,
            step: status.step,
            steps: status.steps,
            seconds_left: status.seconds_left,
            holder: status.holder.as_ref(),
            silence: status.holder.as_ref().map(Holder::silence),
            metrics: status.result.as_ref().map(|result| &result.metrics),
        };
        lines += &serde_json::to_string(&line)
            .map_err(|error| Failure::new(error, "leave out --json"))?;
        lines.push('\n');
    }
    Ok(lines)
}

fn table(parent: &Path, found: &[(RunFolder, RunStatus)]) -> String {
    let mut rows = vec![["run", "state", "epochs", "steps", "left", ""].map(String::from)];
    for (folder, status) in found {
        let of = |done: usize, all: Option<usize>| {
            all.map_or("-".into(), |all| format!("{done} of {all}"))
        };
        let note = match (&status.holder, &status.result) {
            (Some(holder), _) => {
                format!("{holder}, heartbeat {} s ago", holder.silence())
            }
            (None, Some(result)) => outcome(result),
            (None, None) => String::new(),
        };
        let state = match status.activity {
            Activity::Done => "done",
            Activity::Running => "running",
            Activity::Diverged => "diverged",
            _ => "stopped",
        };
        rows.push([
            name(parent, folder),
            state.into(),
            of(status.epochs_done, status.epochs),
            of(status.step, status.steps),
            status.seconds_left.map_or("-".into(), duration),
            note,
        ]);
    }
    aligned(&rows, &[2, 3, 4])
}

/// The path of a run below the folder that is listed.
fn name(parent: &Path, folder: &RunFolder) -> String {
    let path = folder.path();
    match path.strip_prefix(parent) {
        Ok(inner) if inner != Path::new("") => inner.display().to_string(),
        _ => path.display().to_string(),
    }
}
