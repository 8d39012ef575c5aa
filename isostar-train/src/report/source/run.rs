//! The folder of a run, as it was written, by this version or another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{parse_json, read_text};
use crate::report::ReportError;

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// The folder's name.
    pub name: String,
    /// config.toml, whatever keys it has.
    pub settings: toml::Table,
    /// metrics.jsonl, each epoch and split once.
    pub epochs: Vec<EpochLine>,
    /// result.json; a run that is not over has none.
    pub outcome: Option<Outcome>,
}

/// A line of metrics.jsonl. Numbers that were not finite are null there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EpochLine {
    /// The epoch, from 1.
    pub epoch: usize,
    /// `train` or `valid`.
    pub split: String,
    /// The rows of the split; older runs do not say.
    #[serde(default)]
    pub rows: Option<usize>,
    /// The numbers, by name.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// The part of result.json that a report shows. Numbers that do not exist are null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Outcome {
    /// The task.
    pub task: String,
    /// The model.
    pub model: String,
    /// The regularizer.
    pub regularizer: String,
    /// λ.
    pub weight: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// The epochs made.
    pub epochs: usize,
    /// The device.
    pub device: String,
    /// The task's metrics on the validation rows.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The task's loss on them.
    pub task_loss: Option<f64>,
    /// The isotropy of their states.
    pub isoscore: Scores,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Tokens a second.
    pub tokens_per_second: Option<f64>,
    /// Where the run diverged; absent of a run that ended.
    pub stopped: Option<Stopped>,
}

/// Where a run diverged.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stopped {
    /// What was not finite, such as `task_loss`.
    pub cause: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step of the epoch, from 1.
    pub step: Option<usize>,
}

/// IsoScore of all layers together, and of each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Scores {
    /// Of all.
    pub all: Option<f64>,
    /// Of each, from layer 1.
    pub layers: Vec<Option<f64>>,
}

impl Outcome {
    /// Where the run diverged, in words, if it did. Runs of earlier versions did not stop then, and have a result without a loss.
    fn diverged(&self) -> Option<String> {
        match &self.stopped {
            Some(Stopped { cause, epoch, step }) => {
                let step = step.map_or(String::new(), |step| format!("step {step} of "));
                Some(format!("{} not finite in {step}epoch {epoch}", cause.replace('_', " ")))
            }
            None => self.task_loss.is_none().then(|| "task loss not finite".into()),
        }
    }
}

impl Run {
    /// Whether a folder is that of a run.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("config.toml").is_file()
    }

    /// Reads a run's folder.
    ///
    /// # Errors
    /// If a file cannot be read or is malformed, or a run with a result has no metrics.
    pub fn read(folder: &Path, name: String) -> Result<Self, ReportError> {
        let config = folder.join("config.toml");
        let text = read_text(&config)?;
        let mut settings: toml::Table = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ReportError::Malformed { path: config, line, message: error.message().to_string() }
        })?;
        // Runs of versions that could not set it had this ε: they belong to the groups of those that name it.
        if settings.contains_key("weight_decay") {
            settings.entry("adam_epsilon").or_insert(toml::Value::Float(1e-8));
        }
        let result = folder.join("result.json");
        let outcome = if result.exists() { Some(parse_json(&read_text(&result)?, &result, 1)?) } else { None };
        let metrics = folder.join("metrics.jsonl");
        let epochs = match (metrics.exists(), outcome.is_some()) {
            (true, _) => read_lines(&metrics)?,
            (false, true) => return Err(ReportError::Missing { path: metrics }),
            (false, false) => Vec::new(),
        };
        Ok(Self { folder: folder.into(), name, settings, epochs, outcome })
    }

    /// What came out, if the run ended and did not diverge.
    pub fn ended(&self) -> Option<&Outcome> {
        self.outcome.as_ref().filter(|outcome| outcome.diverged().is_none())
    }

    /// Where the run diverged, in words, if it did.
    pub fn diverged(&self) -> Option<String> {
        self.outcome.as_ref()?.diverged()
    }

    /// The rows that accuracy is a share of, where the run says so.
    pub fn rows(&self) -> Option<usize> {
        self.epochs.iter().rev().find(|line| line.split == "valid").and_then(|line| line.rows)
    }

    /// A text of the settings.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.as_str()
    }

    /// A number of the settings.
    pub fn float(&self, key: &str) -> Option<f64> {
        let value = self.settings.get(key)?;
        value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
    }

    /// The weight λ that acts: 0 without a regularizer.
    pub fn weight(&self) -> f64 {
        if self.text("regularizer") == Some("none") { 0.0 } else { self.float("weight").unwrap_or(0.0) }
    }
}

/// A resumed run appends to what was there: the last line of an epoch and split is the one that counts.
fn read_lines(path: &Path) -> Result<Vec<EpochLine>, ReportError> {
    let mut lines = BTreeMap::new();
    for (at, text) in read_text(path)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line: EpochLine = parse_json(text, path, at + 1)?;
        lines.insert((line.epoch, line.split.clone()), line);
    }
    Ok(lines.into_values().collect())
}
