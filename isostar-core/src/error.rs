use thiserror::Error;

/// A setting that no computation could honour.
///
/// Wrong tensor shapes are not here: they panic, as they do in Burn, with a message that names both shapes.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The shrinkage weight ζ is outside [0, 1] or not a number.
    #[error("shrinkage must lie in [0, 1], got {value}")]
    Shrinkage {
        /// The value given.
        value: f64,
    },
    /// The regularizer's weight λ is infinite or not a number.
    #[error("the regularizer's weight must be a finite number, got {value}")]
    Weight {
        /// The value given.
        value: f64,
    },
    /// The share of ratios to leave out is outside [0, 1) or not a number.
    #[error("the share to discard must lie in [0, 1), got {value}")]
    Discarded {
        /// The value given.
        value: f64,
    },
    /// A layer was asked for that the model does not have.
    #[error("there is no layer {layer}: the model has layers 1 to {depth}, and 0 is its embedding output")]
    NoSuchLayer {
        /// The layer asked for.
        layer: usize,
        /// How many layers there are.
        depth: usize,
    },
    /// Layer 0 was asked for where no embedding output was given.
    #[error("layer 0 is the embedding output, and this model gives none: its layers are 1 to {depth}")]
    NoEmbeddingOutput {
        /// How many layers there are.
        depth: usize,
    },
    /// A selection that names no layer.
    #[error("the selection of layers is empty")]
    NoLayers,
    /// A text that is no selection of layers.
    #[error("{text:?} selects no layers: write all, last, or numbers such as 1,3,12")]
    LayerSyntax {
        /// The text given.
        text: String,
    },
}
