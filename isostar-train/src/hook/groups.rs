//! The moments of the groups of layers that have a reference of their own.

use burn::prelude::*;
use burn::tensor::TensorReadError;
use isostar_core::{DeviceMoments, Moments, RunningMoments};

use super::settling::Settling;

/// A stream of moments for each group of layers: one for a union of layers.
pub(super) struct GroupStreams {
    streams: Vec<DeviceMoments>,
    settling: Vec<Settling>,
    limit: usize,
    tolerance: f64,
}

impl GroupStreams {
    /// Streams of which at most `limit` bytes wait on the device, and which settle at `tolerance`.
    pub(super) fn new(limit: usize, tolerance: f64) -> Self {
        Self {
            streams: Vec::new(),
            settling: Vec::new(),
            limit,
            tolerance,
        }
    }

    /// Adds a batch, of which there is one set of moments per group.
    pub(super) fn add(&mut self, batch: Vec<Moments>) -> Result<(), TensorReadError> {
        if self.streams.is_empty() {
            let limit = self.limit / batch.len();
            let stream = |moments: &Moments| DeviceMoments::new(moments.width()).with_limit(limit);
            self.streams = batch.iter().map(stream).collect();
            self.settling = batch
                .iter()
                .map(|_| Settling::new(self.tolerance))
                .collect();
        }
        for (stream, moments) in self.streams.iter_mut().zip(batch) {
            stream.add(moments)?;
        }
        Ok(())
    }

    /// Whether the covariances of all groups have settled, where `count` is the number of states of
    /// all groups together. The groups hold the same number of states.
    pub(super) fn have_settled(&mut self, count: usize) -> Result<bool, TensorReadError> {
        let count = count / self.streams.len().max(1);
        let mut have_settled = !self.streams.is_empty();
        for (settling, stream) in self.settling.iter_mut().zip(&self.streams) {
            have_settled &= settling.has_settled(count, stream)?;
        }
        Ok(have_settled)
    }

    /// The largest change that was below the tolerance.
    pub(super) fn change(&self) -> Option<f64> {
        let changes: Option<Vec<f64>> = self.settling.iter().map(Settling::change).collect();
        changes?.into_iter().reduce(f64::max)
    }

    /// The moments of each group.
    pub(super) fn read(&self) -> Result<Vec<RunningMoments>, TensorReadError> {
        self.streams.iter().map(DeviceMoments::read).collect()
    }
}

/// The covariances of the groups, one below the other, and the mean of their IsoScores.
///
/// # Panics
/// If a group has fewer than two states.
pub(super) fn reference_of(groups: &[RunningMoments], device: &Device) -> (Tensor<2>, Option<f64>) {
    let covariance = |group: &RunningMoments| {
        let covariance = group.covariance(device);
        covariance.expect("there are at least two states")
    };
    let scores: Option<Vec<f64>> = groups.iter().map(RunningMoments::isoscore).collect();
    let mean = scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64);
    let mut covariances: Vec<Tensor<2>> = groups.iter().map(covariance).collect();
    let reference = match covariances.len() {
        1 => covariances.remove(0),
        _ => Tensor::cat(covariances, 0),
    };
    (reference, mean)
}
