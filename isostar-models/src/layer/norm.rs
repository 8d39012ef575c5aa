use burn::module::Param;
use burn::nn::{Dropout, Initializer};
use burn::prelude::*;
use isostar_kernels::{Normalization, layer_norm, residual_norm};

/// Layer normalization with scale and shift.
///
/// ```text
/// y = γ ∘ (x − mean x) / √(var x + ε) + β
/// ```
///
/// The parameters have the names of burn-nn's `LayerNorm`, so that checkpoints of either load into
/// the other.
///
/// # References
/// Ba, Kiros & Hinton, "Layer Normalization" (2016).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale γ. Shape `[d]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift β. Shape `[d]`.
    pub beta: Param<Tensor<1>>,
    /// ε, added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// Scale 1 and shift 0 for rows of width `d`.
    pub(crate) fn new(d: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([d], device),
            beta: Initializer::Zeros.init([d], device),
            epsilon,
        }
    }

    /// Normalizes each row.
    ///
    /// # Shapes
    /// - `input`, output: `[…, d]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        layer_norm(input, self.normalization())
    }

    /// Adds `branch`, after dropout, to its residual and normalizes each row of the sum.
    ///
    /// # Shapes
    /// - `residual`, `branch`, output: `[…, d]`
    pub fn add<const D: usize>(
        &self,
        residual: Tensor<D>,
        branch: Tensor<D>,
        dropout: &Dropout,
    ) -> Tensor<D> {
        residual_norm(residual, branch, dropout, self.normalization())
    }

    fn normalization(&self) -> Normalization {
        Normalization {
            gamma: self.gamma.val(),
            beta: self.beta.val(),
            epsilon: self.epsilon,
        }
    }
}
