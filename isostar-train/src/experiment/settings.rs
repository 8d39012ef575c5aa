//! The settings of a run: what was asked for, and what it resolves to.

mod define;
mod range;
#[cfg(feature = "cli")]
mod schema;
mod table;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use isostar_core::{ConfigError, CosRegConfig, IStarConfig, Regularizer, StateSelection, TargetName};
use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
pub(crate) use schema::{DIALECT, object};
pub use table::{TrainOptions, TrainSettings};

use super::ExperimentError;
use crate::task::{KnownTask, TaskKind, TaskSource};

/// The model that is trained from nothing.
pub const SCRATCH: &str = "scratch";

/// The regularizers that a run can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum RegularizerName {
    /// I-STAR.
    #[default]
    Istar,
    /// Cosine regularization.
    Cosreg,
    /// None: the loss is the task's.
    None,
}

impl TrainOptions {
    /// Reads a settings file in TOML.
    ///
    /// # Errors
    /// If it cannot be read, or holds an unknown key or a value of the wrong type; the message names the line.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            ExperimentError::SettingsFile { path: path.into(), message: format!("line {line}: {}", error.message()) }
        })
    }
}

/// The stride of the published runs, 128 tokens of 384.
const LONGEST_STRIDE: usize = 128;

impl TrainSettings {
    /// The rows of these settings.
    pub fn source(&self) -> TaskSource<'_> {
        let (name, folder) = (self.task.as_deref(), self.data.as_deref());
        TaskSource { name, folder, columns: self.columns.clone(), is_whole: false, limit: self.limit, seed: self.seed }
    }

    /// The longest length where none is asked for and the model has enough positions: the task's, which is 256, for SQuAD 384, and from
    /// scratch 64 where rows are no questions.
    pub fn default_max_length(&self) -> usize {
        let is_scratch = self.model == SCRATCH;
        match self.task.as_deref().and_then(KnownTask::named) {
            Some(known) if known.kind == TaskKind::Span || !is_scratch => known.max_length,
            None if !is_scratch => 256,
            _ => 64,
        }
    }

    /// Fills in the lengths that are left open, for a model of so many positions: the longest length and the stride.
    ///
    /// # Errors
    /// If a longer length is asked for than the model has positions.
    pub(super) fn set_lengths(&mut self, positions: usize) -> Result<[usize; 2], ExperimentError> {
        let max_length = match self.max_length {
            Some(max_length) if max_length > positions => return Err(ExperimentError::MaxLength { max_length, positions }),
            asked_for => asked_for.unwrap_or(self.default_max_length().min(positions)),
        };
        let stride = self.stride.unwrap_or(Self::default_stride(max_length));
        (self.max_length, self.stride) = (Some(max_length), Some(stride));
        Ok([max_length, stride])
    }

    /// Whether a run with the settings `run` is one that these ask for: the lengths that they leave open are those of its model.
    pub(crate) fn ask_for(&self, run: &Self) -> bool {
        let default = run.max_length.filter(|length| *length <= self.default_max_length());
        let max_length = self.max_length.or(default);
        let stride = self.stride.or(max_length.map(Self::default_stride));
        *run == Self { max_length, stride, ..self.clone() }
    }

    /// The stride where none is asked for: a third of the longest length, as published, and at most 128.
    pub fn default_stride(max_length: usize) -> usize {
        LONGEST_STRIDE.min(max_length / 3)
    }

    /// The weight λ that acts: 0 without a regularizer.
    pub(super) fn acting_weight(&self) -> f64 {
        if self.regularizer == RegularizerName::None { 0.0 } else { self.weight }
    }

    /// The regularizer of these settings; `None` if there is none, or its weight is 0.
    ///
    /// # Errors
    /// If ζ is outside [0, 1] or λ is not finite.
    pub fn regularizer(&self) -> Result<Option<Arc<dyn Regularizer>>, ConfigError> {
        let states = StateSelection { layers: self.layers.clone(), padding: self.padding };
        let regularizer: Arc<dyn Regularizer> = match self.regularizer {
            RegularizerName::None => return Ok(None),
            RegularizerName::Istar => {
                Arc::new(IStarConfig { weight: self.weight, shrinkage: self.shrinkage, target: TargetName::Reference, states }.init()?)
            }
            RegularizerName::Cosreg => Arc::new(CosRegConfig { weight: self.weight, states }.init()?),
        };
        Ok((self.weight != 0.0).then_some(regularizer))
    }
}
