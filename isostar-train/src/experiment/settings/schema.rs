//! JSON Schema of a settings file, generated from the table of settings.

use serde_json::{Map, Value, json};

use super::define::Setting;
use super::{RegularizerName, TrainOptions, TrainSettings};
use crate::choice::Choice;

/// JSON Schema dialect of the schemas.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

impl TrainOptions {
    /// Returns the JSON Schema (2020-12) of the TOML settings file that [`read`](Self::read)
    /// accepts.
    ///
    /// It includes the defaults that do not depend on other settings.
    pub fn schema() -> Value {
        let mut schema = object(Self::properties());
        schema["$schema"] = DIALECT.into();
        schema["title"] = "Settings of isostar train".into();
        schema
    }

    /// Returns the schema of each setting, by name.
    pub(crate) fn properties() -> Map<String, Value> {
        let defaults = constant_defaults();
        let rows = Self::settings().into_iter().map(
            |Setting {
                 name, mut schema, ..
             }| {
                if let Some(default) = defaults.get(name) {
                    schema["default"] = default.clone();
                }
                (name.to_string(), schema)
            },
        );
        rows.collect()
    }
}

/// Returns the schema of an object that allows these properties and no others.
pub(crate) fn object(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Returns the defaults that are the same for all models, regularizers and devices.
fn constant_defaults() -> Map<String, Value> {
    let variants = RegularizerName::CHOICES
        .iter()
        .flat_map(|(regularizer, ..)| {
            [None, Some("pretrained")].map(|model| {
                let options = TrainOptions {
                    regularizer: Some(*regularizer),
                    model: model.map(String::from),
                    ..Default::default()
                };
                match serde_json::to_value(TrainSettings::resolve(options)) {
                    Ok(Value::Object(settings)) => settings,
                    other => unreachable!("settings are plain values by name: {other:?}"),
                }
            })
        });
    let common = variants.reduce(|one, other| {
        one.into_iter()
            .filter(|(name, value)| other.get(name) == Some(value))
            .collect()
    });
    let is_constant =
        |name: &str, value: &Value| !value.is_null() && !value.is_object() && name != "pad_to";
    common
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, value)| is_constant(name, value))
        .collect()
}
