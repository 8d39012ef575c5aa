//! `isostar schema`: the schema allows what `train` and `sweep` read, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use isostar_train::experiment::{TrainOptions, TrainSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::succeed;

fn schema(arguments: &[&str]) -> Value {
    let folder = TempDir::new().unwrap();
    serde_json::from_str(&succeed(folder.path(), &[&["schema"], arguments].concat())).unwrap()
}

/// Whether a value satisfies the rules of a schema; `pattern` is left out.
fn satisfies(value: &Value, schema: &Value) -> bool {
    let number = |rule: &Value, holds: fn(f64, f64) -> bool| {
        value
            .as_f64()
            .is_none_or(|number| holds(number, rule.as_f64().unwrap()))
    };
    schema
        .as_object()
        .unwrap()
        .iter()
        .all(|(keyword, rule)| match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "pattern" => true,
            "type" => match rule.as_array() {
                Some(types) => types.iter().any(|name| is_of_type(value, name)),
                None => is_of_type(value, rule),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "anyOf" => {
                let mut schemas = rule.as_array().unwrap().iter();
                schemas.any(|schema| satisfies(value, schema))
            }
            "minimum" => number(rule, |number, bound| number >= bound),
            "exclusiveMinimum" => number(rule, |number, bound| number > bound),
            "maximum" => number(rule, |number, bound| number <= bound),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| satisfies(item, rule))),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "properties" => {
                let mut properties = value.as_object().into_iter().flatten();
                properties
                    .all(|(name, value)| rule.get(name).is_none_or(|rule| satisfies(value, rule)))
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                value.as_object().is_none_or(|properties| {
                    properties
                        .keys()
                        .all(|name| schema["properties"].get(name).is_some())
                })
            }
            other => panic!("no rule for {other}"),
        })
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("no rule for the type {other}"),
    }
}

fn from_toml(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// Why `train` refuses a settings file, if it does.
fn refusal(text: &str) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("settings.toml");
    fs::write(&path, text).unwrap();
    let checked =
        TrainOptions::read(&path).and_then(|options| TrainSettings::resolve(options).check());
    checked.err().map(|error| error.to_string())
}

#[test]
fn the_schema_has_the_keys_that_a_settings_file_may_have() {
    let schema = schema(&[]);
    let refused = refusal("epoch = 1\n").unwrap();
    let known: BTreeSet<&str> = refused
        .split_once("expected one of")
        .unwrap()
        .1
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    let described = schema["properties"].as_object().unwrap();
    assert_eq!(
        described
            .keys()
            .map(String::as_str)
            .collect::<BTreeSet<_>>(),
        known
    );
    assert!(described.values().all(|setting| {
        setting["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    }));
    assert!(!satisfies(&from_toml("epoch = 1"), &schema));
}

#[test]
fn the_schema_and_the_command_allow_the_same_values() {
    let schema = schema(&[]);
    let mut tried = 0;
    for (name, setting) in schema["properties"].as_object().unwrap() {
        let values: Vec<Value> = match (&setting["enum"], setting["type"].as_str()) {
            // Their texts follow a pattern.
            _ if name == "target" => {
                vec![
                    0.into(),
                    0.3.into(),
                    1.5.into(),
                    (-1).into(),
                    "1:0.4,6:0.2".into(),
                ]
            }
            _ if name.starts_with("stop_") => vec!["isoscore=0.1,task_loss=2".into(), 1.into()],
            _ if setting["anyOf"].is_array() => {
                vec![0.3.into(), 1.into(), "auto".into(), "other".into()]
            }
            (Value::Array(names), _) => names
                .iter()
                .cloned()
                .chain(["other".into(), 1.into()])
                .collect(),
            (_, Some("integer")) => [-1, 0, 1, 2, 3]
                .map(Value::from)
                .into_iter()
                .chain([0.5.into(), "1".into()])
                .collect(),
            (_, Some("number")) => [-1.0, 0.0, 0.5, 1.0, 1.5]
                .map(Value::from)
                .into_iter()
                .chain([1.into(), "1".into()])
                .collect(),
            (_, Some("string")) => vec!["all".into(), 1.into()],
            (_, None) if setting["type"].is_array() => {
                let text = if name == "shrinkage" { "auto" } else { "10min" };
                vec![1.into(), 0.into(), 0.5.into(), text.into()]
            }
            (_, Some("object")) => vec![
                json!({ "text": "a", "pair": "b", "label": "c", "kind": "regression", "header": ["a"] }),
            ],
            other => panic!("{name}: {other:?}"),
        };
        for value in values {
            let file = json!({ name: value });
            let refused = refusal(&toml::to_string(&file).unwrap());
            assert_eq!(
                satisfies(&file, &schema),
                refused.is_none(),
                "{file}: {refused:?}"
            );
            tried += 1;
        }
        if let Some(default) = setting.get("default") {
            assert!(satisfies(default, setting), "{name}");
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn the_schema_of_a_plan_allows_the_example_and_no_unknown_key() {
    let schema = schema(&["plan"]);
    let example = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nine_tasks.toml"),
    )
    .unwrap();
    assert!(satisfies(&from_toml(&example), &schema));
    assert!(satisfies(
        &from_toml("[settings]\nepochs = 1\n[vary]\nweight = [0.0, 1]\n[[runs]]\nname = 'one'\n"),
        &schema
    ));
    let unknown = [
        "[setting]",
        "[settings]\nepoch = 1",
        "[settings]\nname = 'one'",
        "[vary]\nepoch = [1]",
        "[[runs]]\nepoch = 1",
    ];
    let wrong = [
        "[vary]\nweight = 1",
        "[vary]\nweight = []",
        "[vary]\nepochs = [0]",
        "[[runs]]\nname = 1",
    ];
    for text in unknown.iter().chain(&wrong) {
        assert!(!satisfies(&from_toml(text), &schema), "{text}");
    }
}
