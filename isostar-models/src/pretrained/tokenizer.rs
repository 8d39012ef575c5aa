//! Reading of tokenizer.json and of the files that override it, compatible with transformers 5.24.

mod added;
mod build;
mod class;
mod names;
mod options;

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, PostProcessor, Tokenizer, TruncationDirection, TruncationParams};

use super::folder::read_file;
use crate::{ModelConfig, ModelError};
use added::{AddedTokens, size};
use class::Class;
use names::ADDED_TOKENS;
pub(super) use names::{TOKENIZER, TOKENIZER_CONFIG};
use options::Options;

/// Reads the tokenizer of a folder, checks it against the model's vocabulary, and returns it with
/// the content of tokenizer_config.json.
///
/// As in transformers, the classes of the supported architectures use only the vocabulary, the added tokens, the truncation, the padding and, in
/// part, the post-processor of tokenizer.json; everything else follows from tokenizer_config.json or from their defaults. With any other class,
/// tokenizer.json is used as it is, and only added tokens, `truncation_side` and `split_special_tokens` are applied to it.
pub(super) fn read(
    folder: &Path,
    config: &ModelConfig,
) -> Result<(Tokenizer, Map<String, Value>), ModelError> {
    let path = folder.join(TOKENIZER);
    let stored =
        Tokenizer::from_bytes(read_file(&path)?).map_err(|source| ModelError::Tokenizer {
            path: path.clone(),
            source,
        })?;
    let options = Options::read(folder)?;
    let tokenizer = resolved(stored.clone(), &options, config)?;
    let (tokens, rows) = (size(&tokenizer), config.sizes().vocabulary);
    if tokens > rows {
        let path = if size(&stored) > rows {
            path
        } else {
            options.adding_file()
        };
        return Err(ModelError::Vocabulary { path, tokens, rows });
    }

    let mut fields = if options.is_stored {
        Map::new()
    } else {
        settings(&tokenizer, config)
    };
    fields.extend(options.fields);
    Ok((tokenizer, fields))
}

/// Applies the settings to the tokenizer of tokenizer.json.
fn resolved(
    stored: Tokenizer,
    options: &Options,
    config: &ModelConfig,
) -> Result<Tokenizer, ModelError> {
    let class = Class::new(options, config, &stored)?;
    let tokens = AddedTokens::new(&stored, options, class)?;
    let truncation = truncation(&stored, options.truncation_side()?, config);
    let mut tokenizer = class.rebuild(stored, options, &tokens)?;
    tokens
        .add_to(&mut tokenizer, config.sizes().vocabulary)
        .map_err(|source| options.refused(source))?;
    class.frame(&mut tokenizer, options, &tokens)?;
    tokenizer.set_encode_special_tokens(options.flag("split_special_tokens", false)?);
    let special = tokenizer
        .get_post_processor()
        .map_or(0, |processor| processor.added_tokens(true));
    // tokenizers 0.23.2 panics if the maximum length has no room for the special tokens of a pair.
    let truncation = truncation.map(|stored| TruncationParams {
        max_length: stored.max_length.max(special + stored.stride),
        ..stored
    });
    tokenizer
        .with_truncation(truncation)
        .map_err(|source| options.refused(source))?;
    Ok(tokenizer)
}

/// The truncation of tokenizer.json, on the side that the settings name. If tokenizer.json has no
/// truncation, truncation on the left is added with the maximum length of the model. Truncation on
/// the right is the default and needs no setting.
fn truncation(
    stored: &Tokenizer,
    side: Option<TruncationDirection>,
    config: &ModelConfig,
) -> Option<TruncationParams> {
    match (stored.get_truncation().cloned(), side) {
        (Some(stored), side) => Some(TruncationParams {
            direction: side.unwrap_or(stored.direction),
            ..stored
        }),
        (None, Some(direction @ TruncationDirection::Left)) => Some(TruncationParams {
            direction,
            max_length: config.sizes().positions,
            ..TruncationParams::default()
        }),
        (None, _) => None,
    }
}

/// Settings for a tokenizer without tokenizer_config.json: the maximum length, the inputs of the
/// model, and the special tokens, which are added tokens with the names that BERT, RoBERTa or GPT-2
/// use.
pub(super) fn settings(tokenizer: &Tokenizer, config: &ModelConfig) -> Map<String, Value> {
    const SPECIAL: [(&str, &[&str]); 7] = [
        ("bos_token", &["<s>", "<|endoftext|>"]),
        ("cls_token", &["[CLS]", "<s>"]),
        ("eos_token", &["</s>", "<|endoftext|>"]),
        ("mask_token", &["[MASK]", "<mask>"]),
        ("pad_token", &["[PAD]", "<pad>", "<|endoftext|>"]),
        ("sep_token", &["[SEP]", "</s>"]),
        ("unk_token", &["[UNK]", "<unk>", "<|endoftext|>"]),
    ];
    // transformers adds every special token that the settings name. Naming a token that is not an
    // added token would change ids.
    let known = |names: &[&'static str]| {
        names
            .iter()
            .copied()
            .find(|name| added::has(tokenizer, name))
    };
    let tokens = SPECIAL
        .into_iter()
        .filter_map(|(name, names)| Some((name.to_string(), json!(known(names)?))));
    let inputs: &[&str] = match config.sizes().segments {
        0 | 1 => &["input_ids", "attention_mask"],
        _ => &["input_ids", "token_type_ids", "attention_mask"],
    };
    let settings = [
        (
            "tokenizer_class".to_string(),
            json!("PreTrainedTokenizerFast"),
        ),
        (
            "model_max_length".to_string(),
            json!(config.sizes().positions),
        ),
        ("model_input_names".to_string(), json!(inputs)),
    ];
    settings.into_iter().chain(tokens).collect()
}

/// The content of tokenizer.json and of tokenizer_config.json to write. The settings name a padding
/// token, which transformers' tokenizers require for batches, and list all added tokens, so that
/// transformers ignores an added_tokens.json or special_tokens_map.json in the folder.
pub(super) fn written(
    tokenizer: &Tokenizer,
    settings: &Map<String, Value>,
    padding: Option<u32>,
) -> tokenizers::Result<(String, Map<String, Value>)> {
    let (mut tokenizer, mut settings) = (tokenizer.clone(), settings.clone());
    let token = padding.and_then(|id| tokenizer.id_to_token(id));
    if let Some(token) = token.filter(|_| settings.get("pad_token").is_none_or(Value::is_null)) {
        if !added::has(&tokenizer, &token) {
            // transformers adds every special token that the settings name.
            tokenizer.add_special_tokens([AddedToken::from(&token, true)])?;
        }
        settings.insert("pad_token".to_string(), json!(token));
    }
    settings.insert(ADDED_TOKENS.to_string(), added::list(&tokenizer));
    Ok((tokenizer.to_string(true)?, settings))
}
