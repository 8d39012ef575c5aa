//! Model folders in the format of transformers: config.json, model.safetensors and tokenizer.json.

mod adapter;
mod checkpoint;
mod folder;
mod header;
mod layout;
mod load;
mod names;
mod save;
mod tokenizer;
mod weights;

use std::path::Path;

use burn::prelude::*;
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use crate::head::{Head, PretrainedModel};
use crate::{Labels, ModelConfig, ModelError, ProblemType, SequenceClassifier};
pub use checkpoint::Checkpoint;
use checkpoint::{CONFIG, read_config};
use folder::{Staging, to_json};
pub(crate) use layout::{Key, Layout};
use tokenizer::{TOKENIZER, TOKENIZER_CONFIG};
use weights::Weights;

const WEIGHTS: &str = "model.safetensors";

/// A model with its settings and its tokenizer: the content of a model folder.
#[derive(Clone, Debug)]
pub struct Pretrained<M = SequenceClassifier> {
    /// The settings.
    pub config: ModelConfig,
    /// The weights.
    pub model: M,
    /// The tokenizer: tokenizer.json with the settings of the files that override it.
    pub tokenizer: Tokenizer,
    /// The content of tokenizer_config.json, which is written back. Settings that change ids are
    /// already applied to [`tokenizer`](Pretrained::tokenizer).
    pub tokenizer_config: Map<String, Value>,
    /// Names of the newly initialized tensors: see [`Checkpoint::fresh`].
    pub fresh: Vec<String>,
    /// Names of the stored tensors that are not part of the model: see [`Checkpoint::extra`].
    pub extra: Vec<String>,
    /// The ignored part of the names of tensors: see [`Checkpoint::wrapper`].
    pub wrapper: Option<String>,
}

impl<M: PretrainedModel> Pretrained<M> {
    /// Reads config.json, the weights, tokenizer.json and, if they exist, the files that override tokenizer.json.
    ///
    /// The overriding files are tokenizer_config.json and, for older tokenizers,
    /// special_tokens_map.json and added_tokens.json. Texts get the same ids as with
    /// `AutoTokenizer` of transformers 5.24: `do_lower_case`, `strip_accents`,
    /// `tokenize_chinese_chars`, `keep_accents`, `add_prefix_space`, `truncation_side`,
    /// `split_special_tokens` and the added tokens of these files override tokenizer.json.
    ///
    /// The weights are in model.safetensors, or in the shards that model.safetensors.index.json
    /// lists. Weights of 16 and 64 bits are converted to f32. The checkpoint may be that of a bare
    /// encoder, with or without prefix, or of a model with this head or another one.
    ///
    /// - Modules of the head that are not stored are newly initialized, and
    ///   [`fresh`](Pretrained::fresh) lists their tensors.
    /// - Buffers, unused poolers and other heads are ignored. [`extra`](Pretrained::extra) lists
    ///   all other tensors that are not part of the model.
    /// - It is an error if a tensor of the encoder is absent, has the wrong shape, or belongs to a
    ///   layer that the configuration does not describe.
    /// - If the stored classifier is used, the labels must be valid and match its number of
    ///   outputs.
    ///
    /// # Errors
    /// If the folder is incomplete or contradicts itself: see [`ModelError`].
    pub fn read(folder: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let config = read_config(folder.as_ref())?;
        Self::read_with(folder.as_ref(), config, None, device)
    }

    fn read_with(
        folder: &Path,
        config: ModelConfig,
        outputs: Option<usize>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let weights = Weights::open(folder, &config)?;
        let (tokenizer, tokenizer_config) = tokenizer::read(folder, &config)?;
        let Checkpoint {
            config,
            model,
            fresh,
            extra,
            wrapper,
        } = Checkpoint::load(folder, config, weights, outputs, device)?;
        Ok(Self {
            config,
            model,
            tokenizer,
            tokenizer_config,
            fresh,
            extra,
            wrapper,
        })
    }

    /// Splits the folder's content into the model and its tokenizer.
    pub fn into_parts(self) -> (Checkpoint<M>, Tokenizer) {
        let Self {
            config,
            model,
            tokenizer,
            fresh,
            extra,
            wrapper,
            ..
        } = self;
        (
            Checkpoint {
                config,
                model,
                fresh,
                extra,
                wrapper,
            },
            tokenizer,
        )
    }

    /// Notes for the user about ignored tensors and names: see [`Checkpoint::notes`].
    pub fn notes(&self) -> Vec<String> {
        checkpoint::notes(&self.extra, self.wrapper.as_deref())
    }

    /// Creates a model with newly initialized weights, for training from scratch.
    /// [`fresh`](Pretrained::fresh) is empty, although every tensor is new.
    ///
    /// # Errors
    /// If the configuration is not valid: see [`PretrainedModel::new`].
    pub fn from_scratch(
        config: ModelConfig,
        tokenizer: Tokenizer,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let model = M::new(&config, device)?;
        let tokenizer_config = tokenizer::settings(&tokenizer, &config);
        Ok(Self {
            config,
            model,
            tokenizer,
            tokenizer_config,
            fresh: Vec::new(),
            extra: Vec::new(),
            wrapper: None,
        })
    }

    /// Writes the model to `folder`, for transformers' `from_pretrained` and for [`read`](Pretrained::read).
    ///
    /// A new folder appears only when it is complete. If the folder exists, the files of the model
    /// are replaced one by one after all of them are on the disk, and other files are kept. Writing
    /// the same model again produces the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Io`] if a file operation fails.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), ModelError> {
        let folder = folder.as_ref();
        let path = folder.join(TOKENIZER);
        let (tokenizer, settings) =
            tokenizer::written(&self.tokenizer, &self.tokenizer_config, self.padding())
                .map_err(|source| ModelError::Tokenizer { path, source })?;
        let layout = self.config.architecture().layout();

        let mut staging = Staging::new(folder)?;
        staging.write(
            CONFIG,
            &to_json(&folder.join(CONFIG), &self.transformers_config())?,
        )?;
        staging.write_with(WEIGHTS, |file| save::write(&self.model, layout, file))?;
        staging.write(TOKENIZER, tokenizer.as_bytes())?;
        staging.write(
            TOKENIZER_CONFIG,
            &to_json(&folder.join(TOKENIZER_CONFIG), &settings)?,
        )?;
        staging.finish()
    }

    /// The configuration with the fields that transformers needs for the class, the labels, the
    /// padding token and the precision.
    fn transformers_config(&self) -> Value {
        let labels = match M::HEAD {
            // In transformers, the two outputs of a span extractor are its labels.
            Head::Span => Labels::default(),
            Head::None | Head::Classification => self.config.labels().spelled_out(),
        };
        let mut config = self.config.clone().with_labels(labels).to_json();
        config["architectures"] =
            json!([format!("{}{}", self.config.model().class, M::HEAD.suffix())]);
        // transformers 4.56 and later read `dtype`, earlier versions `torch_dtype`.
        config["dtype"] = json!("float32");
        config["torch_dtype"] = json!("float32");
        // Without a padding token, GPT-2's classifier in transformers rejects batches.
        if M::HEAD == Head::Classification && config["pad_token_id"].is_null() {
            config["pad_token_id"] = json!(self.padding());
        }
        config
    }

    /// The padding token: that of the model, else that of the tokenizer, else the end-of-text
    /// token, with which GPT-2 pads.
    fn padding(&self) -> Option<u32> {
        let named = || {
            let token = self.tokenizer_config.get("pad_token")?;
            self.tokenizer
                .token_to_id(token.as_str().or(token["content"].as_str())?)
        };
        let end = || u32::try_from(self.config.to_json()["eos_token_id"].as_u64()?).ok();
        let id = self
            .config
            .padding()
            .map(|id| id as u32)
            .or_else(named)
            .or_else(end);
        id.filter(|id| (*id as usize) < self.config.sizes().vocabulary)
    }
}

impl Pretrained<SequenceClassifier> {
    /// Reads a model for a task with these labels. A single label means regression.
    ///
    /// The output layer of the stored classifier is used if it has the same number of labels.
    /// Otherwise it is newly initialized, and [`fresh`](Pretrained::fresh) lists its tensors.
    ///
    /// # Errors
    /// See [`read`](Pretrained::read).
    pub fn read_with_labels<S: Into<String>>(
        folder: impl AsRef<Path>,
        labels: impl IntoIterator<Item = S>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let names: Vec<String> = labels.into_iter().map(Into::into).collect();
        let problem = if names.len() == 1 {
            ProblemType::Regression
        } else {
            ProblemType::SingleLabel
        };
        Self::read_for(folder, Labels::new(names, problem), device)
    }

    /// Reads a model like [`read_with_labels`](Pretrained::read_with_labels), for labels with any
    /// type of problem.
    ///
    /// # Errors
    /// See [`read`](Pretrained::read).
    pub fn read_for(
        folder: impl AsRef<Path>,
        labels: Labels,
        device: &Device,
    ) -> Result<Self, ModelError> {
        labels.validate()?;
        let outputs = labels.len();
        let config = read_config(folder.as_ref())?.with_labels(labels);
        Self::read_with(folder.as_ref(), config, Some(outputs), device)
    }
}
