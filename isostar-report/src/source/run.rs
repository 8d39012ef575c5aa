//! Reads the folder of a run, written by this version or an earlier one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::read::{parse_json, read_text};
use super::steps::{ControlLine, GeometryLine, read_steps};
use crate::ReportError;

/// A training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The folder of the run.
    pub folder: PathBuf,
    /// The name of the folder.
    pub name: String,
    /// The contents of `config.toml`, including unknown keys.
    pub settings: toml::Table,
    /// The contents of `metrics.jsonl`, one line per epoch and split.
    pub epochs: Vec<EpochLine>,
    /// The contents of `control.jsonl`, one line per step; empty unless the regularizer adapts.
    pub steps: Vec<ControlLine>,
    /// The contents of `geometry.jsonl`, one line per measurement of a monitor; empty without one.
    pub geometry: Vec<GeometryLine>,
    /// The contents of `result.json`; `None` for an unfinished run.
    pub outcome: Option<Outcome>,
}

/// A line of `metrics.jsonl`. Numbers that were not finite are null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EpochLine {
    /// The epoch, from 1.
    pub epoch: usize,
    /// `train` or `valid`.
    pub split: String,
    /// The number of rows of the split; older runs do not record it.
    #[serde(default)]
    pub rows: Option<usize>,
    /// The metrics, by name.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// The part of `result.json` that a report shows. Missing values are null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Outcome {
    /// The task.
    pub task: String,
    /// The model.
    pub model: String,
    /// The regularizer.
    pub regularizer: String,
    /// The weight λ.
    pub weight: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// The number of epochs completed.
    pub epochs: usize,
    /// The device.
    pub device: String,
    /// The task's metrics on the validation rows.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The task loss on the validation rows.
    pub task_loss: Option<f64>,
    /// The IsoScore of the states of the validation rows.
    pub isoscore: Scores,
    /// The duration of training in seconds.
    pub seconds: Option<f64>,
    /// The number of tokens per second.
    pub tokens_per_second: Option<f64>,
    /// Where the run diverged; `None` if it completed.
    pub stopped: Option<Stopped>,
}

/// The point at which a run diverged.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stopped {
    /// The name of the quantity that was not finite, such as `task_loss`.
    pub cause: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step of the epoch, from 1.
    pub step: Option<usize>,
}

/// IsoScore of all layers together, and of each layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scores {
    /// IsoScore of all layers together.
    pub all: Option<f64>,
    /// IsoScore of each layer, from layer 1.
    pub layers: Vec<Option<f64>>,
}

impl Outcome {
    /// Describes where the run diverged, if it did.
    ///
    /// Runs of earlier versions did not stop on divergence; their result has no loss.
    fn diverged(&self) -> Option<String> {
        match &self.stopped {
            Some(Stopped { cause, epoch, step }) => {
                let step = step.map_or(String::new(), |step| format!("step {step} of "));
                Some(format!(
                    "{} not finite in {step}epoch {epoch}",
                    cause.replace('_', " ")
                ))
            }
            None => self
                .task_loss
                .is_none()
                .then(|| "task loss not finite".into()),
        }
    }
}

impl Run {
    /// Whether a folder holds a run.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("config.toml").is_file()
    }

    /// Reads the folder of a run.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or is malformed, or if a run with a result has no
    /// metrics.
    pub fn read(folder: &Path, name: String) -> Result<Self, ReportError> {
        let config = folder.join("config.toml");
        let text = read_text(&config)?;
        let mut settings: toml::Table = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            });
            ReportError::Malformed {
                path: config,
                line,
                message: error.message().to_string(),
            }
        })?;
        // Earlier versions always used this ε and did not record it; adding it groups their runs
        // with runs that set the same value.
        if settings.contains_key("weight_decay") {
            settings
                .entry("adam_epsilon")
                .or_insert(toml::Value::Float(1e-8));
        }
        let result = folder.join("result.json");
        let outcome = if result.exists() {
            Some(parse_json(&read_text(&result)?, &result, 1)?)
        } else {
            None
        };
        let metrics = folder.join("metrics.jsonl");
        let epochs = match (metrics.exists(), outcome.is_some()) {
            (true, _) => read_lines(&metrics)?,
            (false, true) => return Err(ReportError::Missing { path: metrics }),
            (false, false) => Vec::new(),
        };
        Ok(Self {
            folder: folder.into(),
            name,
            settings,
            epochs,
            steps: read_steps(&folder.join("control.jsonl"))?,
            geometry: read_steps(&folder.join("geometry.jsonl"))?,
            outcome,
        })
    }

    /// Returns the outcome, if the run completed without diverging.
    pub fn ended(&self) -> Option<&Outcome> {
        self.outcome
            .as_ref()
            .filter(|outcome| outcome.diverged().is_none())
    }

    /// Describes where the run diverged, if it did.
    pub fn diverged(&self) -> Option<String> {
        self.outcome.as_ref()?.diverged()
    }

    /// Returns the number of validation rows, if the run records it.
    pub fn rows(&self) -> Option<usize> {
        self.epochs
            .iter()
            .rev()
            .find(|line| line.split == "valid")
            .and_then(|line| line.rows)
    }

    /// Returns a setting that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.as_str()
    }

    /// Returns a setting that is a number.
    pub fn float(&self, key: &str) -> Option<f64> {
        let value = self.settings.get(key)?;
        value
            .as_float()
            .or_else(|| value.as_integer().map(|whole| whole as f64))
    }

    /// Returns the effective weight λ: 0 without a regularizer.
    pub fn weight(&self) -> f64 {
        if self.text("regularizer") == Some("none") {
            0.0
        } else {
            self.float("weight").unwrap_or(0.0)
        }
    }
}

/// Reads `metrics.jsonl`.
///
/// A resumed run appends to the file, so the last line of each epoch and split counts.
fn read_lines(path: &Path) -> Result<Vec<EpochLine>, ReportError> {
    let mut lines = BTreeMap::new();
    for (at, text) in read_text(path)?
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let line: EpochLine = parse_json(text, path, at + 1)?;
        lines.insert((line.epoch, line.split.clone()), line);
    }
    Ok(lines.into_values().collect())
}
