//! The header of a safetensors file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;

use super::folder::failed;
use crate::{ModelError, is_git_lfs_pointer};

/// The maximum length of a header in the safetensors format, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;
/// The maximum length of a Git LFS pointer, in bytes.
const LONGEST_POINTER: u64 = 1024;

/// Reads and checks the header. Returns the offset of the data and the metadata of the tensors.
/// Sizes are checked against the length of the file.
pub(super) fn header(path: &Path, file: &mut File) -> Result<(u64, Metadata), ModelError> {
    let corrupt = |source| ModelError::Checkpoint {
        path: path.to_path_buf(),
        source,
    };
    let length = file.metadata().map_err(failed("read", path))?.len();
    let mut size = [0; 8];
    if length < size.len() as u64 {
        return Err(corrupt(SafeTensorError::HeaderTooSmall));
    }
    file.read_exact(&mut size).map_err(failed("read", path))?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER && starts_as_pointer(path) {
        return Err(ModelError::GitLfsPointer {
            path: path.to_path_buf(),
        });
    }
    if size > LONGEST_HEADER {
        return Err(corrupt(SafeTensorError::HeaderTooLarge));
    }
    if size > length - 8 {
        return Err(corrupt(SafeTensorError::InvalidHeaderLength));
    }
    let mut json = vec![0; size as usize];
    file.read_exact(&mut json).map_err(failed("read", path))?;
    let metadata: Metadata = serde_json::from_slice(&json)
        .map_err(|error| corrupt(SafeTensorError::InvalidHeaderDeserialization(error)))?;
    match metadata.data_len() as u64 == length - 8 - size {
        true => Ok((8 + size, metadata)),
        false => Err(corrupt(SafeTensorError::MetadataIncompleteBuffer)),
    }
}

/// Whether a file can be read and is a Git LFS pointer.
pub(super) fn starts_as_pointer(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_POINTER).read_to_end(&mut start));
    read.is_ok() && is_git_lfs_pointer(&start)
}
