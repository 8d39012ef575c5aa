//! The settings of a penalty, and the regularizer that they make.

use std::sync::Arc;

use isostar_core::{
    ConfigError, CosRegConfig, Estimator, IStar, IsoScorer, Regularizer, Shrinkage,
    ShrinkageTarget, SigRegConfig, SigRegPreset, StateSelection, VicRegConfig,
};

use super::{EstimatorName, ExperimentError, RegularizerName, ShrinkageSetting, TrainSettings};

impl TrainSettings {
    /// The states under the penalty.
    fn states(&self) -> StateSelection {
        StateSelection {
            layers: self.layers.clone(),
            padding: self.padding,
        }
    }

    /// Creates the scores of I-STAR.
    ///
    /// # Errors
    /// If ζ is outside [0, 1].
    pub(super) fn scorer(&self) -> Result<IsoScorer, ConfigError> {
        let target = ShrinkageTarget::Reference;
        let estimator = match (self.estimator, self.shrinkage) {
            (EstimatorName::Unbiased, _) => Estimator::Unbiased,
            (EstimatorName::Plugin, ShrinkageSetting::Auto) => Estimator::AutoShrunk(target),
            (EstimatorName::Plugin, ShrinkageSetting::Fixed(weight)) => {
                Estimator::Shrunk(Shrinkage::new(weight, target)?)
            }
        };
        Ok(IsoScorer::new(estimator, self.states()).with_sample(self.penalty_tokens, self.seed))
    }

    /// Creates the regularizer of these settings; `None` without a regularizer or if its weight is
    /// 0.
    ///
    /// # Errors
    /// If ζ is outside [0, 1] or λ is not finite.
    pub fn regularizer(&self) -> Result<Option<Arc<dyn Regularizer>>, ConfigError> {
        let (weight, states) = (self.weight, self.states());
        let sigreg = |preset| SigRegConfig {
            weight,
            preset,
            seed: self.seed,
            tokens: self.penalty_tokens,
            states: self.states(),
            ..SigRegConfig::new()
        };
        let regularizer: Arc<dyn Regularizer> = match self.regularizer {
            RegularizerName::None => return Ok(None),
            RegularizerName::Istar => Arc::new(IStar::with_scorer(weight, self.scorer()?)?),
            RegularizerName::Cosreg => Arc::new(CosRegConfig { weight, states }.init()?),
            RegularizerName::Vicreg => {
                let config = VicRegConfig::new().with_weight(weight).with_states(states);
                Arc::new(config.init()?)
            }
            RegularizerName::Sigreg => Arc::new(sigreg(SigRegPreset::Paper).init()?),
            RegularizerName::SigregMinimal => Arc::new(sigreg(SigRegPreset::Minimal).init()?),
        };
        Ok((self.weight != 0.0).then_some(regularizer))
    }

    /// Checks that the settings of the penalty do not contradict each other.
    ///
    /// # Errors
    /// The first setting that the others leave without effect.
    pub(super) fn check_penalty(&self) -> Result<(), ExperimentError> {
        let samples = matches!(
            self.regularizer,
            RegularizerName::Istar | RegularizerName::Sigreg | RegularizerName::SigregMinimal
        );
        if self.penalty_tokens > 0 && !samples && self.regularizer != RegularizerName::None {
            return Err(ExperimentError::Setting {
                name: "penalty_tokens",
                value: self.penalty_tokens.to_string(),
                expected: "0 unless the regularizer is istar or sigreg, which can draw states",
            });
        }
        if self.estimator == EstimatorName::Unbiased && self.regularizer != RegularizerName::Istar {
            return Err(ExperimentError::Setting {
                name: "estimator",
                value: "unbiased".into(),
                expected: "plugin unless the regularizer is istar",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::TrainOptions;

    fn resolved(toml: &str) -> TrainSettings {
        TrainSettings::resolve(toml::from_str::<TrainOptions>(toml).unwrap())
    }

    #[test]
    fn shrinkage_is_a_number_or_auto_in_files_and_on_the_command_line() {
        for (toml, expected) in [
            ("shrinkage = 0.3", ShrinkageSetting::Fixed(0.3)),
            ("shrinkage = 1", ShrinkageSetting::Fixed(1.0)),
            ("shrinkage = 'auto'", ShrinkageSetting::Auto),
            ("", ShrinkageSetting::Fixed(0.2)),
        ] {
            let settings = resolved(toml);
            assert_eq!(settings.shrinkage, expected, "{toml}");
            let text = expected.to_string();
            assert_eq!(text.parse::<ShrinkageSetting>(), Ok(expected));
            let stored = toml::to_string(&settings).unwrap();
            assert_eq!(toml::from_str::<TrainSettings>(&stored).unwrap(), settings);
        }
        assert!(toml::from_str::<TrainOptions>("shrinkage = 'most'").is_err());
        assert!("most".parse::<ShrinkageSetting>().is_err());
    }

    #[test]
    fn settings_choose_the_penalty_and_whether_it_needs_a_reference() {
        for (toml, measure, needs_reference) in [
            ("", "IsoScore star", true),
            ("shrinkage = 0", "IsoScore star", false),
            ("shrinkage = 'auto'", "IsoScore star", true),
            ("estimator = 'unbiased'", "IsoScore unbiased", false),
            ("layers = 'each'", "IsoScore star", true),
            ("regularizer = 'vicreg'", "VICReg", false),
            (
                "regularizer = 'sigreg'\npenalty_tokens = 512",
                "SIGReg",
                false,
            ),
            ("regularizer = 'sigreg-minimal'", "SIGReg", false),
        ] {
            let settings = resolved(toml);
            settings.check().unwrap();
            let regularizer = settings.regularizer().unwrap().unwrap();
            assert_eq!(regularizer.measure_name(), measure, "{toml}");
            let found = regularizer.reference_states().is_some();
            assert_eq!(found, needs_reference, "{toml}");
        }
    }

    #[test]
    fn settings_without_effect_are_refused() {
        for toml in [
            "regularizer = 'cosreg'\npenalty_tokens = 512",
            "regularizer = 'vicreg'\npenalty_tokens = 512",
            "regularizer = 'cosreg'\nestimator = 'unbiased'",
        ] {
            let error = resolved(toml).check().unwrap_err().to_string();
            assert!(error.contains("it must be"), "{error}");
        }
    }
}
