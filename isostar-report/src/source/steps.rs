//! The steps of a run whose regularizer adapts.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::read::{parse_json, read_text};
use crate::ReportError;

/// A line of `control.jsonl`. Numbers that were not finite are null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ControlLine {
    /// The step of the run, from 1.
    pub step: u64,
    /// Numbers of the penalty by name, such as `shrinkage`.
    pub details: BTreeMap<String, Option<f64>>,
    /// The scores that are held at a target.
    #[serde(default)]
    pub held: Vec<HeldScore>,
}

/// A score that is held at a target, in one step.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct HeldScore {
    /// The layers whose score it is.
    pub layers: String,
    /// The score.
    pub score: Option<f64>,
    /// The value at which it is held in this step.
    pub target: Option<f64>,
    /// The multiplier λ.
    pub multiplier: Option<f64>,
    /// The acting weight.
    pub weight: Option<f64>,
}

/// Reads the lines of a file; none if there is no file. A last line that is cut short, as that of a
/// run that goes on, is left out.
pub(super) fn read_steps<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReportError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = read_text(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().enumerate();
    lines
        .map(|(at, line)| parse_json(line, path, at + 1))
        .collect()
}

/// A line of `geometry.jsonl`: the measures of every layer in one step, by name. Numbers that do not
/// exist are null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct GeometryLine {
    /// The step of the run, from 1.
    pub step: u64,
    /// The layers, first to last.
    pub layers: Vec<BTreeMap<String, Option<f64>>>,
}
