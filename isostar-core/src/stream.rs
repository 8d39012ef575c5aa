//! Random numbers that are a function of a key and an index.

/// A stream of random numbers, each a function of a key and an index: the devices of a step draw
/// the same ones, and a step that is repeated draws them again.
///
/// Uses SplitMix64 (Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: u64,
}

/// Increment of SplitMix64, 2⁶⁴ over the golden ratio.
const INCREMENT: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of SplitMix64.
fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

impl Stream {
    /// The stream of a seed and a step; `purpose` keeps the streams of different uses apart.
    pub fn new(seed: u64, step: u64, purpose: u64) -> Self {
        let key = [seed, step, purpose].into_iter().fold(0, |key: u64, part| {
            mix(key.wrapping_add(INCREMENT) ^ mix(part.wrapping_add(INCREMENT)))
        });
        Self { key }
    }

    /// The number at an index.
    pub fn at(self, index: u64) -> u64 {
        mix(self
            .key
            .wrapping_add(index.wrapping_add(1).wrapping_mul(INCREMENT)))
    }

    /// The number at an index, uniform in (0, 1).
    fn uniform(self, index: u64) -> f64 {
        ((self.at(index) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// `count` standard normal numbers, by Box–Muller.
    pub fn normal(self, count: usize) -> Vec<f32> {
        let pairs = (0..count.div_ceil(2) as u64).flat_map(|pair| {
            let radius = (-2.0 * self.uniform(2 * pair).ln()).sqrt();
            let (sine, cosine) = (core::f64::consts::TAU * self.uniform(2 * pair + 1)).sin_cos();
            [(radius * cosine) as f32, (radius * sine) as f32]
        });
        pairs.take(count).collect()
    }

    /// `count` different numbers below `total`, in ascending order; all of them, if there are no
    /// more. Every set of this size has the same probability (Floyd's algorithm).
    pub fn sample(self, total: usize, count: usize) -> Vec<usize> {
        if count >= total {
            return (0..total).collect();
        }
        let mut chosen = std::collections::BTreeSet::new();
        for top in total - count..total {
            // The bias of a remainder is below 2⁻³² for fewer than 2³² numbers.
            let number = (self.at(top as u64) % (top as u64 + 1)) as usize;
            if !chosen.insert(number) {
                chosen.insert(top);
            }
        }
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_different_seeds_steps_and_purposes_differ() {
        let numbers = |seed, step, purpose| Stream::new(seed, step, purpose).at(0);
        let mut all = std::collections::HashSet::new();
        for seed in 0..20 {
            for step in 0..20 {
                for purpose in 0..3 {
                    assert!(all.insert(numbers(seed, step, purpose)));
                }
            }
        }
    }

    #[test]
    fn samples_are_sets_of_the_given_size_and_every_number_is_as_likely() {
        let mut hits = [0; 10];
        for step in 0..5_000 {
            let sample = Stream::new(1, step, 0).sample(10, 3);
            assert_eq!(sample.len(), 3);
            assert!(sample.windows(2).all(|pair| pair[0] < pair[1]) && sample[2] < 10);
            sample.into_iter().for_each(|number| hits[number] += 1);
        }
        // 1,500 expected, standard deviation 32.
        assert!(
            hits.iter().all(|hits| (1_370..1_630).contains(hits)),
            "{hits:?}"
        );
        assert_eq!(Stream::new(1, 0, 0).sample(4, 9), [0, 1, 2, 3]);
    }

    #[test]
    fn normal_numbers_have_mean_0_variance_1_and_kurtosis_3() {
        let numbers = Stream::new(3, 7, 1).normal(100_001);
        assert_eq!(numbers.len(), 100_001);
        let moment = |power: i32| {
            let powers = numbers.iter().map(|number| f64::from(*number).powi(power));
            powers.sum::<f64>() / numbers.len() as f64
        };
        assert!(moment(1).abs() < 0.015 && moment(3).abs() < 0.05);
        assert!((moment(2) - 1.0).abs() < 0.02 && (moment(4) - 3.0).abs() < 0.15);
    }
}
