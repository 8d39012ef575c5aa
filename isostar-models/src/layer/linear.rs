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
        weight: normal([d_input, d_output], std, device),
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
    let weight = normal([rows, d], std, device);
    let weight = match padding {
        Some(row) => weight.init_mapper(move |table| table.slice_fill(row..row + 1, 0.0)),
        None => weight,
    };
    Embedding { weight }
}

/// A weight from N(0, `std`²), drawn when it is first used.
///
/// If the CPU backend flex is compiled in, its generator draws the weights of models on every device,
/// so that a seed of flex gives the same model everywhere.
fn normal(shape: [usize; 2], std: f64, device: &Device) -> Param<Tensor<2>> {
    #[cfg(feature = "flex")]
    if !isostar_kernels::is_flex(device) {
        let draw = move |device: &Device, is_tracked: bool| {
            let drawn = Tensor::<2>::random(
                shape,
                burn::tensor::Distribution::Normal(0.0, std),
                &Device::flex(),
            );
            let weight = Tensor::from_data(drawn.into_data(), device);
            if is_tracked {
                weight.require_grad()
            } else {
                weight
            }
        };
        return Param::uninitialized(
            burn::module::ParamId::new(),
            draw,
            device.clone(),
            true,
            shape.into(),
        );
    }
    Initializer::Normal { mean: 0.0, std }.init(shape, device)
}
