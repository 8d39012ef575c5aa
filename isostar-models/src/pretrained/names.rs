//! Conversion of the names in a checkpoint to the canonical names of a layout.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::weights::Weights;
use crate::ModelError;

/// The name parts that PyTorch wrappers add to tensors: for data parallelism and weight averaging,
/// compilation, sharding and activation checkpointing.
const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// Maps the canonical name of each tensor to its stored name.
///
/// The parts that wrappers add to a name are removed, unless the tensor is also stored without
/// them. In that case the wrapped tensor is a copy, such as a running average of the weights, and
/// not part of the model.
///
/// # Errors
/// If two tensors have the same canonical name.
pub(super) fn canonical_names(
    weights: &Weights,
    layout: &Layout,
) -> Result<BTreeMap<String, String>, ModelError> {
    let (wrapped, bare): (Vec<&str>, Vec<&str>) =
        weights.names().partition(|name| wrapper(name).is_some());
    let mut stored: BTreeMap<String, String> = BTreeMap::new();
    for name in bare.into_iter().chain(wrapped) {
        let canonical = layout.canonical(&unwrapped(name));
        match stored.get(&canonical) {
            None => drop(stored.insert(canonical, name.to_string())),
            Some(other) if wrapper(name).is_some() && wrapper(other).is_none() => {
                drop(stored.insert(name.to_string(), name.to_string()))
            }
            Some(other) => {
                let path = weights.file(name).to_path_buf();
                return Err(ModelError::TensorTwice {
                    path,
                    key: name.to_string(),
                    other: format!("as {other}"),
                });
            }
        }
    }
    Ok(stored)
}

/// The parts of a name that wrappers added, such as `module._orig_mod.`.
pub(super) fn wrapper(name: &str) -> Option<String> {
    let added: String = name
        .split('.')
        .filter(is_wrapper)
        .map(|part| format!("{part}."))
        .collect();
    (!added.is_empty()).then_some(added)
}

fn unwrapped(name: &str) -> String {
    name.split('.')
        .filter(|part| !is_wrapper(part))
        .collect::<Vec<_>>()
        .join(".")
}

fn is_wrapper(part: &&str) -> bool {
    WRAPPERS.contains(part)
}

#[cfg(test)]
mod tests {
    use super::{unwrapped, wrapper};

    #[test]
    fn only_whole_parts_of_a_name_are_wrappers() {
        for (name, bare, added) in [
            (
                "module._orig_mod.bert.pooler.dense.bias",
                "bert.pooler.dense.bias",
                Some("module._orig_mod."),
            ),
            (
                "bert._orig_mod.pooler.dense.bias",
                "bert.pooler.dense.bias",
                Some("_orig_mod."),
            ),
            ("modules.0.bias", "modules.0.bias", None),
        ] {
            assert_eq!(
                (unwrapped(name).as_str(), wrapper(name).as_deref()),
                (bare, added)
            );
        }
    }
}
