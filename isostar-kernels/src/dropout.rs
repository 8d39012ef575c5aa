//! Dropout as one operation.
//!
//! # Upstream
//! No issue is filed: burn-nn 0.22.1 multiplies by the mask and by the scale separately, and flex
//! draws the mask from a cryptographic generator.

use burn::nn::Dropout;
use burn::prelude::*;
use burn::tensor::Distribution;

/// Zeroes each element with probability p and divides the others by 1 − p, in training only.
///
/// ```text
///   y = x · m        dy/dx = m        m = 1/(1 − p) with probability 1 − p, else 0
/// ```
///
/// Replaces Burn's `Dropout::forward` and takes its settings. The scale is part of the random mask,
/// so the tape records one operation instead of two. On flex, in f32, each number of the mask is a
/// function of its index and of a key: all threads compute it, and the backward pass computes it
/// again. `Device::seed` determines the masks.
pub fn dropout<const D: usize>(settings: &Dropout, input: Tensor<D>) -> Tensor<D> {
    let device = input.device();
    if settings.prob == 0.0 || !settings.training.is_enabled() || !device.is_autodiff() {
        return input;
    }
    #[cfg(feature = "flex")]
    if crate::flex::holds(&input) {
        let row = input.dims()[1..].iter().product();
        let stream = crate::stream::Stream::draw(settings, &device, row).expect("dropout acts");
        return Tensor::from_dispatch(flex::masked(input.into_dispatch(), stream));
    }
    let keep = 1.0 - settings.prob;
    let plain = device.without_autodiff();
    let mask = Tensor::random(
        input.shape(),
        Distribution::Bernoulli(keep),
        (&plain, input.dtype()),
    ) * (1.0 / keep);
    input * mask
}

#[cfg(feature = "flex")]
mod flex {
    use burn::backend::DispatchTensor;
    use burn::backend::flex::FlexTensor;

    use crate::flex::CHUNK;
    use crate::stream::Stream;
    use crate::tape::{Operation, apply, changed};
    use crate::wide::wide;

    pub(super) fn masked(input: DispatchTensor, stream: Stream) -> DispatchTensor {
        apply(Masked(stream), [input])
    }

    /// The product with the factors of a stream.
    #[derive(Clone, Debug)]
    struct Masked(Stream);

    impl Operation<1> for Masked {
        type Saved = ();

        fn forward(&self, [input]: [FlexTensor; 1], _: [bool; 1]) -> (FlexTensor, ()) {
            (self.masked(input), ())
        }

        fn backward(self, (): (), gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
            [Some(self.masked(gradient))]
        }
    }

    impl Masked {
        fn masked(&self, input: FlexTensor) -> FlexTensor {
            changed(input, CHUNK, |chunk, values| {
                mask(values, &self.0, chunk * CHUNK)
            })
        }
    }

    wide! {
        /// Multiplies numbers by the factors from `start` on.
        fn mask<'a>(values: &'a mut [f32], stream: &'a Stream, start: usize) {
            stream.multiply(start, values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "flex")]
    fn dropped_numbers_take_no_gradient() {
        let device = Device::flex().autodiff();
        let settings = burn::nn::DropoutConfig::new(0.5).init();
        let input = Tensor::<2>::ones([400, 51], &device).require_grad();
        let output = dropout(&settings, input.clone());
        let gradients = output.clone().sum().backward();
        // The input is all ones, so output and gradient both equal the mask.
        assert_eq!(
            output.clone().into_data(),
            input.grad(&gradients).unwrap().into_data()
        );
        let kept = output
            .into_data()
            .try_into_vec::<f32>()
            .unwrap()
            .into_iter()
            .filter(|value| *value == 2.0)
            .count() as f64;
        assert!(
            (kept / 20_400.0 - 0.5).abs() < 5.0 * (0.25 / 20_400f64).sqrt(),
            "{kept}"
        );
    }

    #[test]
    #[cfg(feature = "flex")]
    fn the_key_determines_the_mask_with_any_count_of_threads() {
        let mask = |key, threads| {
            let ones = Tensor::<1>::ones([100_001], &Device::flex()).into_dispatch();
            let stream = crate::stream::Stream::new(0.9, key);
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            Tensor::<1>::from_dispatch(pool.install(|| flex::masked(ones, stream))).into_data()
        };
        let one = mask(5, 1);
        assert_eq!(one, mask(5, 2));
        assert_eq!(one, mask(5, 7));
        assert_ne!(one, mask(6, 2));
    }
}
