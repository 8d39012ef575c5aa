//! Which points of a tensor count, where the user names no mask.

use std::ptr;

use super::EmbeddingsFile;
use super::tensor::StoredTensor;
use crate::embeddings::{EmbeddingsError, Note};

/// The name under which `isostar embed` writes the mask.
pub const MASK: &str = "mask";

/// The names of the masks that serve three-dimensional tensors where no other is asked for. The first that fits is taken. The second is that
/// of tokenizers.
const MASKS: [&str; 2] = [MASK, "attention_mask"];

/// Whether a tensor is called a mask: `padding_mask`, say, which some libraries set at padding and others at tokens.
pub(super) fn is_called_mask(tensor: &StoredTensor) -> bool {
    let name = tensor.name.as_deref().unwrap_or_default().to_lowercase();
    name.ends_with("mask") || name.ends_with("masks")
}

impl EmbeddingsFile {
    /// Whether a tensor is a mask rather than points: one called as a default mask is, or called any mask and of the shape of one.
    pub(super) fn is_mask(&self, tensor: &StoredTensor) -> bool {
        let has_its_shape =
            |points: &StoredTensor| points.is_float_matrix() && points.shape.len() == 3 && points.shape[..2] == tensor.shape;
        let is_default = tensor.name.as_deref().is_some_and(|name| MASKS.contains(&name));
        is_default || (is_called_mask(tensor) && self.tensors.iter().any(has_its_shape))
    }

    /// The mask of `points` where none is asked for, and what there is to say of it.
    ///
    /// # Errors
    /// If it is there but cannot be read.
    pub(super) fn default_mask(&self, points: &StoredTensor) -> Result<(Option<&StoredTensor>, Option<Note>), EmbeddingsError> {
        let Some((_, leading)) = points.shape.split_last() else { return Ok((None, None)) };
        let are_sequences = leading.len() == 2;
        let mut defaults: Vec<&StoredTensor> = Vec::new();
        if are_sequences {
            if let Some((_, fault)) = self.damaged.iter().find(|(name, _)| MASKS.contains(&name.as_str())) {
                return Err(EmbeddingsError::Format(fault.clone()));
            }
            defaults.extend(MASKS.iter().filter_map(|name| self.find(name)).filter(|mask| !ptr::eq(*mask, points)));
        }
        let mask = defaults.iter().find(|mask| mask.shape == leading).or(defaults.first()).copied();

        let fits = |other: &StoredTensor| is_called_mask(other) && other.element.is_some() && other.shape == leading;
        let is_default = |other: &StoredTensor| defaults.iter().any(|default| ptr::eq(*default, other));
        let is_taken = |other: &StoredTensor| ptr::eq(other, points) || mask.is_some_and(|mask| ptr::eq(mask, other));
        let others = self.tensors.iter().filter(|other| (fits(other) || is_default(other)) && !is_taken(other));
        let others: Vec<String> = others.filter_map(|other| other.name.clone()).collect();
        let note = match mask.and_then(|mask| mask.name.clone()) {
            Some(mask) => (!others.is_empty()).then_some(Note::OneMask { mask, others }),
            None if are_sequences || !others.is_empty() => Some(Note::NoMask { positions: leading.iter().product(), possible: others }),
            None => None,
        };
        Ok((mask, note))
    }
}
