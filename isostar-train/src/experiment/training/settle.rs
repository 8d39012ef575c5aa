//! Taking the numbers of a step into the metrics of the epoch.

use burn::prelude::*;

use super::Training;
use super::reading::Reading;
use super::step::Outputs;
use crate::experiment::ExperimentError;
use crate::progress::Phase;
use crate::readback::host_for;
use crate::task::TaskModel;

impl<M: TaskModel> Training<'_, M> {
    /// Takes the numbers of a step, whose operations and those of the optimizer are queued.
    ///
    /// On a device, the numbers of the step before it are awaited, while this step runs. On the CPU,
    /// these numbers are here.
    pub(super) fn take(
        &mut self,
        reading: Reading<Outputs<M::Output>>,
    ) -> Result<(), ExperimentError> {
        let is_here = reading.is_here();
        self.settle()?;
        self.unsettled = Some(reading);
        if is_here { self.settle() } else { Ok(()) }
    }

    /// Awaits the numbers of the last step, if they are not here, and adds them to the metrics of the
    /// epoch. A snapshot and the end of an epoch need them.
    pub(super) fn settle(&mut self) -> Result<(), ExperimentError> {
        let Some(reading) = self.unsettled.take() else {
            return Ok(());
        };
        let (item, rows, place) = reading.wait()?.into_parts();
        let phase = Phase::Training {
            epoch: self.place.epochs + 1,
            epochs: self.run.settings.epochs,
        };
        let penalty = item.penalty.as_ref().map(|penalty| penalty.value.clone());
        let task_loss = item.task_loss.clone();
        let loss = self.meter.add(item, &phase, &mut self.display)?;
        self.warn_of(loss, &rows, place);
        if host_for(&self.run.device).is_some() {
            let penalty = penalty.map(Tensor::try_into_scalar::<f64>).transpose()?;
            self.hook
                .numbers_read(task_loss.try_into_scalar::<f64>()?, penalty);
        }
        Ok(())
    }
}
