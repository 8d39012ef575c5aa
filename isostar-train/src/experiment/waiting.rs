//! Outputs of an evaluation that wait on the device, to be read many at a time.

use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};
use isostar_core::DeviceMoments;

use crate::readback::{Gathered, host_for};

/// Largest number of batches whose outputs wait. The logits of 64 answers of 384 tokens take 200 kB.
const MOST: usize = 256;

/// Outputs of batches in their order, read from the device many at a time.
pub(super) struct Waiting<O> {
    outputs: Vec<O>,
    /// Where the numbers go; `None` if they are on the CPU.
    host: Option<Device>,
}

impl<O: Gathered> Waiting<O> {
    /// Outputs of a model on `device`.
    pub fn new(device: &Device) -> Self {
        Self {
            outputs: Vec::new(),
            host: host_for(device),
        }
    }

    /// Adds the output of a batch; returns the outputs whose numbers are on the CPU now.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn add(&mut self, output: O) -> Result<Vec<O>, TensorReadError> {
        self.outputs.push(output);
        match self.host {
            None => Ok(std::mem::take(&mut self.outputs)),
            Some(_) if self.outputs.len() == MOST => self.finish(&mut []),
            Some(_) => Ok(Vec::new()),
        }
    }

    /// Reads the waiting outputs, and the waiting moments of every stream in `moments`, in one
    /// transfer.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn finish(&mut self, moments: &mut [DeviceMoments]) -> Result<Vec<O>, TensorReadError> {
        let outputs = std::mem::take(&mut self.outputs);
        let transaction = moments
            .iter()
            .fold(Transaction::default(), |transaction, stream| {
                stream.register(transaction)
            });
        let transaction = outputs.iter().fold(transaction, |transaction, output| {
            output.register(transaction)
        });
        let mut read = transaction.try_execute()?.into_iter();
        for stream in moments {
            stream.absorb(&mut read)?;
        }
        let Some(host) = &self.host else {
            return Ok(outputs);
        };
        Ok(outputs
            .into_iter()
            .map(|output| output.placed(&mut read, host))
            .collect())
    }
}
