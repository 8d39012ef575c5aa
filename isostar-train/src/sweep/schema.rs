//! The JSON Schema of a plan.

use serde_json::{Map, Value, json};

use super::Plan;
use super::plan::NAME;
use crate::experiment::{DIALECT, TrainOptions, object};

impl Plan {
    /// The JSON Schema, 2020-12, of a plan that [`read`](Self::read) takes; the file itself is TOML.
    pub fn schema() -> Value {
        let settings = TrainOptions::properties();
        let values = |(name, value): (String, Value)| {
            (
                name,
                json!({ "type": "array", "items": value, "minItems": 1 }),
            )
        };
        let varied: Map<String, Value> = settings.clone().into_iter().map(values).collect();
        let mut run = settings.clone();
        run.insert(NAME.into(), json!({ "type": "string", "description": "Name of the run and its folder; that of its task by default" }));
        json!({
            "$schema": DIALECT,
            "title": "Plan of isostar sweep",
            "type": "object",
            "properties": {
                "settings": described(object(settings), "The settings that all runs share"),
                "vary": described(object(varied), "Values of settings: each combination of them is a run"),
                "runs": {
                    "type": "array",
                    "items": object(run),
                    "description": "What differs between runs: each combination of what varies is a run of each of these",
                },
            },
            "additionalProperties": false,
        })
    }
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}
