//! A safetensors file of hidden states, written batch by batch in any order.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use isostar_measure::MASK;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use tempfile::NamedTempFile;

use super::EmbedError;
use crate::whole_file::beside;

/// Bytes per f32.
const SIZE: usize = 4;

/// A file of one tensor `layer.I` per layer, `[sequences, tokens, d]` in f32, and their mask
/// `[sequences, tokens]`.
///
/// The file has its final size from the start, and unwritten numbers read as zeros. It is a
/// temporary file beside the target until it is finished.
#[derive(Debug)]
pub(super) struct StatesFile {
    target: PathBuf,
    temporary: NamedTempFile,
    /// The offset of the first number.
    start: usize,
    layers: usize,
    shape: [usize; 3],
}

impl StatesFile {
    /// Creates the file. The shape is `[sequences, tokens, d]`.
    ///
    /// # Errors
    /// If the target is a folder, or the system fails to create the file.
    pub fn create(target: &Path, layers: &[usize], shape: [usize; 3]) -> Result<Self, EmbedError> {
        let create = || {
            if target.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let header = header(layers, shape)?;
            let mut temporary = beside(target)?;
            let [sequences, tokens, width] = shape;
            let positions = sequences * tokens;
            temporary.write_all(&header)?;
            temporary
                .as_file()
                .set_len((header.len() + positions * (layers.len() * width * SIZE + 1)) as u64)?;
            Ok(Self {
                target: target.into(),
                temporary,
                start: header.len(),
                layers: layers.len(),
                shape,
            })
        };
        create().map_err(|source| EmbedError::Output {
            path: target.into(),
            source,
        })
    }

    /// Writes the states of one sequence in one layer, `[tokens, d]`, to its first tokens. `layer`
    /// is the index of the layer in this file.
    pub fn write_states(
        &mut self,
        layer: usize,
        sequence: usize,
        states: &[f32],
    ) -> Result<(), EmbedError> {
        let [sequences, tokens, width] = self.shape;
        let bytes: Vec<u8> = states
            .iter()
            .flat_map(|state| state.to_le_bytes())
            .collect();
        self.write_at(
            (layer * sequences + sequence) * tokens * width * SIZE,
            &bytes,
        )
    }

    /// Sets the mask at the first tokens of a sequence.
    pub fn write_mask(&mut self, sequence: usize, tokens: usize) -> Result<(), EmbedError> {
        let [sequences, longest, width] = self.shape;
        let states = self.layers * sequences * longest * width * SIZE;
        self.write_at(states + sequence * longest, &vec![1; tokens])
    }

    fn write_at(&mut self, position: usize, bytes: &[u8]) -> Result<(), EmbedError> {
        let file = self.temporary.as_file_mut();
        let written = file
            .seek(SeekFrom::Start((self.start + position) as u64))
            .and_then(|_| file.write_all(bytes));
        written.map_err(|source| EmbedError::Output {
            path: self.target.clone(),
            source,
        })
    }

    /// Moves the complete file to its target.
    pub fn finish(self) -> Result<(), EmbedError> {
        let Self {
            target, temporary, ..
        } = self;
        let renamed = temporary
            .as_file()
            .sync_all()
            .and_then(|()| temporary.persist(&target).map_err(|error| error.error));
        match renamed {
            Ok(File { .. }) => Ok(()),
            Err(source) => Err(EmbedError::Output {
                path: target,
                source,
            }),
        }
    }
}

/// Builds the header, preceded by its length and padded so that the numbers are aligned to eight
/// bytes.
fn header(layers: &[usize], shape: [usize; 3]) -> io::Result<Vec<u8>> {
    let [sequences, tokens, width] = shape;
    let layer_bytes = sequences * tokens * width * SIZE;
    let mut tensors: Vec<(String, TensorInfo)> = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let data_offsets = (at * layer_bytes, (at + 1) * layer_bytes);
        tensors.push((
            format!("layer.{layer}"),
            TensorInfo {
                dtype: Dtype::F32,
                shape: shape.into(),
                data_offsets,
            },
        ));
    }
    let states = layers.len() * layer_bytes;
    let data_offsets = (states, states + sequences * tokens);
    tensors.push((
        MASK.into(),
        TensorInfo {
            dtype: Dtype::BOOL,
            shape: vec![sequences, tokens],
            data_offsets,
        },
    ));

    let metadata = Metadata::new(None, tensors).map_err(io::Error::other)?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([(json.len() as u64).to_le_bytes().as_slice(), &json].concat())
}
