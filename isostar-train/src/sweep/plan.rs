//! Plans: TOML files that describe the runs of a sweep.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Shard, SweepError};
use crate::experiment::{ExperimentError, TrainOptions, TrainSettings};
use crate::task::task_name;

/// The key for the name of a run.
pub(super) const NAME: &str = "name";

/// The contents of a plan file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PlanFile {
    settings: Table,
    vary: BTreeMap<String, Vec<Value>>,
    runs: Vec<Table>,
}

/// The runs of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The runs in the order of the file; the last varied key varies fastest.
    pub runs: Vec<PlannedRun>,
}

/// A run of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// The name of the run and of its folder.
    pub name: String,
    /// Its settings.
    pub settings: TrainSettings,
}

impl Plan {
    /// Reads a plan and checks the settings of every run, as far as possible without data and
    /// model.
    ///
    /// Relative paths in the plan are relative to the working directory, as in a settings file.
    ///
    /// # Errors
    /// If the file cannot be read or parsed, or a run has invalid settings; the message names the
    /// run.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        let text = fs::read_to_string(path).map_err(|source| SweepError::Unreadable {
            path: path.into(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Returns the runs of a shard.
    #[must_use]
    pub fn shard(self, shard: Shard) -> Self {
        let runs = self.runs.into_iter().enumerate();
        Self {
            runs: runs
                .filter_map(|(place, run)| shard.holds(place).then_some(run))
                .collect(),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, SweepError> {
        let malformed = |message: String| SweepError::Malformed {
            path: path.into(),
            message,
        };
        let file: PlanFile = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            malformed(format!("line {line}: {}", error.message()))
        })?;
        if let Some((key, _)) = file.vary.iter().find(|(_, values)| values.is_empty()) {
            return Err(malformed(format!("[vary] has no value for {key}")));
        }
        let combinations = combinations(&file.vary);
        let described = if file.runs.is_empty() {
            vec![Table::new()]
        } else {
            file.runs
        };
        let mut runs: Vec<PlannedRun> = Vec::with_capacity(described.len() * combinations.len());
        for (place, mut own) in described.into_iter().enumerate() {
            let named = match own.remove(NAME) {
                Some(Value::String(name)) => Some(name),
                Some(_) => {
                    return Err(malformed(format!(
                        "the name of run {} is not a string",
                        place + 1
                    )));
                }
                None => None,
            };
            let base: Table = file
                .settings
                .clone()
                .into_iter()
                .chain(own.clone())
                .collect();
            for varied in &combinations {
                if let Some((key, _)) = varied
                    .iter()
                    .find(|(key, _)| own.contains_key(key.as_str()))
                {
                    return Err(malformed(format!(
                        "{key} is both in [vary] and in run {}",
                        place + 1
                    )));
                }
                let table: Table = base.clone().into_iter().chain(varied.clone()).collect();
                let name = name_of(named.as_deref(), &table, varied, place);
                let settings = settings_of(table).map_err(|error| match error {
                    Fault::Key(message) => malformed(format!("run {name:?}: {message}")),
                    Fault::Value(source) => SweepError::Run {
                        path: path.into(),
                        name: name.clone(),
                        source: Box::new(source),
                    },
                })?;
                if runs.iter().any(|run| run.name == name) {
                    return Err(SweepError::SameName {
                        path: path.into(),
                        name,
                    });
                }
                runs.push(PlannedRun { name, settings });
            }
        }
        Ok(Self { runs })
    }
}

/// Returns all combinations of one value per key; the last key varies fastest.
fn combinations(vary: &BTreeMap<String, Vec<Value>>) -> Vec<Vec<(String, Value)>> {
    vary.iter()
        .fold(vec![Vec::new()], |shorter, (key, values)| {
            let longer = shorter.iter().flat_map(|taken| {
                values.iter().map(move |value| {
                    taken
                        .iter()
                        .cloned()
                        .chain([(key.clone(), value.clone())])
                        .collect()
                })
            });
            longer.collect()
        })
}

/// Returns the name of a run: the given name or that of the task, followed by the varied settings.
fn name_of(named: Option<&str>, table: &Table, varied: &[(String, Value)], place: usize) -> String {
    let task = table.get("task").and_then(Value::as_str).map(task_name);
    let mut name = match (named, task) {
        (Some(name), _) => name.to_string(),
        (None, Some(task)) => task,
        (None, None) => format!("run{}", place + 1),
    };
    for (key, value) in varied {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_string);
        name += &format!(",{key}={value}");
    }
    // The name must be that of a single folder, for any characters in the settings.
    let is_unsafe = |(place, letter): (usize, char)| {
        matches!(letter, '/' | '\\' | ':') || letter.is_control() || (letter == '.' && place == 0)
    };
    name.chars()
        .enumerate()
        .map(|(place, letter)| {
            if is_unsafe((place, letter)) {
                '_'
            } else {
                letter
            }
        })
        .collect()
}

/// What is wrong with the settings of a run.
enum Fault {
    Key(String),
    Value(ExperimentError),
}

fn settings_of(table: Table) -> Result<TrainSettings, Fault> {
    let options: TrainOptions = table
        .try_into()
        .map_err(|error: toml::de::Error| Fault::Key(error.message().to_string()))?;
    let settings = TrainSettings::resolve(options);
    settings.check().map_err(Fault::Value)?;
    settings.controlled(0).map_err(Fault::Value)?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Plan, SweepError> {
        Plan::parse(text, Path::new("plan.toml"))
    }

    fn names(text: &str) -> Vec<String> {
        parse(text)
            .unwrap()
            .runs
            .into_iter()
            .map(|run| run.name)
            .collect()
    }

    const PLAN: &str = r#"
        [settings]
        model = "minilm"
        epochs = 3
        [vary]
        weight = [0, -0.1]
        seed = [1, 2]
        [[runs]]
        task = "rte"
        [[runs]]
        name = "short"
        task = "data/reviews.csv"
        epochs = 1
    "#;

    #[test]
    fn every_run_has_every_combination() {
        let runs = parse(PLAN).unwrap().runs;
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let expected = [
            "rte,seed=1,weight=0",
            "rte,seed=1,weight=-0.1",
            "rte,seed=2,weight=0",
            "rte,seed=2,weight=-0.1",
        ];
        assert_eq!(names[..4], expected);
        assert_eq!(
            names[4..],
            expected.map(|name| name.replace("rte", "short"))
        );
        let last = &runs[7].settings;
        assert_eq!(
            (last.epochs, last.seed, last.weight, last.model.as_str()),
            (1, 2, -0.1, "minilm")
        );
        assert_eq!((runs[0].settings.epochs, runs[0].settings.weight), (3, 0.0));
    }

    #[test]
    fn names_default_to_the_task_and_are_safe_as_folders() {
        assert_eq!(names(""), ["run1"]);
        assert_eq!(
            names("settings.task = 'a/b.tsv'\n[vary]\nmodel = ['x/y', 'z']"),
            ["b,model=x_y", "b,model=z"]
        );
        assert_eq!(names("[[runs]]\nname = '../x'"), ["_._x"]);
        assert_eq!(
            names("[[runs]]\ntask = 'STS-B'\n[[runs]]\ntask = 'rows.csv.gz'"),
            ["stsb", "rows"]
        );
    }

    #[test]
    fn a_shard_has_every_nth_run() {
        let plan = parse(PLAN).unwrap();
        let parts: Vec<Plan> = ["1/3", "2/3", "3/3"]
            .map(|shard| plan.clone().shard(shard.parse().unwrap()))
            .into();
        assert_eq!(
            parts.iter().map(|part| part.runs.len()).collect::<Vec<_>>(),
            [3, 3, 2]
        );
        assert_eq!(parts[1].runs[1], plan.runs[4]);
    }

    #[test]
    fn plan_errors_name_the_faulty_part() {
        for (text, message) in [
            ("[settings]\nepochs = ", "line 2: "),
            ("[setings]", "line 1: unknown field `setings`"),
            ("[vary]\nseed = []", "[vary] has no value for seed"),
            ("[vary]\nseed = 3", "line 2: "),
            ("[[runs]]\nname = 3", "the name of run 1 is not a string"),
            (
                "[vary]\nseed = [1]\n[[runs]]\nseed = 2",
                "seed is both in [vary] and in run 1",
            ),
            (
                "[[runs]]\ntask = 'rte'\nwieght = 1",
                "run \"rte\": unknown field `wieght`",
            ),
            (
                "[vary]\nepochs = ['many']",
                "run \"run1,epochs=many\": invalid type",
            ),
            (
                "[vary]\nepochs = [1, 0]",
                "plan.toml, run \"run1,epochs=0\": epochs is 0; it must be a whole number of at least 1",
            ),
            ("[settings]\nshrinkage = 2.0", "plan.toml, run \"run1\": "),
            (
                "[[runs]]\ntask = 'rte'\n[[runs]]\ntask = 'rte'",
                "two runs are called \"rte\"",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }
}
