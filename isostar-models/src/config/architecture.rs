//! What every architecture implements.

use super::labels::Labels;
use crate::ModelError;
use crate::head::HeadSettings;
use crate::pretrained::Layout;

/// The sizes of a model, with names that are the same for all architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSizes {
    /// Number of rows of the token embedding table.
    pub vocabulary: usize,
    /// Width d of the hidden states.
    pub width: usize,
    /// Number of layers: the number of hidden states that a forward pass returns after the
    /// embedding output.
    pub layers: usize,
    /// Maximum length of a sequence in tokens.
    pub positions: usize,
    /// Number of segments (token types); 0 if the architecture has none.
    pub segments: usize,
}

/// The operations that every architecture implements for its settings.
pub(crate) trait Architecture {
    fn layout(&self) -> &'static Layout;
    fn sizes(&self) -> ModelSizes;
    fn padding(&self) -> Option<usize>;
    fn labels(&self) -> &Labels;
    fn labels_mut(&mut self) -> &mut Labels;
    /// Standard deviation of newly initialized weights.
    fn deviation(&self) -> f64;
    /// The settings of the heads.
    fn head(&self) -> HeadSettings;
    /// Checks that the forward pass supports the settings.
    fn validate(&self) -> Result<(), ModelError>;
}
