//! Linear layers and embedding tables.

use burn::module::Param;
use burn::nn::{Embedding, Initializer, Linear};
use burn::prelude::*;

/// Applies `linear` to every token, as one matrix product.
///
/// By default, Burn multiplies sequence by sequence, and the gradient of the weights is then one
/// matrix per sequence, to be summed: a fifth of a training step on flex.
pub(crate) fn each_token(linear: &Linear, hidden: Tensor<3>) -> Tensor<3> {
    let [sequences, tokens, d] = hidden.dims();
    let bias = linear.bias.as_ref().map(|bias| bias.val());
    let rows = isostar_kernels::linear(
        hidden.reshape([sequences * tokens, d]),
        linear.weight.val(),
        bias,
    );
    let [_, d_output] = rows.dims();
    rows.reshape([sequences, tokens, d_output])
}

/// A linear layer with weights from N(0, `std`²) and zero biases, as in transformers'
/// initialization.
pub(crate) fn linear(d_input: usize, d_output: usize, std: f64, device: &Device) -> Linear {
    Linear {
        weight: normal(std).init([d_input, d_output], device),
        bias: Some(Initializer::Zeros.init([d_output], device)),
    }
}

/// An embedding table with weights from N(0, `std`²), zero in the row of the padding token.
pub(crate) fn embedding(
    rows: usize,
    d: usize,
    std: f64,
    padding: Option<usize>,
    device: &Device,
) -> Embedding {
    let weight: Param<Tensor<2>> = normal(std).init([rows, d], device);
    let weight = match padding {
        Some(row) => weight.init_mapper(move |table| table.slice_fill(row..row + 1, 0.0)),
        None => weight,
    };
    Embedding { weight }
}

fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}
