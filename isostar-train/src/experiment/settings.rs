//! The settings of a run: what was asked for, and what it resolves to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isostar_core::{ConfigError, CosRegConfig, IStarConfig, LayerSelection, Padding, Regularizer, StateSelection, TargetName};
use serde::{Deserialize, Serialize};

use super::{ExperimentError, Preset, Schedule};
use crate::data::{Batching, Columns};
use crate::device::default_device_name;
use crate::hook::CALIBRATION_LIMIT;
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

/// What a user may say of a run, in a settings file or by flags. What is left out is resolved by [`TrainSettings::resolve`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct TrainOptions {
    /// Published settings for what is not said otherwise: paper repeats Rudman & Eickhoff's
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub preset: Option<Preset>,
    /// Folder of a pretrained BERT, or "scratch" for a small encoder trained from nothing
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    pub model: Option<String>,
    /// Task (headlines, sst2, cola, mrpc, rte, qnli, qqp, stsb, sst5, squad, mnli, mnli_mm, wnli, squad2), or a .tsv, .csv, .jsonl or .parquet
    /// file of labelled text, also .csv.gz and the like; under "columns" the settings file names its columns, and whether labels are numbers
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME|FILE"))]
    pub task: Option<String>,
    /// Folder with the task's train and dev files; those of a task by name come from the hub by default. Without a dev file, a tenth of your own
    /// training rows are held out
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    pub data: Option<PathBuf>,
    /// Train on N rows only, drawn by the seed; each class keeps its share
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub limit: Option<usize>,
    /// Penalty on the hidden states
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub regularizer: Option<RegularizerName>,
    /// Weight of the penalty: above 0 raises isotropy, below 0 lowers it
    #[cfg_attr(feature = "cli", arg(long, value_name = "W", allow_negative_numbers = true))]
    pub weight: Option<f64>,
    /// Share of the reference in the covariance, 0 to 1
    #[cfg_attr(feature = "cli", arg(long, value_name = "Z", allow_negative_numbers = true))]
    pub shrinkage: Option<f64>,
    /// Whether padding counts among the states, in training and in the reference: mask leaves it out, keep counts it as the published code
    /// does, which also draws its batches at random (--batching random)
    #[cfg_attr(feature = "cli", arg(long, value_name = "mask|keep", value_parser = padding_parser()))]
    pub padding: Option<Padding>,
    /// Batches of rows of similar length, or of random rows
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub batching: Option<Batching>,
    /// Layers under the penalty: all, last, or numbers such as 1,3,12
    #[cfg_attr(feature = "cli", arg(long, value_name = "all|last|1,3,12"))]
    pub layers: Option<LayerSelection>,
    /// Most states from which the reference is estimated, every epoch; padding counts if it is kept
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub calibration_states: Option<usize>,
    /// Passes over the training rows
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub epochs: Option<usize>,
    /// Rows a step
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub batch_size: Option<usize>,
    /// Peak learning rate of AdamW
    #[cfg_attr(feature = "cli", arg(long, value_name = "R", allow_negative_numbers = true))]
    pub learning_rate: Option<f64>,
    /// Decay of AdamW, on matrices and embeddings
    #[cfg_attr(feature = "cli", arg(long, value_name = "D", allow_negative_numbers = true))]
    pub weight_decay: Option<f64>,
    /// What AdamW adds to its denominator
    #[cfg_attr(feature = "cli", arg(long, value_name = "E", allow_negative_numbers = true))]
    pub adam_epsilon: Option<f64>,
    /// Share of the steps over which the rate rises from 0, 0 to 1
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", allow_negative_numbers = true))]
    pub warmup: Option<f64>,
    /// How the rate goes on after the warm-up
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub schedule: Option<Schedule>,
    /// Tokens a row is cut to; by default the task's, and at most the model's positions
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub max_length: Option<usize>,
    /// Tokens that a window of a long paragraph shares with the one before (squad, squad2)
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub stride: Option<usize>,
    /// Seed of weights, order and dropout, of the rows held out from a file, and of those that --limit leaves
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub seed: Option<u64>,
    /// Device: flex, ndarray, wgpu, cuda or cuda:1, as far as compiled in
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME"))]
    pub device: Option<String>,
    /// Which columns of a file hold what, guessed by default; and whether labels are classes, as by default, or numbers
    #[cfg_attr(feature = "cli", arg(skip))]
    pub columns: Option<Columns>,
}

#[cfg(feature = "cli")]
fn padding_parser() -> impl clap::builder::TypedValueParser<Value = Padding> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(["mask", "keep"]).map(|text| if text == "keep" { Padding::Keep } else { Padding::Mask })
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

    /// These options, and `base`'s where these say nothing.
    pub fn over(self, base: Self) -> Self {
        Self {
            preset: self.preset.or(base.preset),
            model: self.model.or(base.model),
            task: self.task.or(base.task),
            data: self.data.or(base.data),
            limit: self.limit.or(base.limit),
            regularizer: self.regularizer.or(base.regularizer),
            weight: self.weight.or(base.weight),
            shrinkage: self.shrinkage.or(base.shrinkage),
            padding: self.padding.or(base.padding),
            batching: self.batching.or(base.batching),
            layers: self.layers.or(base.layers),
            calibration_states: self.calibration_states.or(base.calibration_states),
            epochs: self.epochs.or(base.epochs),
            batch_size: self.batch_size.or(base.batch_size),
            learning_rate: self.learning_rate.or(base.learning_rate),
            weight_decay: self.weight_decay.or(base.weight_decay),
            adam_epsilon: self.adam_epsilon.or(base.adam_epsilon),
            warmup: self.warmup.or(base.warmup),
            schedule: self.schedule.or(base.schedule),
            max_length: self.max_length.or(base.max_length),
            stride: self.stride.or(base.stride),
            seed: self.seed.or(base.seed),
            device: self.device.or(base.device),
            columns: self.columns.or(base.columns),
        }
    }
}

/// The stride of the published runs, 128 tokens of 384.
fn longest_stride() -> usize {
    128
}

/// The ε of AdamW in PyTorch, and of runs whose settings do not name it.
fn default_epsilon() -> f64 {
    1e-8
}

/// Every setting of a run. This is what config.toml holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// Folder of a pretrained model, its name on the hub, or [`SCRATCH`].
    pub model: String,
    /// Task, by the name in the table of tasks, or file; `None` for the folder alone, or the embedded default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Folder of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The most training rows, drawn by the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The regularizer.
    pub regularizer: RegularizerName,
    /// λ; −0.1 for I-STAR, −0.02 from scratch, 1 for CosReg, and 0 for none by default.
    pub weight: f64,
    /// ζ; 0.2 by default.
    pub shrinkage: f64,
    /// What becomes of padding, in the batches of training and in the reference; masked by default.
    pub padding: Padding,
    /// How rows are batched; by length by default.
    pub batching: Batching,
    /// The layers under the penalty; all for I-STAR and the last for CosReg by default.
    pub layers: LayerSelection,
    /// The most states of a calibration, padding included where it is kept; 250,000 by default.
    pub calibration_states: usize,
    /// Passes over the data; 3 by default, 2 from scratch.
    pub epochs: usize,
    /// Rows a step; 32 by default.
    pub batch_size: usize,
    /// The peak rate; 5e-5 by default, 5e-4 from scratch.
    pub learning_rate: f64,
    /// The warm-up's share of the steps; none by default, 0.1 from scratch.
    pub warmup: f64,
    /// The rate after it; constant by default, linear from scratch.
    pub schedule: Schedule,
    /// The decay of AdamW; 0.01 by default, as in PyTorch.
    pub weight_decay: f64,
    /// ε of AdamW; 1e-8 by default, as in PyTorch.
    #[serde(default = "default_epsilon")]
    pub adam_epsilon: f64,
    /// Tokens a row is cut to; `None` for the [default](TrainSettings::default_max_length), until the model is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Tokens that a window of a long paragraph shares with the one before; `None` for a third of the longest length, and at most 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// The seed; 1 by default.
    pub seed: u64,
    /// The device.
    pub device: String,
    /// The columns.
    #[serde(default)]
    pub columns: Columns,
}

impl TrainSettings {
    /// The settings that options stand for.
    pub fn resolve(mut options: TrainOptions) -> Self {
        if let Some(preset) = options.preset {
            preset.fill(&mut options);
        }
        let known = options.task.as_deref().and_then(KnownTask::named);
        let model = options.model.unwrap_or_else(|| SCRATCH.into());
        let scratch = model == SCRATCH;
        let regularizer = options.regularizer.unwrap_or_default();
        let cosreg = regularizer == RegularizerName::Cosreg;
        Self {
            task: known.map(|known| known.name.into()).or(options.task),
            data: options.data,
            limit: options.limit,
            regularizer,
            weight: options.weight.unwrap_or(match (regularizer, scratch) {
                (RegularizerName::None, _) => 0.0,
                (RegularizerName::Cosreg, _) => 1.0,
                // These lower isotropy where padding is masked, at a cost that depends on the task: at −0.1, six of the eight tasks measured keep their
                // score to within two points, QNLI loses four and CoLA falls from 0.293 to 0.118 (docs/measurements.md). The published −1 … −5 belong
                // to padded states, and fresh weights yield sooner than pretrained ones.
                (_, true) => -0.02,
                (_, false) => -0.1,
            }),
            shrinkage: options.shrinkage.unwrap_or(0.2),
            padding: options.padding.unwrap_or_default(),
            batching: options.batching.unwrap_or_default(),
            layers: options.layers.unwrap_or(if cosreg { LayerSelection::Last } else { LayerSelection::All }),
            calibration_states: options.calibration_states.unwrap_or(CALIBRATION_LIMIT),
            epochs: options.epochs.unwrap_or(if scratch { 2 } else { 3 }),
            batch_size: options.batch_size.unwrap_or(32),
            learning_rate: options.learning_rate.unwrap_or(if scratch { 5e-4 } else { 5e-5 }),
            warmup: options.warmup.unwrap_or(if scratch { 0.1 } else { 0.0 }),
            schedule: options.schedule.unwrap_or(if scratch { Schedule::Linear } else { Schedule::Constant }),
            weight_decay: options.weight_decay.unwrap_or(0.01),
            adam_epsilon: options.adam_epsilon.unwrap_or_else(default_epsilon),
            max_length: options.max_length,
            stride: options.stride,
            seed: options.seed.unwrap_or(1),
            device: options.device.unwrap_or_else(|| default_device_name().into()),
            columns: options.columns.unwrap_or_default(),
            model,
        }
    }

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
        longest_stride().min(max_length / 3)
    }

    /// Checks the numbers that no other type checks.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), ExperimentError> {
        let check = |holds: bool, name: &'static str, value: String, expected: &'static str| match holds {
            true => Ok(()),
            false => Err(ExperimentError::Setting { name, value, expected }),
        };
        let at_least_one = "a whole number of at least 1";
        check(self.epochs > 0, "epochs", self.epochs.to_string(), at_least_one)?;
        check(self.batch_size > 0, "batch_size", self.batch_size.to_string(), at_least_one)?;
        check(self.limit != Some(0), "limit", "0".into(), at_least_one)?;
        check(self.calibration_states > 1, "calibration_states", self.calibration_states.to_string(), "a whole number of at least 2")?;
        check(
            self.learning_rate > 0.0 && self.learning_rate.is_finite(),
            "learning_rate",
            self.learning_rate.to_string(),
            "a number above 0",
        )?;
        check(
            self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
            "weight_decay",
            self.weight_decay.to_string(),
            "0 or a number above it",
        )?;
        // In single precision it must neither vanish, where 0/0 would be the update, nor be infinite.
        let epsilon = self.adam_epsilon as f32;
        let expected = "a number above 0 that single precision holds, such as 1e-8";
        check(epsilon > 0.0 && epsilon.is_finite(), "adam_epsilon", self.adam_epsilon.to_string(), expected)?;
        check((0.0..=1.0).contains(&self.warmup), "warmup", self.warmup.to_string(), "a share between 0 and 1")
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
