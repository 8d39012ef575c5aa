//! Types of settings: how their values are written as text and in JSON Schema.

use std::path::PathBuf;
use std::str::FromStr;

use isostar_core::{LayerSelection, Padding};
use serde_json::{Value, json};

use super::super::{OnSpike, Schedule, SnapshotInterval, Thresholds};
use super::{
    AccumulateScore, EstimatorName, PrecisionName, Preset, RegularizerName, ShrinkageSetting,
    Targets,
};
use crate::choice::Choice;
use crate::data::{Batching, Columns, LabelKind};

/// Type of a setting.
pub(super) trait Kind: Sized {
    /// Whether a value may begin with a minus.
    const IS_SIGNED: bool = false;

    /// Returns the JSON Schema of the values.
    fn schema() -> Value;

    /// Reads a value from text.
    ///
    /// # Errors
    /// If the text stands for no value; the message says why.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns the names of the values, each with one line about it, if the values have names.
    fn choices() -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

/// Implements `parse` with `FromStr`.
fn from_str<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl Kind for usize {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for u64 {
    fn schema() -> Value {
        usize::schema()
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for f64 {
    const IS_SIGNED: bool = true;

    fn schema() -> Value {
        json!({ "type": "number" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl Kind for PathBuf {
    fn schema() -> Value {
        String::schema()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("the path is empty".into())
        } else {
            Ok(text.into())
        }
    }
}

impl Kind for SnapshotInterval {
    fn schema() -> Value {
        json!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^\\s*[0-9]+\\s*(h|m|min|s)?\\s*$" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for LayerSelection {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^\\s*(all|last|each|\\d+\\s*(,\\s*\\d+\\s*)*|\\d+\\s*:[^,:]+(,\\s*\\d+\\s*:[^,:]+)*)\\s*$" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for Targets {
    fn schema() -> Value {
        let number = r"\s*[0-9.eE+-]+\s*";
        json!({
            "type": ["number", "string"],
            "minimum": 0,
            "maximum": 1,
            "pattern": format!("^({number}|\\s*\\d+\\s*:{number}(,\\s*\\d+\\s*:{number})*)$"),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for Thresholds {
    fn schema() -> Value {
        json!({ "type": "string", "pattern": r"^[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for ShrinkageSetting {
    const IS_SIGNED: bool = true;

    fn schema() -> Value {
        json!({ "type": ["number", "string"], "pattern": "^auto$" })
    }

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text)
    }
}

impl Kind for Columns {
    fn schema() -> Value {
        let column =
            |of: &str| json!({ "type": "string", "description": format!("The column of {of}") });
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

    fn parse(_text: &str) -> Result<Self, String> {
        Err("columns are a table of a settings file".into())
    }
}

impl Choice for Padding {
    const CHOICES: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Mask, "mask", ""), (Self::Keep, "keep", "")];
}

/// Implements `Kind` for types with named values.
macro_rules! kind_by_names {
    ($($type:ty),*) => {$(
        impl Kind for $type {
            fn schema() -> Value {
                json!({ "enum": Self::CHOICES.iter().map(|(_, name, _)| *name).collect::<Vec<_>>() })
            }

            fn parse(text: &str) -> Result<Self, String> {
                let named = Self::CHOICES.iter().find(|(_, name, _)| *name == text);
                named.map(|(value, ..)| *value).ok_or_else(|| "there is no such value".into())
            }

            fn choices() -> Vec<(&'static str, &'static str)> {
                Self::CHOICES.iter().map(|(_, name, help)| (*name, help.trim().trim_end_matches('.'))).collect()
            }
        }
    )*};
}

kind_by_names!(
    AccumulateScore,
    EstimatorName,
    Batching,
    OnSpike,
    Padding,
    PrecisionName,
    Preset,
    RegularizerName,
    Schedule
);
