//! Published settings, each with its source.

use isostar_core::{LayerSelection, Padding};

use super::{Preset, RegularizerName, Schedule, ShrinkageSetting, TrainOptions};
use crate::data::Batching;
use crate::task::{KnownTask, TaskKind};

/// The example command in the authors' repository.
const EXAMPLE: &str = "the published command for SST-2 and BERT";
/// The text of the paper.
const PAPER: &str = "Rudman & Eickhoff, ICLR 2024";
/// The behaviour of the authors' program, where it may differ from the paper.
const CODE: &str = "the published code";
/// A default that the published code does not override.
const OPTIMIZER: &str = "the default of transformers.AdamW, which the published code calls";

/// A setting filled in by a preset.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetSetting {
    /// The name of the setting in a settings file.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The source of the value.
    pub source: &'static str,
}

impl Preset {
    /// Fills in the settings missing from `options`, and returns them.
    ///
    /// | setting | paper | source |
    /// |---|---|---|
    /// | `model` | google-bert/bert-base-cased | one of the paper's three models |
    /// | `weight` | −5; CosReg 1 | the published command, of the paper's grid −5, −3, −1, 1, 3, 5 |
    /// | `shrinkage` | 0.2 | the published command, of the paper's grid 0.2, 0.4, 0.6, 0.8 |
    /// | `padding` | keep, in training and in the reference | the published code |
    /// | `batching` | random | the published code |
    /// | `layers` | all; CosReg last | the paper |
    /// | `calibration_states` | 250000 | the paper |
    /// | `epochs`, `batch_size`, `learning_rate`, `schedule`, `warmup` | 4, 32, 1e-5, constant, 0 | the published command |
    /// | `weight_decay`, `adam_epsilon` | 0, 1e-6 | the defaults of `transformers.AdamW`, which the published code calls |
    /// | `max_length` | 256, SQuAD 384 | the paper |
    /// | `stride` | 128 | the paper |
    ///
    /// The paper tunes weight and ζ by task and model, and gives their values only for this
    /// example.
    pub fn fill(self, options: &mut TrainOptions) -> Vec<PresetSetting> {
        let Self::Paper = self;
        let mut filled = Filled::default();
        let is_span = options
            .task
            .as_deref()
            .and_then(KnownTask::named)
            .is_some_and(|task| task.kind == TaskKind::Span);
        filled.text(
            &mut options.model,
            "model",
            "google-bert/bert-base-cased",
            PAPER,
        );
        match options.regularizer.unwrap_or_default() {
            // A target sets the weight, and has an estimate of its own.
            RegularizerName::Istar if options.target.is_some() => {
                filled.named(
                    &mut options.layers,
                    "layers",
                    LayerSelection::All,
                    "all",
                    PAPER,
                );
            }
            RegularizerName::Istar => {
                filled.number(&mut options.weight, "weight", -5.0, EXAMPLE);
                filled.named(
                    &mut options.shrinkage,
                    "shrinkage",
                    ShrinkageSetting::Fixed(0.2),
                    "0.2",
                    EXAMPLE,
                );
                filled.named(
                    &mut options.layers,
                    "layers",
                    LayerSelection::All,
                    "all",
                    PAPER,
                );
                filled.number(
                    &mut options.calibration_states,
                    "calibration_states",
                    250_000,
                    PAPER,
                );
            }
            RegularizerName::Cosreg => {
                filled.number(&mut options.weight, "weight", 1.0, PAPER);
                filled.named(
                    &mut options.layers,
                    "layers",
                    LayerSelection::Last,
                    "last",
                    PAPER,
                );
            }
            // Not in the paper.
            RegularizerName::Vicreg
            | RegularizerName::Sigreg
            | RegularizerName::SigregMinimal
            | RegularizerName::None => {}
        }
        filled.named(&mut options.padding, "padding", Padding::Keep, "keep", CODE);
        filled.named(
            &mut options.batching,
            "batching",
            Batching::Random,
            "random",
            CODE,
        );
        filled.number(&mut options.epochs, "epochs", 4, EXAMPLE);
        filled.number(&mut options.batch_size, "batch_size", 32, EXAMPLE);
        filled.number(&mut options.learning_rate, "learning_rate", 1e-5, EXAMPLE);
        filled.named(
            &mut options.schedule,
            "schedule",
            Schedule::Constant,
            "constant",
            EXAMPLE,
        );
        filled.number(&mut options.warmup, "warmup", 0.0, EXAMPLE);
        filled.number(&mut options.weight_decay, "weight_decay", 0.0, OPTIMIZER);
        filled.named(
            &mut options.adam_epsilon,
            "adam_epsilon",
            1e-6,
            "1e-6",
            OPTIMIZER,
        );
        filled.number(
            &mut options.max_length,
            "max_length",
            if is_span { 384 } else { 256 },
            PAPER,
        );
        if is_span {
            filled.number(&mut options.stride, "stride", 128, PAPER);
        }
        filled.settings
    }
}

/// The settings filled in so far.
#[derive(Default)]
struct Filled {
    settings: Vec<PresetSetting>,
}

impl Filled {
    /// Fills in a value whose written form differs from its `Display` form.
    fn named<T>(
        &mut self,
        option: &mut Option<T>,
        name: &'static str,
        value: T,
        written: &str,
        source: &'static str,
    ) {
        if option.is_none() {
            *option = Some(value);
            self.settings.push(PresetSetting {
                name,
                value: written.into(),
                source,
            });
        }
    }

    fn number<T: ToString>(
        &mut self,
        option: &mut Option<T>,
        name: &'static str,
        value: T,
        source: &'static str,
    ) {
        let written = value.to_string();
        self.named(option, name, value, &written, source);
    }

    fn text(
        &mut self,
        option: &mut Option<String>,
        name: &'static str,
        value: &str,
        source: &'static str,
    ) {
        self.named(option, name, value.to_string(), value, source);
    }
}

#[cfg(test)]
mod tests {
    use super::super::TrainSettings;
    use super::*;

    fn resolved(options: TrainOptions) -> TrainSettings {
        TrainSettings::resolve(TrainOptions {
            preset: Some(Preset::Paper),
            ..options
        })
    }

    #[test]
    fn the_paper_s_settings_are_filled_in() {
        let settings = resolved(TrainOptions {
            task: Some("sst2".into()),
            ..Default::default()
        });
        assert_eq!(
            (settings.weight, settings.shrinkage, settings.padding),
            (-5.0, ShrinkageSetting::Fixed(0.2), Padding::Keep)
        );
        assert_eq!(
            (settings.epochs, settings.batch_size, settings.learning_rate),
            (4, 32, 1e-5)
        );
        assert_eq!((settings.weight_decay, settings.adam_epsilon), (0.0, 1e-6));
        assert_eq!(
            (settings.max_length, settings.batching, settings.schedule),
            (Some(256), Batching::Random, Schedule::Constant)
        );
        assert_eq!(
            (settings.model.as_str(), settings.calibration_states),
            ("google-bert/bert-base-cased", 250_000)
        );
        let squad = resolved(TrainOptions {
            task: Some("squad".into()),
            ..Default::default()
        });
        assert_eq!((squad.max_length, squad.stride), (Some(384), Some(128)));
    }

    #[test]
    fn explicit_options_override_the_preset() {
        let mut options = TrainOptions {
            weight: Some(3.0),
            regularizer: Some(RegularizerName::Istar),
            ..Default::default()
        };
        let filled = Preset::Paper.fill(&mut options);
        assert!(filled.iter().all(|setting| setting.name != "weight"));
        assert_eq!(resolved(options).weight, 3.0);
        let cosreg = resolved(TrainOptions {
            regularizer: Some(RegularizerName::Cosreg),
            ..Default::default()
        });
        assert_eq!((cosreg.weight, cosreg.layers), (1.0, LayerSelection::Last));
        let none = resolved(TrainOptions {
            regularizer: Some(RegularizerName::None),
            ..Default::default()
        });
        assert_eq!(none.weight, 0.0);
    }

    #[test]
    fn every_preset_setting_has_a_source() {
        let filled = Preset::Paper.fill(&mut TrainOptions::default());
        assert_eq!(filled.len(), 15);
        assert!(
            filled
                .iter()
                .all(|setting| !setting.source.is_empty() && !setting.value.is_empty())
        );
    }
}
