//! The regularizer of a run, with what controls it from step to step.

use std::sync::Arc;

use isostar_core::{Ramp, Regularizer, Target};

use super::super::ExperimentError;
use super::{RegularizerName, TrainSettings};

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
        let holds = targets.holds(&self.layers, share(self.target_warmup));
        Ok(Some(Arc::new(Target::new(holds, self.padding)?)))
    }
}
