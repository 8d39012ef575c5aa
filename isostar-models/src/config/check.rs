//! Checks of configuration fields. Each error names the field, its value and the allowed values.

use serde_json::{Map, Value};

use crate::ModelError;
use crate::layer::Activation;

/// A field, a predicate for its supported values, and their description in the error message.
type Unsupported = (&'static str, fn(&Value) -> bool, &'static str);

/// Fields that change the forward pass in a way that is not supported, with the values that have no
/// effect.
const UNSUPPORTED: &[Unsupported] = &[
    (
        "position_embedding_type",
        |value| value == "absolute",
        "\"absolute\"",
    ),
    ("is_decoder", is_off, "false"),
    ("is_encoder_decoder", is_off, "false"),
    ("add_cross_attention", is_off, "false"),
    (
        "pruned_heads",
        is_empty,
        "empty: pruned heads are not supported",
    ),
    (
        "quantization_config",
        Value::is_null,
        "absent: quantized weights are not supported",
    ),
];

fn is_off(value: &Value) -> bool {
    value == false || value.is_null()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Checks the fields of transformers that the configuration types do not have.
pub(crate) fn supported(rest: &Map<String, Value>) -> Result<(), ModelError> {
    for (field, is_harmless, expected) in UNSUPPORTED {
        if let Some(value) = rest.get(*field).filter(|value| !is_harmless(value)) {
            return Err(ModelError::setting(field, value, expected));
        }
    }
    Ok(())
}

/// Checks that sizes are at least 1, and small enough that products of them do not overflow.
pub(crate) fn sizes(fields: &[(&'static str, usize)]) -> Result<(), ModelError> {
    const LARGEST: usize = 1 << 24;
    match fields
        .iter()
        .find(|(_, size)| !(1..=LARGEST).contains(size))
    {
        Some((field, size)) => Err(ModelError::setting(
            field,
            size,
            format!("between 1 and {LARGEST}"),
        )),
        None => Ok(()),
    }
}

/// Checks the number of layers. Layers are created before the checkpoint is read, so an excessive
/// number would fill the memory.
pub(crate) fn layers(field: &'static str, layers: usize) -> Result<(), ModelError> {
    const MOST: usize = 1_024;
    match layers {
        1..=MOST => Ok(()),
        _ => Err(ModelError::setting(
            field,
            layers,
            format!("between 1 and {MOST}"),
        )),
    }
}

/// Checks that the width is a multiple of the number of heads.
pub(crate) fn divisible(
    width: (&'static str, usize),
    heads: (&'static str, usize),
) -> Result<(), ModelError> {
    match width.1.is_multiple_of(heads.1) {
        true => Ok(()),
        false => Err(ModelError::setting(
            width.0,
            width.1,
            format!("a multiple of {}, {}", heads.0, heads.1),
        )),
    }
}

/// Checks that the padding token is in the vocabulary.
pub(crate) fn padding(id: Option<usize>, vocab_size: usize) -> Result<(), ModelError> {
    match id {
        Some(id) if id >= vocab_size => Err(ModelError::setting(
            "pad_token_id",
            id,
            format!("below vocab_size, {vocab_size}"),
        )),
        _ => Ok(()),
    }
}

/// Checks that dropout rates are in [0, 1).
pub(crate) fn rates(fields: &[(&'static str, f64)]) -> Result<(), ModelError> {
    match fields.iter().find(|(_, rate)| !(0.0..1.0).contains(rate)) {
        Some((field, rate)) => Err(ModelError::setting(field, rate, "in [0, 1)")),
        None => Ok(()),
    }
}

/// Checks that standard deviations and epsilons are finite and not negative.
pub(crate) fn scales(fields: &[(&'static str, f64)]) -> Result<(), ModelError> {
    match fields
        .iter()
        .find(|(_, scale)| !(scale.is_finite() && *scale >= 0.0))
    {
        Some((field, scale)) => Err(ModelError::setting(
            field,
            scale,
            "a finite number, 0 or more",
        )),
        None => Ok(()),
    }
}

/// Returns the activation with this name.
pub(crate) fn activation(field: &'static str, name: &str) -> Result<Activation, ModelError> {
    Activation::from_name(name)
        .ok_or_else(|| ModelError::setting(field, format!("{name:?}"), Activation::NAMES))
}
