use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation;

use super::each_token;

/// Two linear layers with an activation between them, applied to every token by itself.
///
/// ```text
/// y = activation(x W₁ + b₁) W₂ + b₂
/// ```
#[derive(Module, Debug)]
pub struct FeedForward {
    /// d to the inner width.
    pub inner: Linear,
    /// The inner width to d.
    pub outer: Linear,
    /// Between the two.
    #[module(skip)]
    pub activation: Activation,
}

impl FeedForward {
    /// # Shapes
    /// - `hidden`, output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        each_token(&self.outer, self.activation.forward(each_token(&self.inner, hidden)))
    }
}

/// The activations of the supported models, under transformers' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu`: x Φ(x), with the error function.
    Gelu,
    /// `gelu_new` or `gelu_pytorch_tanh`: the approximation of the same by tanh.
    GeluNew,
    /// `relu`: max(x, 0).
    Relu,
    /// `silu`: x σ(x).
    Silu,
}

impl Activation {
    /// Every name that [`from_name`](Activation::from_name) knows.
    pub const NAMES: &str = "gelu, gelu_new, gelu_pytorch_tanh, relu or silu";

    /// The activation that transformers calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluNew),
            "relu" => Some(Self::Relu),
            "silu" => Some(Self::Silu),
            _ => None,
        }
    }

    /// Applied to every element.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if super::flex::holds(&input) {
            match self {
                Self::Gelu => return super::flex::elementwise(input, super::flex::gelu),
                Self::GeluNew => return super::flex::elementwise(input, super::flex::gelu_new),
                Self::Silu => return super::flex::elementwise(input, super::flex::silu),
                Self::Relu => {}
            }
        }
        match self {
            Self::Gelu => gelu(input),
            Self::GeluNew => gelu_new(input),
            Self::Relu => activation::relu(input),
            Self::Silu => activation::silu(input),
        }
    }
}

/// x Φ(x) with its exact derivative.
///
/// Burn's own takes, on every backend but flex, the derivative of the approximation by tanh: gradients of a small BERT were
/// off by 1e-3. Here it is written out, and the error function brings its own derivative.
fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    if !input.is_tracked() {
        return activation::gelu(input);
    }
    let twice_phi = (input.clone() * core::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    input * twice_phi * 0.5
}

/// x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), as x · σ(2√(2/π) (x + 0.044715 x³)).
///
/// Burn's own goes through x to the power 3.0, which costs a logarithm and an exponential an element.
fn gelu_new<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    const TWICE_SQRT_2_OVER_PI: f64 = 2.0 * core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::FRAC_1_SQRT_2;
    let inner = input.clone() * (input.clone().square() * (0.044715 * TWICE_SQRT_2_OVER_PI) + TWICE_SQRT_2_OVER_PI);
    input * activation::sigmoid(inner)
}
