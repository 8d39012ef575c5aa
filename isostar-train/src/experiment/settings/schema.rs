//! JSON Schema of a settings file, generated from the table of settings.

use std::path::PathBuf;

use clap::ValueEnum;
use isostar_core::{LayerSelection, Padding};
use serde_json::{Map, Value, json};

use super::super::{OnSpike, Preset, Schedule, SnapshotInterval};
use super::range::{Bound, Range};
use super::table::{PADDINGS, rows};
use super::{RegularizerName, TrainOptions, TrainSettings};
use crate::data::{Batching, Columns, LabelKind};

/// JSON Schema dialect of the schemas.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Name of a setting and the schema of its value.
pub(super) struct Row {
    name: &'static str,
    schema: Value,
}

impl Row {
    /// Creates the schema of a setting; `lines` are the lines of its documentation.
    pub fn new<T: Described>(name: &'static str, lines: &[&str], range: Option<Range>) -> Self {
        let mut schema = T::schema();
        schema["description"] = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").into();
        for bound in range.iter().flat_map(|range| range.bounds) {
            match *bound {
                Bound::AtLeast(low) => schema["minimum"] = low.into(),
                Bound::Above(low) => schema["exclusiveMinimum"] = low.into(),
                Bound::AtMost(high) => schema["maximum"] = high.into(),
            }
        }
        Self { name, schema }
    }
}

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
        let rows = rows().into_iter().map(|Row { name, mut schema }| {
            if let Some(default) = defaults.get(name) {
                schema["default"] = default.clone();
            }
            (name.to_string(), schema)
        });
        rows.collect()
    }
}

/// Returns the schema of an object that allows these properties and no others.
pub(crate) fn object(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Returns the defaults that are the same for all models and regularizers.
fn constant_defaults() -> Map<String, Value> {
    let variants = RegularizerName::value_variants().iter().flat_map(|regularizer| {
        [None, Some("pretrained")].map(|model| {
            let options = TrainOptions { regularizer: Some(*regularizer), model: model.map(String::from), ..Default::default() };
            match serde_json::to_value(TrainSettings::resolve(options)) {
                Ok(Value::Object(settings)) => settings,
                other => unreachable!("settings are plain values by name: {other:?}"),
            }
        })
    });
    let common = variants.reduce(|one, other| one.into_iter().filter(|(name, value)| other.get(name) == Some(value)).collect());
    common.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null() && !value.is_object()).collect()
}

/// Type of a setting.
pub(super) trait Described {
    /// Returns the JSON Schema of its values.
    fn schema() -> Value;
}

impl Described for usize {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Described for u64 {
    fn schema() -> Value {
        usize::schema()
    }
}

impl Described for f64 {
    fn schema() -> Value {
        json!({ "type": "number" })
    }
}

impl Described for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl Described for PathBuf {
    fn schema() -> Value {
        String::schema()
    }
}

impl Described for SnapshotInterval {
    fn schema() -> Value {
        json!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^\\s*[0-9]+\\s*(h|m|min|s)?\\s*$" })
    }
}

impl Described for LayerSelection {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^\\s*(all|last|\\d+\\s*(,\\s*\\d+\\s*)*)\\s*$" })
    }
}

impl Described for Padding {
    fn schema() -> Value {
        json!({ "enum": PADDINGS })
    }
}

impl Described for Columns {
    fn schema() -> Value {
        let column = |of: &str| json!({ "type": "string", "description": format!("The column of {of}") });
        let kinds = [LabelKind::Classification, LabelKind::Regression];
        json!({
            "type": "object",
            "properties": {
                "text": column("the text"),
                "pair": column("the second text of a pair"),
                "label": column("the label"),
                "kind": { "enum": kinds, "default": LabelKind::default(), "description": "Whether labels are classes or numbers" },
                "header": {
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "The names of all columns of a TSV or CSV file whose first row does not name them"
                },
            },
            "additionalProperties": false,
        })
    }
}

/// Implements `Described` for enums, by the names of their values.
macro_rules! described_by_names {
    ($($type:ty),*) => {$(
        impl Described for $type {
            fn schema() -> Value {
                let values = <$type>::value_variants().iter().filter_map(ValueEnum::to_possible_value);
                json!({ "enum": values.map(|value| value.get_name().to_string()).collect::<Vec<_>>() })
            }
        }
    )*};
}

described_by_names!(Batching, OnSpike, Preset, RegularizerName, Schedule);
