//! The files beside tokenizer.json, which say otherwise: tokenizer_config.json, special_tokens_map.json and added_tokens.json.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokenizers::TruncationDirection;

use super::{TOKENIZER, TOKENIZER_CONFIG};
use super::added::ADDED_TOKENS;
use crate::ModelError;
use crate::pretrained::folder::{parse_json, read_file};

const EXTRA: &str = "extra_special_tokens";
/// What transformers called it before its fifth version.
const ADDITIONAL: &str = "additional_special_tokens";
const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
const ADDED_TOKENS_FILE: &str = "added_tokens.json";

/// The settings of a tokenizer, as transformers' classes take them.
pub(super) struct Options {
    /// tokenizer_config.json.
    path: PathBuf,
    /// Whether there is one.
    pub is_stored: bool,
    pub fields: Map<String, Value>,
    /// Tokens and their ids, of added_tokens.json.
    pub added_tokens: BTreeMap<String, u32>,
}

impl Options {
    /// What a folder says. The two older files count only where tokenizer_config.json has no `added_tokens_decoder`; what special_tokens_map.json says then
    /// goes before tokenizer_config.json.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(TOKENIZER_CONFIG);
        let stored: Option<Map<String, Value>> = read_optional(&path)?;
        let mut options = Self { is_stored: stored.is_some(), path, fields: stored.unwrap_or_default(), added_tokens: BTreeMap::new() };
        if !options.fields.contains_key(ADDED_TOKENS) {
            let map: Map<String, Value> = read_optional(&folder.join(SPECIAL_TOKENS_MAP))?.unwrap_or_default();
            options.merge(map);
            options.added_tokens = read_optional(&folder.join(ADDED_TOKENS_FILE))?.unwrap_or_default();
        }
        Ok(options)
    }

    fn merge(&mut self, special_tokens: Map<String, Value>) {
        let extra_is_set = [EXTRA, ADDITIONAL].iter().any(|name| self.fields.contains_key(*name));
        for (name, value) in special_tokens {
            let value = match value {
                Value::Array(tokens) => tokens.into_iter().map(as_special).collect(),
                value => as_special(value),
            };
            match (name.as_str(), value) {
                (ADDITIONAL, _) if extra_is_set => {}
                (EXTRA, Value::Array(others)) => {
                    let mut tokens = self.extra_special_tokens().as_array().cloned().unwrap_or_default();
                    tokens.extend(others);
                    self.fields.insert(name, tokens.into());
                }
                (_, value) => drop(self.fields.insert(name, value)),
            }
        }
    }

    /// Special tokens without a role: a list, or an object that names them; the older name counts where the newer one says nothing.
    pub fn extra_special_tokens(&self) -> &Value {
        let says = |name: &str| self.fields.get(name).filter(|tokens| !tokens.is_null() && tokens.as_array().is_none_or(|list| !list.is_empty()));
        says(EXTRA).or(says(ADDITIONAL)).unwrap_or(&Value::Null)
    }

    /// A field, if it is there.
    pub fn get<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ModelError> {
        self.fields.get(field).map(|value| self.parse(field, value)).transpose()
    }

    /// What a field holds, or one of the things in it.
    pub fn parse<T: DeserializeOwned>(&self, field: &str, value: &Value) -> Result<T, ModelError> {
        T::deserialize(value).map_err(|source| ModelError::FieldType { path: self.path.clone(), field: field.to_string(), source })
    }

    /// The same with a value where it is not there.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool, ModelError> {
        Ok(self.get(field)?.unwrap_or(default))
    }

    /// The side from which texts that are too long lose tokens.
    pub fn truncation_side(&self) -> Result<Option<TruncationDirection>, ModelError> {
        const FIELD: &str = "truncation_side";
        match self.fields.get(FIELD) {
            None => Ok(None),
            Some(side) if side == "left" => Ok(Some(TruncationDirection::Left)),
            Some(side) if side == "right" => Ok(Some(TruncationDirection::Right)),
            Some(other) => Err(ModelError::setting(FIELD, other, "\"left\" or \"right\"").in_file(&self.path)),
        }
    }

    /// The refusal of tokenizer.json with these settings.
    pub fn refused(&self, source: tokenizers::Error) -> ModelError {
        ModelError::Tokenizer { path: self.path.with_file_name(TOKENIZER), source }
    }

    /// The file that adds tokens to those of tokenizer.json.
    pub fn adding_file(&self) -> PathBuf {
        match self.added_tokens.is_empty() {
            true => self.path.clone(),
            false => self.path.with_file_name(ADDED_TOKENS_FILE),
        }
    }
}

fn read_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    match path.exists() {
        true => parse_json(path, &read_file(path)?).map(Some),
        false => Ok(None),
    }
}

/// A token of special_tokens_map.json as tokenizer_config.json writes it.
fn as_special(mut token: Value) -> Value {
    if token["content"].is_string() {
        token["special"] = true.into();
        token["__type"] = "AddedToken".into();
    }
    token
}
