//! The states of a batch without dropout, for regularizers that ask for them.

use isostar_core::{Statistics, StepContext};
use isostar_kernels::Precision;

use super::Training;
use crate::data::RowBatch;
use crate::task::TaskModel;

impl<M: TaskModel> Training<'_, M> {
    /// Runs the batch of the next step in evaluation mode on the first device, in micro-batches, and
    /// gives the statistics of its states to the regularizer, if it asks for them.
    pub(super) fn measure_plain(&self, batch: &M::Batch) {
        let regularizer = self.hook.regularizer();
        let pooled = regularizer.as_ref().and_then(|of| of.pooled());
        let Some(pooled) = pooled.filter(|of| of.wants_plain(self.place.step as u64)) else {
            return;
        };
        let settings = self.settings();
        let model = self.model().inner().valid();
        let device = self.run.device.clone().without_autodiff();
        let rows = batch.count();
        let statistics = |first: usize| {
            let part = batch.part(first..rows.min(first + settings.batch_size));
            let part = part.to_device(&device);
            let states = Precision::from(settings.precision).scope(|| model.hidden_states(part));
            pooled.statistics(&states, &StepContext::default())
        };
        let parts = (0..rows).step_by(settings.batch_size).map(statistics);
        pooled.note_plain(&Statistics::merge(parts.collect()));
    }
}
