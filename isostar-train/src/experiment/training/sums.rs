//! Sums of training metrics, which a snapshot holds to the last bit.

use serde::{Deserialize, Serialize};

/// Sum of numbers with counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Sum {
    #[serde(with = "bits")]
    sum: f64,
    count: usize,
}

impl Sum {
    /// Adds the mean of `count` numbers.
    pub fn add(&mut self, mean: f64, count: usize) {
        self.sum += mean * count as f64;
        self.count += count;
    }

    /// Returns the mean; `None` before the first number.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Sums of the numbers of an epoch's training steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Sums {
    /// Task loss, per row.
    pub loss: Sum,
    /// Penalty, per step.
    pub penalty: Sum,
    /// Measure of the regularizer, per step.
    pub measure: Sum,
}

/// Numbers as their bits: JSON has neither NaN nor infinities.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_sum_continues_to_the_last_bit() {
        for number in [0.1, -1e300, 1e-310, f64::NAN, f64::NEG_INFINITY] {
            let mut sum = Sum::default();
            sum.add(number, 3);
            let mut stored: Sum =
                serde_json::from_str(&serde_json::to_string(&sum).unwrap()).unwrap();
            for sum in [&mut sum, &mut stored] {
                sum.add(0.7, 5);
            }
            assert_eq!(
                sum.mean().unwrap().to_bits(),
                stored.mean().unwrap().to_bits()
            );
        }
        assert_eq!(Sum::default().mean(), None);
    }
}
