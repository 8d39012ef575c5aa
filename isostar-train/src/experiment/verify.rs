//! Replaying the steps between two snapshots of a run.

use std::sync::Arc;

use super::fingerprint::fingerprint;
use super::prepare::{Prepared, Work};
use super::run::Run;
use super::size::size;
use super::snapshot::{Parts, SnapshotStore};
use super::training::{Beginning, Stopwatch, Training};
use super::{Experiment, ExperimentError, Observer, RunFolder};
use crate::task::TaskModel;

/// What a replay has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Step of the snapshot that the replay began with.
    pub from: usize,
    /// Step of the snapshot that it was compared with.
    pub to: usize,
    /// What differs: files that are not as their manifest says, and state that the replay does not
    /// reach. Empty if the run is what its settings say.
    pub differences: Vec<String>,
}

impl Experiment {
    /// Replays the steps between the two newest snapshots of a run, and compares the state that the
    /// replay reaches with the newest snapshot, bit by bit. Writes nothing.
    ///
    /// On a device whose sums depend on scheduling, an honest run may differ as well.
    ///
    /// # Errors
    /// If there are fewer than two snapshots, they belong to a run with other settings or rows or of
    /// several processes, or the replay fails.
    pub fn verify(
        self,
        folder: &RunFolder,
        observer: Arc<dyn Observer>,
    ) -> Result<Verification, ExperimentError> {
        let store = folder.snapshots();
        let steps = store.steps();
        let [to, from, ..] = steps[..] else {
            return Err(ExperimentError::NothingToVerify {
                path: folder.path().into(),
                found: steps.len(),
            });
        };
        let differences: Vec<String> = [from, to]
            .into_iter()
            .flat_map(|step| {
                store
                    .faults(step)
                    .into_iter()
                    .map(move |fault| format!("step {step}: {fault}"))
            })
            .collect();
        let found = Verification {
            from,
            to,
            differences,
        };
        if !found.differences.is_empty() {
            return Ok(found);
        }
        // Without limits: a replay ends where the run went on.
        let (run, work) = self.into_run(folder, observer);
        let differences = match work {
            Work::Sequences(prepared) => run.replay(&prepared, &store, from, to)?,
            Work::Spans(prepared) => run.replay(&prepared, &store, from, to)?,
        };
        Ok(Verification {
            differences,
            ..found
        })
    }
}

impl Run {
    fn replay<M: TaskModel>(
        &self,
        prepared: &Prepared<M>,
        store: &SnapshotStore,
        from: usize,
        to: usize,
    ) -> Result<Vec<String>, ExperimentError> {
        let read = |step| {
            store
                .read(step)
                .map_err(|message| ExperimentError::Snapshot {
                    path: store.folder(step),
                    message,
                })
        };
        let (begin, end) = (read(from)?, read(to)?);
        let rows = fingerprint(prepared);
        self.check_origin(&begin, &rows)?;
        let (place, processes) = (end.state.place, end.state.processes);
        if processes > 1 {
            return Err(ExperimentError::SeveralProcesses {
                path: self.folder.path().into(),
                processes,
            });
        }

        let stopwatch = Arc::new(Stopwatch::default());
        let hook = self.hook(prepared, Some(&begin), &stopwatch, None);
        let beginning = Beginning {
            before: begin.state.before.clone(),
            rows,
            parts: Some(begin),
        };
        let mut training = Training::new(self, prepared, hook, stopwatch, None, beginning)?;
        training.run(Some(place))?;
        let Some(reached) = training.parts()? else {
            return Ok(vec!["the replay diverges".into()]);
        };
        Ok(differences(reached, end))
    }
}

/// Compares two states, seconds apart.
fn differences(reached: Parts, mut expected: Parts) -> Vec<String> {
    let mut reached = reached;
    for parts in [&mut reached, &mut expected] {
        let state = &mut parts.state;
        (state.seconds, state.split_seconds) = Default::default();
        state.lines = state
            .lines
            .iter()
            .map(|line| {
                line.split(",\"seconds\":")
                    .next()
                    .unwrap_or_default()
                    .to_string()
            })
            .collect();
    }
    // Settings of snapshots may have changed when the run was resumed.
    reached.state.settings = expected.state.settings.clone();
    let files = |parts: Parts| parts.into_files().map_err(|message| vec![message]);
    let (reached, expected) = match (files(reached), files(expected)) {
        (Ok(reached), Ok(expected)) => (reached, expected),
        (Err(fault), _) | (_, Err(fault)) => return fault,
    };
    let mut differences = Vec::new();
    for (name, bytes) in &expected {
        match reached.iter().find(|(other, _)| other == name) {
            None => differences.push(format!("{name} is missing in the replay")),
            Some((_, found)) if found.len() != bytes.len() => {
                differences.push(format!(
                    "{name}: {} instead of {}",
                    size(found.len() as u64),
                    size(bytes.len() as u64)
                ));
            }
            Some((_, found)) => {
                let count = found
                    .iter()
                    .zip(bytes.iter())
                    .filter(|(found, expected)| found != expected)
                    .count();
                if count > 0 {
                    differences.push(format!("{name}: {count} of {} bytes differ", bytes.len()));
                }
            }
        }
    }
    differences
}
