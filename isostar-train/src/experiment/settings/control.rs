//! The regularizer of a run, with what controls it from step to step.

use std::sync::Arc;

use isostar_core::{ControlConfig, LayerSelection, Ramp, Regularizer, Target};

use super::super::{ExperimentError, SCRATCH};
use super::{AccumulateScore, RegularizerName, Targets, TrainSettings};

/// First guess of the move of a score per step and unit of the weight, per unit of the learning rate.
/// MiniLM at 5e-5 moves by 0.0025.
const RESPONSE: f64 = 50.0;

/// The same for a small encoder from scratch, whose score the task itself moves faster: a smaller guess
/// makes the weight answer an error more strongly.
const SCRATCH_RESPONSE: f64 = 15.0;

impl TrainSettings {
    /// Creates the regularizer of a training of `steps` steps: a plain penalty, whose weight rises
    /// over the warm-up, or the one that holds a target; `None` without one.
    ///
    /// # Errors
    /// If a setting of the regularizer is outside its range, or there are both a weight and a target.
    pub fn controlled(
        &self,
        steps: usize,
    ) -> Result<Option<Arc<dyn Regularizer>>, ExperimentError> {
        let share = |share: f64| (share * steps as f64).round() as usize;
        let Some(targets) = &self.target else {
            let regularizer = self.regularizer()?;
            return Ok(
                regularizer.map(|regularizer| match share(self.weight_warmup) {
                    0 => regularizer,
                    warmup => Arc::new(Ramp::new(regularizer, warmup as u64)),
                }),
            );
        };
        let refused = |name, value: String, expected| {
            Err(ExperimentError::Setting {
                name,
                value,
                expected,
            })
        };
        if self.weight != 0.0 {
            let expected = "0 with a target, which sets the weight from step to step";
            return refused("weight", self.weight.to_string(), expected);
        }
        if self.regularizer != RegularizerName::Istar {
            let table = toml::Value::try_from(self.regularizer).expect("a plain value");
            return refused("regularizer", table.to_string(), "istar with a target");
        }
        let is_separate = matches!(
            self.layers,
            LayerSelection::Each | LayerSelection::Weighted(_)
        );
        if matches!(targets, Targets::Together(_)) && is_separate {
            let expected = "all, last or numbers under one target; layers by themselves take a \
                            target each, such as --target 1:0.4,6:0.2";
            return refused("layers", self.layers.to_string(), expected);
        }
        if self.accumulate > 1 && self.accumulate_score == AccumulateScore::Micro {
            let expected = "full with a target, which holds the score of whole steps";
            return refused("accumulate_score", "micro".into(), expected);
        }
        let response = match self.model == SCRATCH {
            true => SCRATCH_RESPONSE,
            false => RESPONSE,
        };
        let control = ControlConfig::new(0.0)
            .with_warmup(share(self.target_warmup))
            .with_response(response * self.learning_rate);
        let holds = targets.holds(&self.layers, &control);
        Ok(Some(Arc::new(Target::new(holds, self.padding)?)))
    }
}
