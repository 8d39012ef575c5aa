//! The precision of matrix products in a model.

use std::cell::Cell;

use burn::prelude::*;
use burn::tensor::DType;

/// The precision of the matrix products of a model in [`Precision::scope`].
///
/// Parameters, their gradients, the residual stream, normalizations, softmax and losses stay in
/// f32. Only the factors of the products in layers are rounded; the products are summed in f32 and,
/// in bf16, rounded once more. bf16 has the range of f32, so losses need no scaling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The products of the model's own type, f32.
    #[default]
    F32,
    /// Products in bfloat16, with 8 significant bits.
    Bf16,
}

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::F32) };
}

impl Precision {
    /// Runs `work`, such as a forward pass, with products in this precision. It applies to this
    /// thread; the backward pass follows the forward pass, wherever it runs.
    ///
    /// ```
    /// use isostar_kernels::Precision;
    ///
    /// Precision::Bf16.scope(|| assert_eq!(Precision::current(), Precision::Bf16));
    /// assert_eq!(Precision::current(), Precision::F32);
    /// ```
    pub fn scope<R>(self, work: impl FnOnce() -> R) -> R {
        /// Restores the precision when dropped, so that a panic in `work` leaves nothing behind.
        struct Restore(Precision);

        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }

        let _restore = Restore(CURRENT.replace(self));
        work()
    }

    /// The precision of the innermost scope of this thread; [`Precision::F32`] without one.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Whether `device` computes in this precision.
    pub fn is_supported(self, device: &Device) -> bool {
        self == Self::F32 || device.supports_dtype(DType::BF16)
    }

    /// A factor of a product, rounded to this precision.
    fn factor<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32 => tensor,
            Self::Bf16 => tensor.cast(DType::BF16),
        }
    }
}

/// Whether products are in f32, which flex computes in fused form.
#[cfg(feature = "flex")]
pub(crate) fn is_single() -> bool {
    Precision::current() == Precision::F32
}

/// The product of two matrices in the current precision, in the type of `left`.
pub(crate) fn product<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
    let (precision, dtype) = (Precision::current(), left.dtype());
    match precision {
        Precision::F32 => left.matmul(right),
        Precision::Bf16 => precision
            .factor(left)
            .matmul(precision.factor(right))
            .cast(dtype),
    }
}
