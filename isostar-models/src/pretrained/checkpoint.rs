//! The settings and weights of a model folder, without its tokenizer.

use std::path::Path;

use burn::prelude::*;

use super::weights::Weights;
use super::{adapter, load};
use crate::error::list;
use crate::head::PretrainedModel;
use crate::pretrained::folder::read_file;
use crate::{ModelConfig, ModelError, SequenceClassifier};

pub(super) const CONFIG: &str = "config.json";

/// A model without its tokenizer, for inputs that are token ids.
#[derive(Clone, Debug)]
pub struct Checkpoint<M = SequenceClassifier> {
    /// The settings.
    pub config: ModelConfig,
    /// The weights.
    pub model: M,
    /// Names of the newly initialized tensors: those of a head that the checkpoint lacks, or whose
    /// labels are different.
    pub fresh: Vec<String>,
    /// Names of the stored tensors that are not part of the model, such as those of an optimizer,
    /// or of a head that transformers does not have for the architecture. Buffers, poolers and
    /// transformers' other heads are not listed.
    pub extra: Vec<String>,
    /// The part that a PyTorch wrapper added to the names of tensors, such as `module.` or
    /// `_orig_mod.`. It is ignored.
    pub wrapper: Option<String>,
}

impl<M: PretrainedModel> Checkpoint<M> {
    /// Reads config.json and the weights like [`Pretrained::read`](crate::Pretrained::read),
    /// without the tokenizer.
    ///
    /// # Errors
    /// If the files are incomplete or contradict each other: see [`ModelError`].
    pub fn read(folder: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let folder = folder.as_ref();
        let config = read_config(folder)?;
        let weights = Weights::open(folder, &config)?;
        Self::load(folder, config, weights, None, device)
    }

    /// Creates a model with these weights. The output layer of the classifier is newly initialized
    /// if `outputs` differs from the stored number.
    pub(super) fn load(
        folder: &Path,
        config: ModelConfig,
        weights: Weights,
        outputs: Option<usize>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let model = M::new(&config, device).map_err(|error| error.in_file(&folder.join(CONFIG)))?;
        let load::Loaded {
            model,
            fresh,
            extra,
            wrapper,
        } = load::load(model, weights, config.architecture().layout(), outputs)?;
        Ok(Self {
            config,
            model,
            fresh,
            extra,
            wrapper,
        })
    }

    /// Notes for the user about ignored tensors and names, one sentence each.
    /// [`fresh`](Checkpoint::fresh) is not included.
    pub fn notes(&self) -> Vec<String> {
        notes(&self.extra, self.wrapper.as_deref())
    }
}

pub(super) fn notes(extra: &[String], wrapper: Option<&str>) -> Vec<String> {
    let wrapper = wrapper.map(|wrapper| {
        format!(
            "ignoring {wrapper} in the names of the model's tensors: a PyTorch wrapper added it"
        )
    });
    let ignored = match extra.len() {
        0 => None,
        1 => Some("1 tensor that is".to_string()),
        count => Some(format!("{count} tensors that are")),
    };
    let extra =
        ignored.map(|ignored| format!("ignoring {ignored} not part of the model: {}", list(extra)));
    wrapper.into_iter().chain(extra).collect()
}

/// Reads the settings of the model in a folder.
pub(super) fn read_config(folder: &Path) -> Result<ModelConfig, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder {
            path: folder.to_path_buf(),
        });
    }
    let path = folder.join(CONFIG);
    let content = match read_file(&path) {
        Err(ModelError::NoFile { path }) => {
            return Err(adapter::refusal(folder).unwrap_or(ModelError::NoFile { path }));
        }
        content => content?,
    };
    ModelConfig::from_json(&content).map_err(|error| error.in_file(&path))
}
