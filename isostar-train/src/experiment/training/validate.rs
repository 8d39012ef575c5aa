//! The validation at the end of an epoch.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::train::InferenceStep;

use super::Training;
use super::meter::ValidationMeter;
use crate::data::BatchLoader;
use crate::experiment::ExperimentError;
use crate::experiment::evaluate::EVALUATION_BATCH;
use crate::experiment::turns::{Evaluated, in_turns};
use crate::progress::Phase;
use crate::task::TaskModel;

impl<M: TaskModel> Training<'_, M> {
    /// Returns the metrics of the validation rows, and the seconds it took.
    pub(super) fn validate(
        &mut self,
        phase: &Phase,
    ) -> Result<(BTreeMap<String, f64>, f64), ExperimentError> {
        let began = Instant::now();
        let model = self.model().valid();
        let loader = BatchLoader::evaluation(
            self.prepared.dev.source.clone(),
            EVALUATION_BATCH,
            &self.run.device.clone().without_autodiff(),
        );
        self.display.begin(phase, loader.rows());
        // Also makes the hook compute the moments of the batches.
        let _ = self.hook.isoscore_metric();
        let evaluator = self.prepared.dev.evaluator();
        let mut meter = ValidationMeter::<M>::new(&self.run.metrics, evaluator, &self.run.device);
        let run = self.run;
        let compute = |batch| {
            let item = InferenceStep::step(&model, batch);
            Evaluated {
                moments: item.moments.into_iter().collect(),
                output: item.output,
            }
        };
        let mut done = 0;
        let take = |evaluated: Evaluated<M::Output>| {
            if self.hook.divergence().is_some() {
                return Err(self.ended(None));
            }
            done += M::losses(&evaluated.output).dims()[0];
            meter.add(evaluated, phase, &mut self.display)?;
            self.display.advance(phase, done);
            self.stop_if_requested()
        };
        let unread = |error: DatasetError| ExperimentError::Batch {
            message: error.to_string(),
        };
        let batches = loader.iter().map(|batch| batch.map_err(unread));
        in_turns(&run.world, &run.device, batches, compute, take)?;
        let metrics = meter.metrics()?;
        self.display.finals(phase, &metrics);
        self.display.end(phase);
        Ok((metrics, began.elapsed().as_secs_f64()))
    }
}
