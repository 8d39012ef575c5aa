//! A model folder: config.json, model.safetensors and tokenizer.json, as transformers reads and writes them.

mod adapter;
mod checkpoint;
mod folder;
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
use checkpoint::read_config;
use folder::{Staging, to_json};
pub(crate) use layout::{Key, Layout};
use tokenizer::{TOKENIZER, TOKENIZER_CONFIG};
use weights::Weights;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// A model with all that its folder says of it.
#[derive(Clone, Debug)]
pub struct Pretrained<M = SequenceClassifier> {
    /// The settings.
    pub config: ModelConfig,
    /// The weights.
    pub model: M,
    /// The tokenizer: tokenizer.json with the settings of the files that override it.
    pub tokenizer: Tokenizer,
    /// transformers' settings of the tokenizer, kept for writing. Those that change ids are already applied to
    /// [`tokenizer`](Pretrained::tokenizer).
    pub tokenizer_config: Map<String, Value>,
    /// The names of the tensors with fresh weights: see [`Checkpoint::fresh`].
    pub fresh: Vec<String>,
    /// The names of the stored tensors that are no part of the model: see [`Checkpoint::extra`].
    pub extra: Vec<String>,
    /// What was left out of the names of tensors: see [`Checkpoint::wrapper`].
    pub wrapper: Option<String>,
}

impl<M: PretrainedModel> Pretrained<M> {
    /// Reads config.json, the weights, tokenizer.json and, if they exist, the files that override tokenizer.json.
    ///
    /// These are tokenizer_config.json and, of older tokenizers, special_tokens_map.json and added_tokens.json. Texts get the ids that
    /// `AutoTokenizer` of transformers 5.24 gives them: `do_lower_case`, `strip_accents`, `tokenize_chinese_chars`, `keep_accents`,
    /// `add_prefix_space`, `truncation_side`, `split_special_tokens` and the added tokens of these files override tokenizer.json.
    ///
    /// The weights are in model.safetensors, or in shards that model.safetensors.index.json names; numbers of 16 and 64 bits become f32. The
    /// checkpoint may be that of a bare encoder, with or without prefix, or have this head or another. Modules of the head may be absent, and
    /// [`fresh`](Pretrained::fresh) then names their tensors. Buffers, unused poolers and other heads are passed over, and
    /// [`extra`](Pretrained::extra) names what else is no part of the model. A tensor of the encoder that is absent or misshapen, or of a layer
    /// that the configuration does not name, is an error. Where a stored classifier is read, the labels must name its outputs.
    ///
    /// # Errors
    /// Every way in which a folder can be incomplete or contradict itself: see [`ModelError`].
    pub fn read(folder: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let config = read_config(folder.as_ref())?;
        Self::read_with(folder.as_ref(), config, None, device)
    }

    fn read_with(folder: &Path, config: ModelConfig, outputs: Option<usize>, device: &Device) -> Result<Self, ModelError> {
        let weights = Weights::open(folder, &config)?;
        let (tokenizer, tokenizer_config) = tokenizer::read(folder, &config)?;
        let Checkpoint { config, model, fresh, extra, wrapper } = Checkpoint::load(folder, config, weights, outputs, device)?;
        Ok(Self { config, model, tokenizer, tokenizer_config, fresh, extra, wrapper })
    }

    /// The model and its tokenizer.
    pub fn into_parts(self) -> (Checkpoint<M>, Tokenizer) {
        let Self { config, model, tokenizer, fresh, extra, wrapper, .. } = self;
        (Checkpoint { config, model, fresh, extra, wrapper }, tokenizer)
    }

    /// What a person should know of how the folder was read: see [`Checkpoint::notes`].
    pub fn notes(&self) -> Vec<String> {
        checkpoint::notes(&self.extra, self.wrapper.as_deref())
    }

    /// A model with fresh weights, for training from nothing; every tensor is new, so [`fresh`](Pretrained::fresh) is left empty.
    ///
    /// # Errors
    /// If the configuration cannot be honoured.
    pub fn from_scratch(config: ModelConfig, tokenizer: Tokenizer, device: &Device) -> Result<Self, ModelError> {
        let model = M::new(&config, device)?;
        let tokenizer_config = tokenizer::settings(&tokenizer, &config);
        Ok(Self { config, model, tokenizer, tokenizer_config, fresh: Vec::new(), extra: Vec::new(), wrapper: None })
    }

    /// Writes the model to `folder`, for transformers' `from_pretrained` and for [`read`](Pretrained::read).
    ///
    /// The folder appears whole or not at all. If it exists, its model is replaced file by file once all are on the disk,
    /// and other files in it stay. The same model is written as the same bytes.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), ModelError> {
        let folder = folder.as_ref();
        let path = folder.join(TOKENIZER);
        let (tokenizer, settings) = tokenizer::written(&self.tokenizer, &self.tokenizer_config, self.padding())
            .map_err(|source| ModelError::Tokenizer { path, source })?;
        let layout = self.config.architecture().layout();

        let mut staging = Staging::new(folder)?;
        staging.write(CONFIG, &to_json(&folder.join(CONFIG), &self.transformers_config())?)?;
        staging.write_with(WEIGHTS, |file| save::write(&self.model, layout, file))?;
        staging.write(TOKENIZER, tokenizer.as_bytes())?;
        staging.write(TOKENIZER_CONFIG, &to_json(&folder.join(TOKENIZER_CONFIG), &settings)?)?;
        staging.finish()
    }

    /// The configuration with what transformers needs to choose the class, name the labels, find the last token and keep the precision.
    fn transformers_config(&self) -> Value {
        let labels = match M::HEAD {
            // Its two outputs are what transformers calls labels there.
            Head::Span => Labels::default(),
            Head::None | Head::Classification => self.config.labels().spelled_out(),
        };
        let mut config = self.config.clone().with_labels(labels).to_json();
        config["architectures"] = json!([format!("{}{}", self.config.model().class, M::HEAD.suffix())]);
        // The first is the name since transformers 4.56, the second the one before.
        config["dtype"] = json!("float32");
        config["torch_dtype"] = json!("float32");
        // Without it GPT-2's classifier refuses batches in transformers.
        if M::HEAD == Head::Classification && config["pad_token_id"].is_null() {
            config["pad_token_id"] = json!(self.padding());
        }
        config
    }

    /// The padding token: the model's, else the tokenizer's, else the end of text, which GPT-2 pads with.
    fn padding(&self) -> Option<u32> {
        let named = || {
            let token = self.tokenizer_config.get("pad_token")?;
            self.tokenizer.token_to_id(token.as_str().or(token["content"].as_str())?)
        };
        let end = || u32::try_from(self.config.to_json()["eos_token_id"].as_u64()?).ok();
        let id = self.config.padding().map(|id| id as u32).or_else(named).or_else(end);
        id.filter(|id| (*id as usize) < self.config.sizes().vocabulary)
    }
}

impl Pretrained<SequenceClassifier> {
    /// Reads a model for a task with these labels; one label makes it a regression.
    ///
    /// The stored classifier is used if it has as many labels; otherwise it starts afresh, and
    /// [`fresh`](Pretrained::fresh) names it.
    ///
    /// # Errors
    /// As [`read`](Pretrained::read).
    pub fn read_with_labels<S: Into<String>>(
        folder: impl AsRef<Path>,
        labels: impl IntoIterator<Item = S>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let names: Vec<String> = labels.into_iter().map(Into::into).collect();
        let problem = if names.len() == 1 { ProblemType::Regression } else { ProblemType::SingleLabel };
        Self::read_for(folder, Labels::new(names, problem), device)
    }

    /// The same for any type of problem.
    ///
    /// # Errors
    /// As [`read`](Pretrained::read).
    pub fn read_for(folder: impl AsRef<Path>, labels: Labels, device: &Device) -> Result<Self, ModelError> {
        labels.validate()?;
        let outputs = labels.len();
        let config = read_config(folder.as_ref())?.with_labels(labels);
        Self::read_with(folder.as_ref(), config, Some(outputs), device)
    }
}
