//! The numbers of a step, on their way from the device to the host.

use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};

use crate::experiment::snapshot::Place;
use crate::hook::RegularizedOutput;
use crate::readback::{Gathered, host_for};
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

    /// Whether the numbers are on the host.
    pub fn is_here(&self) -> bool {
        self.transfer.is_none()
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

    /// Returns the output, the rows of the batch, and the place before the step.
    pub fn into_parts(self) -> (RegularizedOutput<O>, Vec<u32>, Place) {
        (self.item, self.rows, self.place)
    }
}
