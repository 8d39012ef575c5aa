//! The numbers of a step, on their way from the device to the host.

use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};

use super::Training;
use super::step::Outputs;
use crate::experiment::ExperimentError;
use crate::experiment::snapshot::Place;
use crate::hook::RegularizedOutput;
use crate::progress::Phase;
use crate::readback::{Gathered, host_for};
use crate::task::TaskModel;
use crate::transfer::Transfer;

/// The output of a step, whose numbers are read in one transfer.
pub(super) struct Reading<O> {
    item: RegularizedOutput<O>,
    /// The transfer and where its numbers go; `None` if they are on the host.
    transfer: Option<(Transfer, Device)>,
    rows: Vec<u32>,
    /// The place before the step.
    place: Place,
}

impl<O: Gathered> Reading<O> {
    /// The output of a step that began at `place`. Nothing is read yet.
    pub fn new(item: RegularizedOutput<O>, rows: Vec<u32>, place: Place) -> Self {
        Self {
            item,
            transfer: None,
            rows,
            place,
        }
    }

    /// Begins to read the numbers, unless they are on the host.
    pub fn begin(self) -> Self {
        let transfer = host_for(&self.item.task_loss.device()).map(|host| {
            let transaction = self.item.register(Transaction::default());
            (Transfer::begin(transaction), host)
        });
        Self { transfer, ..self }
    }

    /// Waits for the numbers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn wait(self) -> Result<Self, TensorReadError> {
        let item = match self.transfer {
            Some((transfer, host)) => {
                let read = transfer.wait()?;
                self.item.placed(&mut read.into_iter(), &host)
            }
            None => self.item,
        };
        Ok(Self {
            item,
            transfer: None,
            ..self
        })
    }

    pub fn item(&self) -> &RegularizedOutput<O> {
        &self.item
    }

    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    pub fn place(&self) -> Place {
        self.place
    }
}

impl<M: TaskModel> Training<'_, M> {
    /// Takes the numbers of a step, whose operations and those of the optimizer are queued.
    ///
    /// On a device, the numbers of the step before it are awaited, while this step runs. On the CPU,
    /// these numbers are here.
    pub(super) fn take(
        &mut self,
        reading: Reading<Outputs<M::Output>>,
    ) -> Result<(), ExperimentError> {
        let is_here = reading.transfer.is_none();
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
        let Reading {
            item, rows, place, ..
        } = reading.wait()?;
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
