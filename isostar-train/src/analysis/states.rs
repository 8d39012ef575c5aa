//! The states of a model's layers, in temporary files.

use std::io;
use std::path::PathBuf;

use isostar_measure::{EmbeddingsError, EmbeddingsFile};
use isostar_models::{Encoder, Pretrained};
use tempfile::TempDir;

use super::steps::Steps;
use super::{AnalysisError, AnalysisSettings};
use crate::embed::{EmbedError, Sequences, embed_with_means};
use crate::experiment::{Observer, Phase};

/// Files above this size, 4 GB, are announced before they are written.
const ANNOUNCED: u64 = 4_000_000_000;

/// Two files in a temporary folder that is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct States {
    folder: TempDir,
}

impl States {
    /// Writes the states of all tokens in all layers, and their mean per row.
    ///
    /// # Errors
    /// Returns an error if the files cannot be written or the device fails.
    pub fn write(
        pretrained: &Pretrained<Encoder>,
        sequences: &Sequences,
        settings: &AnalysisSettings,
        observer: &dyn Observer,
    ) -> Result<Self, AnalysisError> {
        let sizes = pretrained.config.sizes();
        let layers: Vec<usize> = (0..=sizes.layers).collect();
        let rows = sequences.len();
        let bytes = (rows * (sequences.longest() + 1) * sizes.width * layers.len() * size_of::<f32>()) as u64;
        let place = std::env::temp_dir();
        if bytes > ANNOUNCED {
            observer.note(&format!("the hidden states take up to {:.1} GB in {} meanwhile", bytes as f64 / 1e9, place.display()));
        }
        let no_room = |source: io::Error| AnalysisError::States { rows, bytes, folder: place.clone(), source };

        let folder = tempfile::Builder::new().prefix("isostar-").tempdir().map_err(no_room)?;
        let states = Self { folder };
        let steps = Steps::begin(observer, Phase::Embedding, sequences.tokens());
        let [tokens, sentences] = &states.paths();
        let progress = |tokens| steps.advance(tokens);
        let written = embed_with_means(pretrained, sequences, &layers, settings.batch_size, [tokens, sentences], &progress);
        match written {
            Ok(()) => Ok(states),
            Err(EmbedError::Output { source, .. }) => Err(no_room(source)),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the files.
    ///
    /// On Unix, where a mapped file remains readable after it is deleted, the files are deleted
    /// immediately, so nothing is left behind if the process is killed.
    ///
    /// # Errors
    /// Returns an error if a file cannot be opened.
    pub fn open(self) -> Result<OpenStates, EmbeddingsError> {
        let [tokens, sentences] = self.paths();
        let (tokens, sentences) = (EmbeddingsFile::open(&tokens)?, EmbeddingsFile::open(&sentences)?);
        let folder = (!cfg!(unix)).then_some(self.folder);
        Ok(OpenStates { tokens, sentences, _folder: folder })
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["tokens.safetensors", "sentences.safetensors"].map(|name| self.folder.path().join(name))
    }
}

/// The opened files.
#[derive(Debug)]
pub(super) struct OpenStates {
    /// The token states, `[rows, tokens, d]` per layer.
    pub tokens: EmbeddingsFile,
    /// The mean states of the rows, `[rows, 1, d]` per layer.
    pub sentences: EmbeddingsFile,
    /// The temporary folder, removed after the files are closed.
    _folder: Option<TempDir>,
}
