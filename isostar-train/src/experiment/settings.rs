//! Settings of a run: the options that a user passes and the settings they resolve to.

mod control;
mod define;
mod kind;
mod names;
mod penalty;
mod range;
mod schema;
mod shrinkage;
mod table;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use isostar_core::Padding;

pub use define::Setting;
pub use names::{AccumulateScore, EstimatorName, PrecisionName, Preset, RegularizerName, SCRATCH};
pub(crate) use schema::{DIALECT, object};
pub use shrinkage::ShrinkageSetting;
pub use table::{TrainOptions, TrainSettings};
pub use targets::Targets;

use self::table::{About, no_multiple};
use super::ExperimentError;
use crate::device::{default_device_name, default_pad_to};
use crate::task::{KnownTask, TaskKind, TaskSource};

impl TrainOptions {
    /// Reads a TOML settings file.
    ///
    /// # Errors
    /// If the file cannot be read, or holds an unknown key or a value of the wrong type; the
    /// message names the line.
    pub fn read(path: &Path) -> Result<Self, ExperimentError> {
        let text = fs::read_to_string(path).map_err(ExperimentError::io(path))?;
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            ExperimentError::SettingsFile {
                path: path.into(),
                message: format!("line {line}: {}", error.message()),
            }
        })
    }
}

/// Maximum default stride: that of the published runs, 128 tokens of 384.
const LONGEST_STRIDE: usize = 128;

/// Settings that may change when a run is resumed.
const FREE: [&str; 8] = [
    "epochs",
    "snapshot_every",
    "keep",
    "on_spike",
    "spike_factor",
    "monitor",
    "stop_below",
    "stop_above",
];

/// Describes the settings that pass the filter and differ.
fn differing(
    stored: &TrainSettings,
    asked: &TrainSettings,
    filter: impl Fn(&str) -> bool,
) -> Vec<String> {
    let [stored, asked] = [stored, asked]
        .map(|settings| toml::Table::try_from(settings).expect("settings are plain values"));
    let names: BTreeSet<&String> = stored.keys().chain(asked.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| filter(name) && stored.get(*name) != asked.get(*name));
    let shown = |table: &toml::Table, name: &str| {
        table
            .get(name)
            .map_or("unset".into(), toml::Value::to_string)
    };
    differ
        .map(|name| contradiction(name, &shown(&stored, name), &shown(&asked, name)))
        .collect()
}

fn contradiction(
    name: &str,
    stored: &dyn std::fmt::Display,
    asked: &dyn std::fmt::Display,
) -> String {
    format!("{name} is {stored} in the run and {asked} now")
}

impl TrainSettings {
    /// The settings that options stand for.
    pub fn resolve(mut options: TrainOptions) -> Self {
        if let Some(preset) = options.preset {
            preset.fill(&mut options);
        }
        if let Some(known) = options.task.as_deref().and_then(KnownTask::named) {
            options.task = Some(known.name.into());
        }
        let scratch = options
            .model
            .as_deref()
            .is_none_or(|model| model == SCRATCH);
        let pad_to = match options.padding.unwrap_or_default() {
            Padding::Mask => {
                default_pad_to(options.device.as_deref().unwrap_or(default_device_name()))
            }
            Padding::Keep => no_multiple(),
        };
        let about = About {
            scratch,
            regularizer: options.regularizer.unwrap_or_default(),
            pad_to,
            held: options.target.is_some(),
        };
        options.or_defaults(&about)
    }

    /// Checks that all settings are in range, and that none is without effect.
    ///
    /// # Errors
    /// The first setting that is not.
    pub fn check(&self) -> Result<(), ExperimentError> {
        self.check_ranges()?;
        self.check_penalty()
    }

    /// Source of the rows that these settings select.
    pub fn source(&self) -> TaskSource<'_> {
        let (name, folder) = (self.task.as_deref(), self.data.as_deref());
        TaskSource {
            name,
            folder,
            columns: self.columns.clone(),
            is_whole: false,
            limit: self.limit,
            seed: self.seed,
        }
    }

    /// Default maximum length, if the model has enough positions: 384 tokens for SQuAD, otherwise
    /// 256, or 64 when training from scratch.
    pub fn default_max_length(&self) -> usize {
        let is_scratch = self.model == SCRATCH;
        match self.task.as_deref().and_then(KnownTask::named) {
            Some(known) if known.kind == TaskKind::Span || !is_scratch => known.max_length,
            None if !is_scratch => 256,
            _ => 64,
        }
    }

    /// Sets the maximum length and the stride if they are unset, for a model with `positions`
    /// positions. Returns both.
    ///
    /// # Errors
    /// If the requested maximum length exceeds `positions`.
    pub(super) fn set_lengths(&mut self, positions: usize) -> Result<[usize; 2], ExperimentError> {
        let max_length = match self.max_length {
            Some(max_length) if max_length > positions => {
                return Err(ExperimentError::MaxLength {
                    max_length,
                    positions,
                });
            }
            asked_for => asked_for.unwrap_or(self.default_max_length().min(positions)),
        };
        let stride = self.stride.unwrap_or(Self::default_stride(max_length));
        (self.max_length, self.stride) = (Some(max_length), Some(stride));
        Ok([max_length, stride])
    }

    /// Whether `run` holds the settings of a run that these settings ask for. Unset lengths match
    /// the defaults for the run's model.
    pub(crate) fn ask_for(&self, run: &Self) -> bool {
        let default = run
            .max_length
            .filter(|length| *length <= self.default_max_length());
        let max_length = self.max_length.or(default);
        let stride = self.stride.or(max_length.map(Self::default_stride));
        let asked = Self {
            max_length,
            stride,
            ..self.clone()
        };
        differing(run, &asked, |name| {
            name == "epochs" || !FREE.contains(&name)
        })
        .is_empty()
    }

    /// Returns these settings of a stored run as `options` change them on a resumption. Epochs may
    /// grow, and the settings of snapshots, spikes, limits and the monitor may change; the others decide the numbers of
    /// the run.
    ///
    /// # Errors
    /// The settings in which the options contradict the stored ones, with both values.
    pub fn changed_by(&self, options: &TrainOptions) -> Result<Self, Vec<String>> {
        let mut changed = self.clone();
        let mut options = options.clone();
        if let Some(preset) = options.preset {
            preset.fill(&mut options);
        }
        let asked = Self::resolve(options.clone());
        let mut contradicted = differing(self, &asked, |name| {
            options.named().contains(&name) && !FREE.contains(&name)
        });
        for name in options.named() {
            match name {
                "epochs" if asked.epochs < self.epochs => {
                    contradicted.push(contradiction("epochs", &self.epochs, &asked.epochs))
                }
                "epochs" => changed.epochs = asked.epochs,
                "snapshot_every" => changed.snapshot_every = asked.snapshot_every,
                "keep" => changed.keep = asked.keep,
                "on_spike" => changed.on_spike = asked.on_spike,
                "spike_factor" => changed.spike_factor = asked.spike_factor,
                "monitor" => changed.monitor = asked.monitor,
                "stop_below" => changed.stop_below = asked.stop_below.clone(),
                "stop_above" => changed.stop_above = asked.stop_above.clone(),
                _ => {}
            }
        }
        if contradicted.is_empty() {
            Ok(changed)
        } else {
            Err(contradicted)
        }
    }

    /// Returns the settings in which another run's numbers may differ from this one's.
    pub(super) fn contradicted_by(&self, other: &Self) -> Vec<String> {
        differing(self, other, |name| !FREE.contains(&name))
    }

    /// Default stride: a third of the maximum length, as published, and at most 128.
    pub fn default_stride(max_length: usize) -> usize {
        LONGEST_STRIDE.min(max_length / 3)
    }

    /// Rows per step of the optimizer.
    pub fn rows_per_step(&self) -> usize {
        self.batch_size * self.accumulate
    }

    /// Effective weight λ: 0 without a regularizer.
    pub(super) fn acting_weight(&self) -> f64 {
        if self.regularizer == RegularizerName::None {
            0.0
        } else {
            self.weight
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_the_table_is_set_by_its_name_and_no_other() {
        let mut options = TrainOptions::default();
        options.set("epochs", "3").unwrap();
        options.set("preset", "paper").unwrap();
        assert_eq!(
            (options.epochs, options.preset),
            (Some(3), Some(Preset::Paper))
        );
        assert!(options.set("epochs", "many").is_err());
        let unknown = |name: &str| {
            let set = TrainOptions::default().set(name, "");
            set.is_err_and(|message| message.contains("there is no setting"))
        };
        assert!(unknown("epoch"));
        for Setting { name, .. } in TrainOptions::settings() {
            assert!(!unknown(name), "{name}");
        }
    }
}
