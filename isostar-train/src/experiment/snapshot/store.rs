//! The folder of a run's snapshots.
//!
//! A snapshot is a folder `step-N`. It is written to `.writing-step-N`, synced, and renamed; one that
//! is removed is renamed first. A process that is killed at any instant therefore leaves whole
//! snapshots, and folders with a dot that the next start removes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::ExperimentError;
use super::super::disk::{sync_folder, write_error, write_synced};
use super::manifest::{MANIFEST, Manifest};
use super::{Parts, SnapshotNote, State};

const WRITING: &str = ".writing-";
const REPLACED: &str = ".replaced-";
const REMOVING: &str = ".removing-";

/// The snapshots of a run.
#[derive(Clone, Debug)]
pub(in crate::experiment) struct SnapshotStore {
    path: PathBuf,
}

impl SnapshotStore {
    /// The snapshots in a folder, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the folder of a snapshot.
    pub fn folder(&self, step: usize) -> PathBuf {
        self.path.join(format!("step-{step}"))
    }

    /// Returns the steps of all snapshots, newest first. They may be damaged.
    pub fn steps(&self) -> Vec<usize> {
        let mut steps: Vec<usize> = self
            .names()
            .iter()
            .filter_map(|name| name.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable_by(|one, other| other.cmp(one));
        steps
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Number of completed epochs according to the newest snapshot with a whole manifest; its files
    /// are not read.
    pub fn epochs(&self) -> usize {
        self.steps()
            .into_iter()
            .find_map(|step| Manifest::read(&self.folder(step)).ok())
            .map_or(0, |manifest| manifest.epochs)
    }

    /// Returns the state in the newest snapshot whose manifest and state are whole, without its
    /// tensors.
    pub fn newest_state(&self) -> Option<State> {
        self.steps().into_iter().find_map(|step| {
            let folder = self.folder(step);
            State::read(&folder, &Manifest::read(&folder).ok()?).ok()
        })
    }

    /// Returns the faults of a snapshot; none if it is whole.
    pub fn faults(&self, step: usize) -> Vec<String> {
        let folder = self.folder(step);
        match Manifest::read(&folder) {
            Ok(manifest) if manifest.step != step => {
                vec![format!("{MANIFEST} belongs to step {}", manifest.step)]
            }
            Ok(manifest) => manifest.faults(&folder),
            Err(fault) => vec![fault],
        }
    }

    /// Reads the newest whole snapshot. Each damaged one, older ones included, is reported with its
    /// faults.
    pub fn newest(&self, damaged: &dyn Fn(SnapshotNote<'_>)) -> Option<Parts> {
        let (step, parts) = self.steps().into_iter().find_map(|step| {
            let read = match &self.faults(step)[..] {
                [] => self.read(step),
                faults => Err(faults.join("; ")),
            };
            let read = read.map_err(|fault| {
                damaged(SnapshotNote {
                    folder: &self.folder(step),
                    fault: &fault,
                })
            });
            Some((step, read.ok()?))
        })?;
        self.report_damaged(step, damaged);
        Some(parts)
    }

    /// Reports the damaged snapshots before a step.
    pub fn report_damaged(&self, before: usize, damaged: &dyn Fn(SnapshotNote<'_>)) {
        for step in self.steps().into_iter().filter(|step| *step < before) {
            let faults = self.faults(step);
            if !faults.is_empty() {
                damaged(SnapshotNote {
                    folder: &self.folder(step),
                    fault: &faults.join("; "),
                });
            }
        }
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// If a file cannot be read or parsed; the message names it.
    pub fn read(&self, step: usize) -> Result<Parts, String> {
        Parts::read(&self.folder(step))
    }

    /// Removes what interrupted processes have left: unfinished and half-removed snapshots.
    ///
    /// # Errors
    /// If the system fails to remove them.
    pub fn sweep(&self) -> Result<(), ExperimentError> {
        for name in self.names() {
            let path = self.path.join(&name);
            // Stopped between the two renames that replace a snapshot: the old one is still whole.
            if let Some(replaced) = name.strip_prefix(REPLACED)
                && !self.path.join(replaced).exists()
            {
                fs::rename(&path, self.path.join(replaced)).map_err(ExperimentError::io(&path))?;
            } else if [WRITING, REPLACED, REMOVING]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                fs::remove_dir_all(&path).map_err(ExperimentError::io(&path))?;
            }
        }
        Ok(())
    }

    /// Writes a snapshot, and removes all but the `keep` newest and the best.
    ///
    /// # Errors
    /// If the system fails to write it; earlier snapshots are kept.
    pub fn write(
        &self,
        parts: Parts,
        score: Option<f64>,
        keep: usize,
    ) -> Result<(), ExperimentError> {
        let place = parts.state.place;
        fs::create_dir_all(&self.path).map_err(ExperimentError::io(&self.path))?;
        let name = format!("step-{}", place.step);
        let beside = self.path.join(format!("{WRITING}{name}"));
        remove_folder(&beside).map_err(ExperimentError::io(&beside))?;
        let manifest = Manifest {
            step: place.step,
            epochs: place.epochs,
            score,
            files: Default::default(),
        };
        if let Err(error) = self
            .write_files(&beside, manifest, parts)
            .and_then(|()| self.publish(&beside, &name))
        {
            // The disk may be full: make room for what the user does next.
            let _ = remove_folder(&beside);
            return Err(error);
        }
        self.prune(place.step, keep)
    }

    fn write_files(
        &self,
        folder: &Path,
        manifest: Manifest,
        parts: Parts,
    ) -> Result<(), ExperimentError> {
        fs::create_dir(folder).map_err(ExperimentError::io(folder))?;
        let need = parts.bytes;
        let manifest = Manifest {
            files: parts.write(folder)?,
            ..manifest
        };
        let path = folder.join(MANIFEST);
        write_synced(&path, manifest.to_json().as_bytes()).map_err(write_error(&path, need))?;
        sync_folder(folder).map_err(ExperimentError::io(folder))
    }

    /// Gives a written folder its name.
    fn publish(&self, beside: &Path, name: &str) -> Result<(), ExperimentError> {
        let (target, replaced) = (
            self.path.join(name),
            self.path.join(format!("{REPLACED}{name}")),
        );
        let failed = |error| ExperimentError::io(&target)(error);
        if target.exists() {
            remove_folder(&replaced).map_err(failed)?;
            fs::rename(&target, &replaced).map_err(failed)?;
        }
        fs::rename(beside, &target).map_err(failed)?;
        sync_folder(&self.path).map_err(failed)?;
        remove_folder(&replaced).map_err(failed)
    }

    fn prune(&self, newest: usize, keep: usize) -> Result<(), ExperimentError> {
        // A step beyond the newest one is a damaged snapshot that was passed over.
        let older: Vec<usize> = self
            .steps()
            .into_iter()
            .filter(|step| *step <= newest)
            .collect();
        let score = |step: &usize| Manifest::read(&self.folder(*step)).ok()?.score;
        let scored = older.iter().filter_map(|step| Some((score(step)?, *step)));
        let best = scored
            .max_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)))
            .map(|(_, step)| step);
        let kept = |step: &usize| {
            older.iter().take(keep.max(1)).any(|newer| newer == step) || best == Some(*step)
        };
        for step in self.steps().into_iter().filter(|step| !kept(step)) {
            let (from, to) = (
                self.folder(step),
                self.path.join(format!("{REMOVING}step-{step}")),
            );
            let removed = remove_folder(&to)
                .and_then(|()| fs::rename(&from, &to))
                .and_then(|()| remove_folder(&to));
            removed.map_err(ExperimentError::io(&from))?;
        }
        Ok(())
    }
}

/// Removes a folder, if it exists.
fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use burn::module::Module;
    use burn::nn::LinearConfig;
    use burn::optim::AdamWConfig;
    use burn::prelude::*;

    use super::super::{Before, Place};
    use super::*;
    use crate::experiment::training::{RecentLosses, Seconds, Sums};
    use crate::experiment::{IsoScores, SplitReport, TrainOptions, TrainSettings};

    fn parts(step: usize) -> Parts {
        let report = SplitReport {
            rows: 1,
            metrics: Default::default(),
            task_loss: f64::NAN,
            isoscore: IsoScores::default(),
            predictions: Vec::new(),
        };
        let state = State {
            regularizer: Default::default(),
            settings: TrainSettings::resolve(TrainOptions::default()),
            rows: String::new(),
            place: Place {
                epochs: step / 4,
                batch: step % 4,
                step,
            },
            sums: Sums::default(),
            split_seconds: 0.0,
            seconds: Seconds::default(),
            lines: vec![format!("line {step}")],
            before: Before::new(&report),
            losses: RecentLosses::default(),
            task_losses: Vec::new(),
            penalties: Vec::new(),
            is_collapse_reported: false,
            batches: 4,
            processes: 1,
        };
        let model = LinearConfig::new(2, 2)
            .init(&Device::default())
            .into_record();
        let reference = Some(TensorData::from([[1.0_f32, 2.0], [3.0, 4.0]]));
        Parts {
            regularizer: Vec::new(),
            model,
            optimizer: AdamWConfig::new().init().to_record(),
            state,
            reference,
            answers: Some(vec![step as u8]),
            bytes: 0,
        }
    }

    fn written(steps: &[(usize, Option<f64>)], keep: usize) -> (tempfile::TempDir, SnapshotStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = SnapshotStore::at(folder.path().join("checkpoint"));
        for (step, score) in steps {
            store.write(parts(*step), *score, keep).unwrap();
        }
        (folder, store)
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let (_kept, store) = written(&[(7, None)], 2);
        let found = store.newest(&|damaged| panic!("{damaged}")).unwrap();
        assert_eq!(
            found.state.place,
            Place {
                epochs: 1,
                batch: 3,
                step: 7
            }
        );
        assert_eq!(
            (found.state.lines, found.answers),
            (vec!["line 7".to_string()], Some(vec![7]))
        );
        assert_eq!(
            found.reference.unwrap().iter::<f32>().collect::<Vec<_>>(),
            [1.0, 2.0, 3.0, 4.0]
        );
        assert!(found.state.before.report().task_loss.is_nan());
    }

    #[test]
    fn the_newest_snapshots_and_the_best_are_kept() {
        let (_kept, store) = written(
            &[
                (4, Some(0.5)),
                (8, Some(0.9)),
                (12, Some(0.7)),
                (14, None),
                (16, Some(0.8)),
            ],
            2,
        );
        assert_eq!(store.steps(), [16, 14, 8]);
        assert_eq!(store.epochs(), 4);
        // Of equal scores, the newer one counts; a step beyond the newest one was passed over.
        store.write(parts(15), Some(0.9), 1).unwrap();
        assert_eq!(store.steps(), [15]);
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let (_kept, store) = written(&[(4, None), (8, None)], 2);
        let at = |name: &str| store.path.join(name);
        for name in [".writing-step-12", ".removing-step-2", ".replaced-step-4"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("model.bpk"), "half").unwrap();
        }
        // Killed between the two renames that replace step 8.
        fs::rename(at("step-8"), at(".replaced-step-8")).unwrap();
        store.sweep().unwrap();
        let mut names = store.names();
        names.sort();
        assert_eq!(names, ["step-4", "step-8"]);
        assert!(store.faults(8).is_empty());
    }

    #[test]
    fn a_damaged_snapshot_is_reported_and_the_one_before_it_read() {
        let (_kept, store) = written(&[(4, None), (8, None), (12, None)], 3);
        fs::write(store.folder(12).join("state.json"), "{}").unwrap();
        fs::remove_file(store.folder(4).join(MANIFEST)).unwrap();
        let notes = RefCell::new(Vec::new());
        let found = store
            .newest(&|damaged| notes.borrow_mut().push(damaged.to_string()))
            .unwrap();
        assert_eq!(found.state.place.step, 8);
        let notes = notes.into_inner();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].contains("step-12 is passed over: state.json is damaged: it has 2 bytes"),
            "{notes:?}"
        );
        assert!(
            notes[1].contains("step-4 is passed over: manifest.json"),
            "{notes:?}"
        );
        // A snapshot under the name of another step is not believed.
        fs::rename(store.folder(8), store.folder(16)).unwrap();
        assert_eq!(store.faults(16), ["manifest.json belongs to step 8"]);
    }
}
