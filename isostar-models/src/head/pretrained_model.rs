use burn::prelude::*;

use super::settings::Head;
use crate::{Encoder, ModelConfig, ModelError};

/// A model that can be read from a folder: an encoder without or with a head.
pub trait PretrainedModel: Module {
    /// The head of the model.
    const HEAD: Head;

    /// Creates a model with newly initialized weights, for training from scratch.
    ///
    /// # Errors
    /// If [`ModelConfig::validate`] fails, or for a classifier if
    /// [`Labels::validate`](crate::Labels::validate) fails.
    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError>;
}

impl PretrainedModel for Encoder {
    const HEAD: Head = Head::None;

    fn new(config: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        config.init(device)
    }
}
