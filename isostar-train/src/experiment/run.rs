//! What every part of a run works with.

use std::sync::Arc;

use burn::prelude::*;
use isostar_core::Regularizer;

use super::limits::Limits;
use super::prepare::Work;
use super::snapshot::Parts;
use super::{Experiment, ExperimentError, Observer, RunFolder, RunLock, TrainSettings};
use crate::data::TrainingOrder;
use crate::progress::Stop;
use crate::task::TaskMetric;
use crate::world::World;

/// Data of a run other than its model and rows.
pub(super) struct Run {
    pub settings: TrainSettings,
    pub name: String,
    pub metrics: Vec<TaskMetric>,
    pub regularizer: Option<Arc<dyn Regularizer>>,
    pub device: Device,
    pub folder: RunFolder,
    pub limits: Arc<Limits>,
    /// The lock of the folder; `None` for a replay, and in every process but the first.
    pub lock: Option<RunLock>,
    pub observer: Arc<dyn Observer>,
    /// The processes that share the run.
    pub world: World,
}

impl Experiment {
    /// The model and rows, and a run of a single process, without limits or a lock.
    pub(super) fn into_run(self, folder: &RunFolder, observer: Arc<dyn Observer>) -> (Run, Work) {
        let run = Run {
            settings: self.settings,
            name: self.task.name,
            metrics: self.task.metrics,
            regularizer: self.regularizer,
            device: self.device,
            folder: folder.clone(),
            limits: Arc::default(),
            lock: None,
            observer,
            world: World::alone(),
        };
        (run, self.work)
    }
}

impl Run {
    /// Order of the rows, from an epoch on, counted from 0.
    pub fn order(&self, first_epoch: usize) -> TrainingOrder {
        let TrainSettings { batching, seed, .. } = self.settings;
        let batch_size = self.settings.rows_per_step();
        TrainingOrder {
            batch_size,
            batching,
            seed,
            first_epoch,
        }
    }

    /// Checks that a snapshot belongs to a run with these settings and rows.
    pub fn check_origin(&self, parts: &Parts, rows: &str) -> Result<(), ExperimentError> {
        let path = self.folder.path().to_path_buf();
        let keys = parts.state.settings.contradicted_by(&self.settings);
        match keys.is_empty() {
            false => Err(ExperimentError::OtherSettings { path, keys }),
            true if parts.state.rows != rows => Err(ExperimentError::OtherRows { path }),
            true => Ok(()),
        }
    }

    /// Returns the error of a run that a signal has ended.
    pub fn interrupted(&self, stop: Stop, step: usize, steps: usize) -> ExperimentError {
        ExperimentError::Interrupted {
            path: Some(self.folder.path().into()),
            stop,
            step,
            steps,
        }
    }

    /// Returns the error of a run that has ended early.
    pub fn stopped(&self, done: usize, reason: String) -> ExperimentError {
        ExperimentError::Stopped {
            path: self.folder.path().into(),
            done,
            epochs: self.settings.epochs,
            reason,
        }
    }
}
