//! A model folder: config.json, model.safetensors and tokenizer.json, as transformers reads and writes them.

mod checkpoint;
mod folder;
mod keys;

use std::path::Path;

use burn::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use crate::bert::LAYOUT;
use crate::{BertConfig, ModelError, SequenceClassifier};
pub(crate) use checkpoint::Layout;
use folder::{Staging, parse_json, read_file, to_json};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const PICKLE: &str = "pytorch_model.bin";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// A model with all that its folder says of it.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// The settings.
    pub config: BertConfig,
    /// The weights.
    pub model: SequenceClassifier,
    /// What turns text into ids.
    pub tokenizer: Tokenizer,
    /// transformers' settings of the tokenizer: kept for writing, not used.
    pub tokenizer_config: Map<String, Value>,
    /// The names of the tensors with fresh weights: those of a head that the checkpoint lacks, or has for other labels.
    pub fresh: Vec<String>,
}

impl Pretrained {
    /// Reads config.json, model.safetensors, tokenizer.json and, if it is there, tokenizer_config.json.
    ///
    /// The checkpoint may be that of a classifier, with the `bert.` prefix, or of a bare encoder, without it. Its pooler and
    /// classifier may be absent; any other tensor that is absent, misshapen or unknown is an error, but for
    /// `embeddings.position_ids` and pretraining's `cls.` heads, which are passed over. Weights of 16 and 64 bits become f32.
    ///
    /// # Errors
    /// Every way in which a folder can be incomplete or contradict itself: see [`ModelError`].
    pub fn read(folder: impl AsRef<Path>, device: &Device) -> Result<Self, ModelError> {
        let config = read_config(folder.as_ref())?;
        read_with(folder.as_ref(), config, None, device)
    }

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
        let stored = read_config(folder.as_ref())?;
        let stored_labels = stored.labels().len();
        let config = stored.with_labels(labels);
        let discarded = (config.labels().len() != stored_labels).then_some("classifier");
        read_with(folder.as_ref(), config, discarded, device)
    }

    /// A model with fresh weights, for training from nothing; every tensor is new, so [`fresh`](Pretrained::fresh) is left empty.
    ///
    /// # Errors
    /// If the configuration cannot be honoured.
    pub fn from_scratch(config: BertConfig, tokenizer: Tokenizer, device: &Device) -> Result<Self, ModelError> {
        let model = SequenceClassifier::new(&config, device)?;
        let tokenizer_config = minimal_tokenizer_config(&tokenizer, &config);
        Ok(Self { config, model, tokenizer, tokenizer_config, fresh: Vec::new() })
    }

    /// Writes the model to `folder`, for `AutoModelForSequenceClassification.from_pretrained` and for [`read`](Pretrained::read).
    ///
    /// The folder appears whole or not at all. If it exists, its model is replaced file by file once all are on the disk,
    /// and other files in it stay.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), ModelError> {
        let folder = folder.as_ref();
        let weights_path = folder.join(WEIGHTS);
        let weights =
            checkpoint::serialize(&self.model, &LAYOUT).map_err(|source| ModelError::Checkpoint { path: weights_path, source })?;
        let tokenizer_path = folder.join(TOKENIZER);
        let tokenizer = self.tokenizer.to_string(true).map_err(|source| ModelError::Tokenizer { path: tokenizer_path, source })?;

        let mut staging = Staging::new(folder)?;
        staging.write(CONFIG, &to_json(&folder.join(CONFIG), &self.transformers_config())?)?;
        staging.write(WEIGHTS, &weights)?;
        staging.write(TOKENIZER, tokenizer.as_bytes())?;
        staging.write(TOKENIZER_CONFIG, &to_json(&folder.join(TOKENIZER_CONFIG), &self.tokenizer_config)?)?;
        staging.finish()
    }

    /// The configuration with what transformers needs to choose the class, name the labels and keep the precision.
    fn transformers_config(&self) -> impl Serialize + use<> {
        let mut config = self.config.clone();
        if config.id2label.is_none() {
            let problem = config.problem_type.take();
            config = config.with_labels(self.config.labels());
            config.problem_type = problem;
        }
        config.rest.insert("architectures".to_string(), json!(["BertForSequenceClassification"]));
        // The first is the name since transformers 4.56, the second the one before.
        config.rest.insert("dtype".to_string(), json!("float32"));
        config.rest.insert("torch_dtype".to_string(), json!("float32"));
        config
    }
}

fn read_config(folder: &Path) -> Result<BertConfig, ModelError> {
    if !folder.is_dir() {
        return Err(ModelError::NoFolder { path: folder.to_path_buf() });
    }
    let path = folder.join(CONFIG);
    let value: Value = parse_json(&path, &read_file(&path)?)?;
    // Before the fields: those of another architecture have other names and types.
    match value.get("model_type").and_then(Value::as_str) {
        Some(BertConfig::MODEL_TYPE) => {}
        found => {
            let found = found.unwrap_or_default().to_string();
            return Err(ModelError::ModelType { path, found, supported: BertConfig::MODEL_TYPE });
        }
    }
    let config: BertConfig = serde_json::from_value(value).map_err(|source| ModelError::Json { path: path.clone(), source })?;
    config.validate().map_err(|error| error.in_file(&path))?;
    Ok(config)
}

fn read_with(folder: &Path, config: BertConfig, discarded: Option<&str>, device: &Device) -> Result<Pretrained, ModelError> {
    let weights = folder.join(WEIGHTS);
    let pickle = folder.join(PICKLE);
    if !weights.exists() && pickle.exists() {
        return Err(ModelError::PickleOnly { path: pickle });
    }
    let tokenizer = read_tokenizer(folder, &config)?;
    let tokenizer_config = match folder.join(TOKENIZER_CONFIG) {
        path if path.exists() => parse_json(&path, &read_file(&path)?)?,
        _ => minimal_tokenizer_config(&tokenizer, &config),
    };
    let model = SequenceClassifier::new(&config, device)?;
    let (model, fresh) = checkpoint::load(model, &weights, &read_file(&weights)?, &LAYOUT, discarded)?;
    Ok(Pretrained { config, model, tokenizer, tokenizer_config, fresh })
}

fn read_tokenizer(folder: &Path, config: &BertConfig) -> Result<Tokenizer, ModelError> {
    let path = folder.join(TOKENIZER);
    let bytes = read_file(&path)?;
    let tokenizer = Tokenizer::from_bytes(bytes).map_err(|source| ModelError::Tokenizer { path: path.clone(), source })?;
    let tokens = tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
    match tokens > config.vocab_size {
        true => Err(ModelError::Vocabulary { path, tokens, rows: config.vocab_size }),
        false => Ok(tokenizer),
    }
}

/// The tokenizer's settings where the source has none: its length limit and which of BERT's special tokens it knows.
fn minimal_tokenizer_config(tokenizer: &Tokenizer, config: &BertConfig) -> Map<String, Value> {
    const SPECIAL: [(&str, &str); 5] =
        [("cls_token", "[CLS]"), ("mask_token", "[MASK]"), ("pad_token", "[PAD]"), ("sep_token", "[SEP]"), ("unk_token", "[UNK]")];
    let known = SPECIAL.into_iter().filter(|(_, token)| tokenizer.token_to_id(token).is_some());
    let tokens = known.map(|(name, token)| (name.to_string(), json!(token)));
    let settings = [
        ("tokenizer_class".to_string(), json!("PreTrainedTokenizerFast")),
        ("model_max_length".to_string(), json!(config.max_position_embeddings)),
    ];
    settings.into_iter().chain(tokens).collect()
}
