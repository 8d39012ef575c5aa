//! Independent random number streams, one for each seed, purpose and index.

use burn::tensor::Device;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// Purpose of a random number stream; different purposes have different streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// Batches of a training epoch.
    Batches = 0,
    /// Calibration sample of an epoch, from which the reference is estimated.
    Sample = 1,
    /// Rows held out if a task has no validation split.
    HoldOut = 2,
    /// Dropout masks of a training step.
    Dropout = 3,
    /// Initial weights of a model.
    Weights = 1 << 63,
    /// Rows drawn if a run is limited to a number of rows.
    Limit = 1 << 63 | 1,
}

/// Generator with a specified algorithm, so that a seed gives the same numbers on every platform.
///
/// # Arguments
/// - `index`: index of the stream among those of its purpose, such as the epoch; below 2⁶¹
pub(super) fn generator(seed: u64, index: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    // Streams with the same key never overlap, so index and purpose need not be mixed with the
    // seed. The purpose occupies the two lowest bits and the highest bit.
    generator.set_stream(index << 2 | purpose as u64);
    generator
}

/// Seed for a device's own generator: the first number of a stream, so that neighbouring seeds and
/// indices give unrelated values.
pub(crate) fn device_seed(seed: u64, index: u64, purpose: Purpose) -> u64 {
    generator(seed, index, purpose).next_u64()
}

/// Dropout streams of one epoch, one for each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct DropoutStreams {
    pub seed: u64,
    /// Epoch, counted from 0; below 2²⁹.
    pub epoch: usize,
}

impl DropoutStreams {
    /// Seeds the device for the step that begins after `rows` rows of the epoch.
    ///
    /// Steps are identified by rows so that the slices of a loader have different streams too.
    pub fn start_step(self, rows: usize, device: &Device) {
        // A loader has fewer than 2³² rows.
        device.seed(device_seed(
            self.seed,
            (self.epoch as u64) << 32 | rows as u64,
            Purpose::Dropout,
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn seed_index_and_purpose_decide_the_numbers() {
        const PURPOSES: [Purpose; 6] = [
            Purpose::Batches,
            Purpose::Sample,
            Purpose::HoldOut,
            Purpose::Dropout,
            Purpose::Weights,
            Purpose::Limit,
        ];
        let mut seeds = HashSet::new();
        for purpose in PURPOSES {
            for (seed, index) in (0..20).flat_map(|seed| (0..20).map(move |index| (seed, index))) {
                assert!(
                    seeds.insert(device_seed(seed, index, purpose)),
                    "{purpose:?}, seed {seed}, index {index}"
                );
                assert!(
                    seeds.contains(&device_seed(seed, index, purpose)),
                    "the same arguments give the same seed"
                );
            }
        }
    }
}
