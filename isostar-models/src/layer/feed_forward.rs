use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation::relu;
use isostar_kernels::{gelu, gelu_new, silu};

use super::linear::each_token;

/// Two linear layers with an activation between them, applied to each token separately.
///
/// ```text
/// y = activation(x W₁ + b₁) W₂ + b₂
/// ```
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Projection from d to the inner width.
    pub inner: Linear,
    /// Projection from the inner width to d.
    pub outer: Linear,
    /// Activation between the two.
    #[module(skip)]
    pub activation: Activation,
}

impl FeedForward {
    /// # Shapes
    /// - `hidden`, output: `[sequences, tokens, d]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        each_token(
            &self.outer,
            self.activation.forward(each_token(&self.inner, hidden)),
        )
    }
}

/// The activations of the supported models, under transformers' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu`: x Φ(x), with the error function.
    Gelu,
    /// `gelu_new` or `gelu_pytorch_tanh`: the tanh approximation of `gelu`.
    GeluNew,
    /// `relu`: max(x, 0).
    Relu,
    /// `silu`: x σ(x).
    Silu,
}

impl Activation {
    /// The names that [`from_name`](Activation::from_name) accepts.
    pub const NAMES: &str = "gelu, gelu_new, gelu_pytorch_tanh, relu or silu";

    /// Returns the activation that transformers calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluNew),
            "relu" => Some(Self::Relu),
            "silu" => Some(Self::Silu),
            _ => None,
        }
    }

    /// Applies the activation to every element.
    pub fn forward<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu => gelu(input),
            Self::GeluNew => gelu_new(input),
            Self::Relu => relu(input),
            Self::Silu => silu(input),
        }
    }
}
