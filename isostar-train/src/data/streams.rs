//! Independent streams of random numbers, one for every seed, purpose and index.

use burn::tensor::Device;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What random numbers are drawn for; each purpose has streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// The batches of an epoch of training.
    Batches = 0,
    /// The sample from which the reference of an epoch is estimated.
    Sample = 1,
    /// The rows held out where a task has no split for validation.
    HoldOut = 2,
    /// The dropout masks of one training step.
    Dropout = 3,
    /// The fresh weights of a model.
    Weights = 1 << 63,
    /// The rows drawn where a run is limited to so many.
    Limit = 1 << 63 | 1,
}

/// A generator whose output is specified, so that a seed gives the same numbers on every platform.
///
/// # Arguments
/// - `index`: of the stream among those of its purpose, such as the epoch; below 2⁶¹
pub(super) fn generator(seed: u64, index: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    // Streams of one key never overlap, so index and purpose need no mixing with the seed. The two lowest bits and the highest are the purpose's.
    generator.set_stream(index << 2 | purpose as u64);
    generator
}

/// A seed for a device's own generator: the first number of a stream, so that neighbouring seeds and indices give unrelated ones.
pub(crate) fn device_seed(seed: u64, index: u64, purpose: Purpose) -> u64 {
    generator(seed, index, purpose).next_u64()
}

/// The streams that the dropout of one epoch draws from, one for every step.
#[derive(Debug, Clone, Copy)]
pub(super) struct DropoutStreams {
    pub seed: u64,
    /// Counted from 0, below 2²⁹.
    pub epoch: usize,
}

impl DropoutStreams {
    /// Seeds a device for the step that begins after `rows` rows of the epoch; counted in rows, the steps of slices of a loader differ as well.
    pub fn start_step(self, rows: usize, device: &Device) {
        // A loader has fewer than 2³² rows.
        device.seed(device_seed(self.seed, (self.epoch as u64) << 32 | rows as u64, Purpose::Dropout));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn seed_index_and_purpose_decide_the_numbers() {
        const PURPOSES: [Purpose; 6] =
            [Purpose::Batches, Purpose::Sample, Purpose::HoldOut, Purpose::Dropout, Purpose::Weights, Purpose::Limit];
        let mut seeds = HashSet::new();
        for purpose in PURPOSES {
            for (seed, index) in (0..20).flat_map(|seed| (0..20).map(move |index| (seed, index))) {
                assert!(seeds.insert(device_seed(seed, index, purpose)), "{purpose:?}, seed {seed}, index {index}");
                assert!(seeds.contains(&device_seed(seed, index, purpose)), "the same arguments give the same seed");
            }
        }
    }
}
