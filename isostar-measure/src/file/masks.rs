//! Default masks: which points of a tensor are measured if no mask is named.

use std::ptr;

use super::EmbeddingsFile;
use super::tensor::StoredTensor;
use crate::{EmbeddingsError, Note};

/// The name of the mask written by `isostar embed`.
pub const MASK: &str = "mask";

/// The names of default masks for three-dimensional tensors, in order of preference. The first one
/// of the right shape is used. `attention_mask` is the name used by tokenizers.
const MASKS: [&str; 2] = [MASK, "attention_mask"];

/// Whether the name of a tensor ends in `mask` or `masks`. The polarity of other masks is unknown:
/// some libraries set `padding_mask` at padding, others at tokens.
pub(super) fn is_called_mask(tensor: &StoredTensor) -> bool {
    let name = tensor.name.as_deref().unwrap_or_default().to_lowercase();
    name.ends_with("mask") || name.ends_with("masks")
}

impl EmbeddingsFile {
    /// Whether a tensor is a mask rather than points: it has the name of a default mask, or any
    /// mask name and the shape of a mask.
    pub(super) fn is_mask(&self, tensor: &StoredTensor) -> bool {
        let has_its_shape = |points: &StoredTensor| {
            points.is_float_matrix() && points.shape.len() == 3 && points.shape[..2] == tensor.shape
        };
        let is_default = tensor
            .name
            .as_deref()
            .is_some_and(|name| MASKS.contains(&name));
        is_default || (is_called_mask(tensor) && self.tensors.iter().any(has_its_shape))
    }

    /// Returns the default mask of `points`, and a note on the choice.
    ///
    /// # Errors
    /// If the mask exists but cannot be read.
    pub(super) fn default_mask(
        &self,
        points: &StoredTensor,
    ) -> Result<(Option<&StoredTensor>, Option<Note>), EmbeddingsError> {
        let Some((_, leading)) = points.shape.split_last() else {
            return Ok((None, None));
        };
        let are_sequences = leading.len() == 2;
        let mut defaults: Vec<&StoredTensor> = Vec::new();
        if are_sequences {
            if let Some((_, fault)) = self
                .damaged
                .iter()
                .find(|(name, _)| MASKS.contains(&name.as_str()))
            {
                return Err(EmbeddingsError::Format(fault.clone()));
            }
            defaults.extend(
                MASKS
                    .iter()
                    .filter_map(|name| self.find(name))
                    .filter(|mask| !ptr::eq(*mask, points)),
            );
        }
        let mask = defaults
            .iter()
            .find(|mask| mask.shape == leading)
            .or(defaults.first())
            .copied();

        let fits = |other: &StoredTensor| {
            is_called_mask(other) && other.element.is_some() && other.shape == leading
        };
        let is_default =
            |other: &StoredTensor| defaults.iter().any(|default| ptr::eq(*default, other));
        let is_taken = |other: &StoredTensor| {
            ptr::eq(other, points) || mask.is_some_and(|mask| ptr::eq(mask, other))
        };
        let others = self
            .tensors
            .iter()
            .filter(|other| (fits(other) || is_default(other)) && !is_taken(other));
        let others: Vec<String> = others.filter_map(|other| other.name.clone()).collect();
        let note = match mask.and_then(|mask| mask.name.clone()) {
            Some(mask) => (!others.is_empty()).then_some(Note::OneMask { mask, others }),
            None if are_sequences || !others.is_empty() => Some(Note::NoMask {
                positions: leading.iter().product(),
                possible: others,
            }),
            None => None,
        };
        Ok((mask, note))
    }
}
