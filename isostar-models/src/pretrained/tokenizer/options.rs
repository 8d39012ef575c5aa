//! The files that override tokenizer.json: tokenizer_config.json, special_tokens_map.json and added_tokens.json.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokenizers::TruncationDirection;

use super::names::{ADDED_TOKENS, EXTRA, TOKENIZER, TOKENIZER_CONFIG};
use crate::ModelError;
use crate::pretrained::folder::{parse_json, read_file};

/// The name of `extra_special_tokens` before transformers 5.
const ADDITIONAL: &str = "additional_special_tokens";
const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
const ADDED_TOKENS_FILE: &str = "added_tokens.json";

/// The settings that transformers passes to a tokenizer class.
pub(super) struct Options {
    /// The path of tokenizer_config.json.
    path: PathBuf,
    /// Whether that file exists.
    pub is_stored: bool,
    /// Its fields, including those of special_tokens_map.json if they apply.
    pub fields: Map<String, Value>,
    /// The tokens of added_tokens.json with their ids.
    pub added_tokens: BTreeMap<String, u32>,
    /// Whether the special tokens without a role come from special_tokens_map.json.
    extra_is_mapped: bool,
}

impl Options {
    /// Reads the settings of a folder. As in transformers, the two older files are read only if tokenizer_config.json has no
    /// `added_tokens_decoder`; special_tokens_map.json then overrides tokenizer_config.json.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(TOKENIZER_CONFIG);
        let stored: Option<Map<String, Value>> = read_optional(&path)?;
        let is_stored = stored.is_some();
        let mut options = Self {
            path,
            is_stored,
            fields: stored.unwrap_or_default(),
            added_tokens: BTreeMap::new(),
            extra_is_mapped: false,
        };
        if !options.fields.contains_key(ADDED_TOKENS) {
            let map: Map<String, Value> =
                read_optional(&folder.join(SPECIAL_TOKENS_MAP))?.unwrap_or_default();
            options.merge(map);
            options.added_tokens =
                read_optional(&folder.join(ADDED_TOKENS_FILE))?.unwrap_or_default();
        }
        Ok(options)
    }

    /// Overrides fields with those of special_tokens_map.json.
    fn merge(&mut self, special_tokens: Map<String, Value>) {
        let has_list = match self.fields.get(EXTRA) {
            Some(extra) => !extra.is_object(),
            None => self.fields.contains_key(ADDITIONAL),
        };
        for (name, value) in special_tokens {
            let value = match value {
                Value::Array(tokens) => tokens.into_iter().map(as_special).collect(),
                value => as_special(value),
            };
            match (name.as_str(), value) {
                (ADDITIONAL, _) if has_list => {}
                (ADDITIONAL, value) => {
                    self.extra_is_mapped = true;
                    self.fields.insert(name, value);
                }
                (EXTRA, Value::Array(others)) => {
                    let mut tokens = self.extra_special_tokens().to_vec();
                    tokens.extend(others);
                    self.fields.insert(name, tokens.into());
                }
                (_, value) => drop(self.fields.insert(name, value)),
            }
        }
    }

    /// The special tokens without a role. The older field is used only if the newer one lists none.
    pub fn extra_special_tokens(&self) -> &[Value] {
        let list = |name: &str| {
            self.fields
                .get(name)
                .and_then(Value::as_array)
                .filter(|tokens| !tokens.is_empty())
        };
        list(EXTRA)
            .or_else(|| list(ADDITIONAL))
            .map_or(&[], Vec::as_slice)
    }

    /// The special tokens without a role that make a token of added_tokens.json special. Those of special_tokens_map.json do not: transformers
    /// adds them as ordinary tokens.
    pub fn specials_of_added(&self) -> &[Value] {
        if self.extra_is_mapped {
            &[]
        } else {
            self.extra_special_tokens()
        }
    }

    /// The special tokens with roles that are specific to this tokenizer, by role.
    pub fn own_special_tokens(&self) -> impl Iterator<Item = (&String, &Value)> {
        ["model_specific_special_tokens", EXTRA]
            .into_iter()
            .filter_map(|name| self.fields.get(name)?.as_object())
            .flatten()
    }

    /// The value of a field; `None` if the field is absent.
    pub fn get<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ModelError> {
        self.fields
            .get(field)
            .map(|value| self.parse(field, value))
            .transpose()
    }

    /// Parses a value that a field holds.
    pub fn parse<T: DeserializeOwned>(&self, field: &str, value: &Value) -> Result<T, ModelError> {
        T::deserialize(value).map_err(|source| ModelError::FieldType {
            path: self.path.clone(),
            field: field.to_string(),
            source,
        })
    }

    /// The value of a boolean field, or `default` if the field is absent.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool, ModelError> {
        Ok(self.get(field)?.unwrap_or(default))
    }

    /// The side on which long texts are truncated.
    pub fn truncation_side(&self) -> Result<Option<TruncationDirection>, ModelError> {
        const FIELD: &str = "truncation_side";
        match self.fields.get(FIELD) {
            None => Ok(None),
            Some(side) if side == "left" => Ok(Some(TruncationDirection::Left)),
            Some(side) if side == "right" => Ok(Some(TruncationDirection::Right)),
            Some(other) => {
                Err(ModelError::setting(FIELD, other, "\"left\" or \"right\"").in_file(&self.path))
            }
        }
    }

    /// The error for a tokenizer.json that cannot be used with these settings.
    pub fn refused(&self, source: tokenizers::Error) -> ModelError {
        ModelError::Tokenizer {
            path: self.path.with_file_name(TOKENIZER),
            source,
        }
    }

    /// The path of the file that adds tokens to those of tokenizer.json.
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

/// Converts a token of special_tokens_map.json to the form of tokenizer_config.json.
fn as_special(mut token: Value) -> Value {
    if token["content"].is_string() {
        token["special"] = true.into();
        token["__type"] = "AddedToken".into();
    }
    token
}
