//! Random numbers of tests, which do not depend on other tests that run at the same time.

use burn::prelude::*;

/// Normal numbers: the sum of twelve uniform ones of a linear congruential generator.
pub(crate) struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }

    pub fn tensor<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let numbers = (0..shape.iter().product()).map(|_| self.next() as f32);
        Tensor::from_data(TensorData::new(numbers.collect::<Vec<_>>(), shape), device)
    }
}
