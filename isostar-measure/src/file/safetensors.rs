//! The tensors of a safetensors file.

use std::path::Path;
use std::sync::Arc;

use safetensors::SafeTensors;

use super::error::FormatError;
use super::mapped::Mapped;
use super::numbers::Storage;
use super::tensor::StoredTensor;
use crate::element::Element;

/// Returns all tensors, in the order of the file.
pub(super) fn tensors(path: &Path, file: &Arc<Mapped>) -> Result<Vec<StoredTensor>, FormatError> {
    let (header, metadata) =
        SafeTensors::read_metadata(file.bytes()).map_err(|source| FormatError::Safetensors {
            path: path.into(),
            source,
        })?;
    // The header follows its length, which takes eight bytes.
    let start = 8 + header;
    let tensor = |name: String| {
        let info = metadata.info(&name)?;
        Some(StoredTensor {
            element: Element::of_safetensors(info.dtype),
            element_name: info.dtype.to_string(),
            shape: info.shape.clone(),
            fortran_order: false,
            storage: Storage::Plain {
                file: file.clone(),
                range: start + info.data_offsets.0..start + info.data_offsets.1,
            },
            name: Some(name),
        })
    };
    Ok(metadata
        .offset_keys()
        .into_iter()
        .filter_map(tensor)
        .collect())
}
