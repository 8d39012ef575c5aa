//! Layers applied one after another.

use burn::prelude::*;
use isostar_core::HiddenStates;

/// Applies the layers in order and collects the output of each.
pub(crate) fn run_layers<'a, L: 'a>(
    embedding_output: Tensor<3>,
    layers: impl Iterator<Item = &'a L>,
    forward: impl Fn(&L, Tensor<3>) -> Tensor<3>,
    mask: Tensor<2, Bool>,
) -> HiddenStates {
    let mut hidden = embedding_output.clone();
    let layers = layers.map(|layer| {
        hidden = forward(layer, hidden.clone());
        hidden.clone()
    });
    let layers = layers.collect();
    HiddenStates {
        embedding_output: Some(embedding_output),
        layers,
        mask: Some(mask),
    }
}
