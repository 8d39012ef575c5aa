use thiserror::Error;

/// An invalid setting.
///
/// Wrong tensor shapes are not errors of this type: they panic, as in Burn, with a message that
/// states both shapes.
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
    /// The target of a score is outside [0, 1] or not a number.
    #[error("the target of the score must lie in [0, 1], got {value}")]
    Target {
        /// The value given.
        value: f64,
    },
    /// A setting of the controller is outside its range.
    #[error(
        "the {name} of the controller must be finite and above 0, and its memory below 1, got {value}"
    )]
    Control {
        /// The setting.
        name: &'static str,
        /// The value given.
        value: f64,
    },
    /// The share of ratios to discard is outside [0, 1) or not a number.
    #[error("the share to discard must lie in [0, 1), got {value}")]
    Discarded {
        /// The value given.
        value: f64,
    },
    /// The requested layer does not exist in the model.
    #[error(
        "there is no layer {layer}: the model has layers 1 to {depth}, and 0 is its embedding output"
    )]
    NoSuchLayer {
        /// The requested layer.
        layer: usize,
        /// How many layers there are.
        depth: usize,
    },
    /// Layer 0 was requested, but the model gives no embedding output.
    #[error(
        "layer 0 is the embedding output, and this model gives none: its layers are 1 to {depth}"
    )]
    NoEmbeddingOutput {
        /// How many layers there are.
        depth: usize,
    },
    /// No random direction is to be drawn.
    #[error("SIGReg needs at least one random direction")]
    NoSlices,
    /// The selection contains no layer.
    #[error("the selection of layers is empty")]
    NoLayers,
    /// The text is not a valid layer selection.
    #[error(
        "{text:?} selects no layers: write all, last, each, numbers such as 1,3,12, or numbers with weights such as 1:0.5,6:2"
    )]
    LayerSyntax {
        /// The text given.
        text: String,
    },
}
