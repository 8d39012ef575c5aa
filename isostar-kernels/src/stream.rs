//! Random numbers for dropout, each a function of a key and an index.
//!
//! Any thread or device computes any part of a stream, and the backward pass computes it again
//! rather than keep it.

use burn::nn::Dropout;
use burn::prelude::*;
use burn::tensor::Distribution;

use crate::parts::next_key;

const LANES: usize = 16;

/// Random numbers that one evaluation of [`LANES`] generators gives.
pub(crate) const GROUP: usize = 8 * LANES;

/// The factors of one application of dropout: 0 with probability p, else 1/(1 − p).
///
/// ```text
///   factor i of key k:   i = 128 g + 16 j + l,  j < 8,  l < 16
///   w = Philox4x32-10(counter (16 g + l, 0), key k)
///   half j of w, the lower half of each word first  <  65536 (1 − p)
/// ```
///
/// Counter and key have 64 bits, the lower word first; the two upper words of the counter are 0.
/// The share that is kept is rounded to a multiple of 1/65536, and the factor is its inverse, so
/// that the expected value is exact.
///
/// # References
/// Salmon, Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    key: [u32; 2],
    threshold: u32,
    factor: f32,
    /// Number of factors before the first of this part of a batch.
    offset: usize,
}

impl Stream {
    /// The stream of one application on this device, keyed by the device's generator, so that
    /// `Device::seed` determines it; `None` if dropout does nothing there.
    ///
    /// # Arguments
    /// - `row`: number of factors of each row of the batch
    pub(crate) fn draw(settings: &Dropout, device: &Device, row: usize) -> Option<Self> {
        let acts = settings.prob > 0.0 && settings.training.is_enabled() && device.is_autodiff();
        acts.then(|| {
            let (key, rows_before) = next_key(|| key(&device.clone().without_autodiff()));
            Self {
                offset: rows_before * row,
                ..Self::new(1.0 - settings.prob, key)
            }
        })
    }

    pub(crate) fn new(keep: f64, key: u64) -> Self {
        let threshold = (keep * 65_536.0).round() as u32;
        Self {
            key: [key as u32, (key >> 32) as u32],
            threshold,
            factor: (65_536.0 / f64::from(threshold)) as f32,
            offset: 0,
        }
    }

    /// Writes the factors from `start` on.
    #[inline(always)]
    pub(crate) fn fill(&self, start: usize, factors: &mut [f32]) {
        let start = start + self.offset;
        let (mut group, mut skipped, mut rest) = ((start / GROUP) as u64, start % GROUP, factors);
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut(rest.len().min(GROUP - skipped));
            match <&mut [f32; GROUP]>::try_from(&mut *now) {
                Ok(whole) => self.group(group, whole),
                Err(_) => {
                    let mut whole = [0.0; GROUP];
                    self.group(group, &mut whole);
                    now.copy_from_slice(&whole[skipped..][..now.len()]);
                }
            }
            (group, skipped, rest) = (group + 1, 0, later);
        }
    }

    /// Multiplies numbers by the factors from `start` on.
    #[inline(always)]
    pub(crate) fn multiply(&self, start: usize, values: &mut [f32]) {
        let mut factors = [0.0; GROUP];
        for (group, values) in values.chunks_mut(GROUP).enumerate() {
            self.fill(start + group * GROUP, &mut factors[..values.len()]);
            for (value, factor) in values.iter_mut().zip(&factors) {
                *value *= factor;
            }
        }
    }

    #[inline(always)]
    fn group(&self, group: u64, factors: &mut [f32; GROUP]) {
        let counters: [u64; LANES] =
            core::array::from_fn(|lane| group * LANES as u64 + lane as u64);
        let [low, high] = [0, 32].map(|shift| counters.map(|counter| (counter >> shift) as u32));
        let words = philox([low, high, [0; LANES], [0; LANES]], self.key);
        for (half, factors) in factors.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for (factor, word) in factors.iter_mut().zip(&words[half / 2]) {
                let number = if half % 2 == 0 {
                    word & 0xffff
                } else {
                    word >> 16
                };
                *factor = if number < self.threshold {
                    self.factor
                } else {
                    0.0
                };
            }
        }
    }
}

/// Returns 64 random bits of the device's generator.
fn key(device: &Device) -> u64 {
    /// An f32 has 24 bits of precision; of three times 24 bits, the first eight are shifted out.
    const RANGE: f64 = (1 << 24) as f64;
    let parts =
        Tensor::<1>::random([3], Distribution::Uniform(0.0, RANGE), device).into_data_as::<f32>();
    parts
        .iter::<f32>()
        .fold(0, |key, part| (key << 24) | part as u64)
}

/// Philox4x32-10 of many counters, the words of each at one index of the four arrays.
#[inline(always)]
fn philox<const N: usize>(mut words: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..10 {
        let [one, two, three, four] = words;
        for lane in 0..N {
            let first = 0xd251_1f53 * u64::from(one[lane]);
            let second = 0xcd9e_8d57 * u64::from(three[lane]);
            words[0][lane] = (second >> 32) as u32 ^ two[lane] ^ key[0];
            words[1][lane] = second as u32;
            words[2][lane] = (first >> 32) as u32 ^ four[lane] ^ key[1];
            words[3][lane] = first as u32;
        }
        key = [
            key[0].wrapping_add(0x9e37_79b9),
            key[1].wrapping_add(0xbb67_ae85),
        ];
    }
    words
}

/// Normally distributed numbers for tests, a function of the key alone: the generator of a device is
/// shared by tests that run at once.
#[cfg(test)]
pub(crate) fn normal(count: usize, key: u32) -> Vec<f32> {
    let pairs = (0..count.div_ceil(2)).flat_map(|at| {
        let words = philox([[at as u32], [0], [0], [0]], [key, 0]);
        let [one, two, _, _] = words.map(|[word]| (f64::from(word) + 0.5) / 2f64.powi(32));
        let (radius, angle) = ((-2.0 * one.ln()).sqrt(), std::f64::consts::TAU * two);
        [radius * angle.cos(), radius * angle.sin()]
    });
    pairs.take(count).map(|number| number as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(keep: f64, key: u64, start: usize, count: usize) -> Vec<f32> {
        let mut factors = vec![f32::NAN; count];
        Stream::new(keep, key).fill(start, &mut factors);
        factors
    }

    #[test]
    fn the_generator_is_philox() {
        // The known answers of the authors' Random123, kat_vectors.
        let answers = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in answers {
            assert_eq!(
                philox(counter.map(|word: u32| [word]), key),
                expected.map(|word: u32| [word])
            );
        }
    }

    #[test]
    fn a_part_of_a_stream_does_not_depend_on_where_it_starts() {
        let whole = factors(0.5, 3, 0, 1_000);
        for (start, count) in [
            (0, 1),
            (5, 300),
            (127, 2),
            (128, 128),
            (256, 744),
            (999, 1),
            (17, 0),
        ] {
            assert_eq!(factors(0.5, 3, start, count), whole[start..start + count]);
        }
    }

    #[test]
    fn the_right_share_is_kept_and_scaled() {
        const COUNT: usize = 1_000_001;
        for keep in [0.9, 0.5] {
            let values = factors(keep, 7, 0, COUNT);
            assert!(
                values
                    .iter()
                    .all(|value| *value == 0.0 || (f64::from(*value) * keep - 1.0).abs() < 1e-5)
            );
            let share = values.iter().filter(|value| **value > 0.0).count() as f64 / COUNT as f64;
            // Five standard errors.
            assert!(
                (share - keep).abs() < 5.0 * (keep * (1.0 - keep) / COUNT as f64).sqrt(),
                "{share}"
            );
        }
        assert!(factors(0.0, 7, 0, 1_000).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn streams_of_different_keys_and_neighbours_of_one_are_independent() {
        const COUNT: usize = 1_000_000;
        let both = |one: &[f32], two: &[f32]| {
            one.iter()
                .zip(two)
                .filter(|(one, two)| **one > 0.0 && **two > 0.0)
                .count() as f64
        };
        let [one, two] = [7, 8].map(|key| factors(0.5, key, 0, COUNT));
        let pairs = [
            (&one[..], &two[..]),
            (&one[1..], &one[..COUNT - 1]),
            (&one[16..], &one[..COUNT - 16]),
            (&one[128..], &one[..COUNT - 128]),
        ];
        for (one, two) in pairs {
            let count = one.len() as f64;
            let share = both(one, two) / count;
            assert!(
                (share - 0.25).abs() < 5.0 * (0.25f64 * 0.75 / count).sqrt(),
                "{share}"
            );
        }
    }
}
