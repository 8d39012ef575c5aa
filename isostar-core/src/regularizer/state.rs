//! What a regularizer remembers between steps, and the numbers that it learns from.

use core::fmt;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use crate::control::{ControlStep, ControllerState};

/// The numbers of one step, as a training hook reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct StepNumbers {
    /// The number of steps before it, as in [`StepContext`](super::StepContext).
    pub step: u64,
    /// The task loss of the batch.
    pub task_loss: f64,
    /// The [details](super::Penalty::details) of the penalty, with their names.
    pub details: Vec<(String, f64)>,
}

impl StepNumbers {
    /// The detail of this name.
    pub fn detail(&self, name: &str) -> Option<f64> {
        let mut details = self.details.iter();
        details
            .find(|(found, _)| found == name)
            .map(|(_, value)| *value)
    }
}

/// A step of a score that is held at a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldStep {
    /// The layers whose score it is, as text.
    pub layers: String,
    /// Whether λ was frozen or released in this step.
    #[serde(skip)]
    pub is_turn: bool,
    /// The numbers.
    #[serde(flatten)]
    pub numbers: ControlStep,
}

impl fmt::Display for HeldStep {
    /// Says that λ was frozen or released.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layers, numbers, ..
        } = self;
        let ControlStep {
            multiplier, score, ..
        } = numbers;
        match numbers.frozen {
            true => write!(
                f,
                "the task loss has risen while the score of layers {layers} moved: λ is frozen at \
                 {multiplier:.4}, at a score of {score:.4}"
            ),
            false => write!(
                f,
                "the task loss has fallen again: λ of layers {layers} is released at {multiplier:.4}, \
                 at a score of {score:.4}"
            ),
        }
    }
}

/// What a regularizer remembers between steps. A training that is saved and resumed keeps it beside
/// the parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegularizerState {
    /// States of the controllers of [`Target`](super::Target).
    pub controllers: Vec<ControllerState>,
    /// Further numbers.
    pub numbers: Vec<f64>,
    /// Tensors, in single precision. They are not serialized with the rest: see
    /// [`split`](Self::split).
    #[serde(skip)]
    pub tensors: Vec<TensorData>,
    /// The number of tensors that [`split`](Self::split) has taken out; 0 otherwise.
    pub tensor_count: usize,
    /// States of the parts of a [`Sum`](super::Sum).
    pub parts: Vec<RegularizerState>,
}

impl RegularizerState {
    /// Separates the tensors, those of the parts included, from the rest.
    pub fn split(mut self) -> (Self, Vec<TensorData>) {
        let mut tensors = Vec::new();
        self.take_tensors(&mut tensors);
        (self, tensors)
    }

    /// Joins what [`split`](Self::split) has separated; `None` if the tensors are of another state.
    pub fn join(mut self, tensors: Vec<TensorData>) -> Option<Self> {
        let mut tensors = tensors.into_iter();
        self.put_tensors(&mut tensors)?;
        tensors.next().is_none().then_some(self)
    }

    fn take_tensors(&mut self, tensors: &mut Vec<TensorData>) {
        self.tensor_count = self.tensors.len();
        tensors.append(&mut self.tensors);
        for part in &mut self.parts {
            part.take_tensors(tensors);
        }
    }

    fn put_tensors(&mut self, tensors: &mut impl Iterator<Item = TensorData>) -> Option<()> {
        self.tensors = tensors.by_ref().take(self.tensor_count).collect();
        let is_whole = self.tensors.len() == self.tensor_count;
        self.tensor_count = 0;
        is_whole.then_some(())?;
        self.parts
            .iter_mut()
            .try_for_each(|part| part.put_tensors(tensors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_joined_with_its_own_tensors_only() {
        let tensor = |number: f32| TensorData::from([number]);
        let part = RegularizerState {
            tensors: vec![tensor(1.0), tensor(2.0)],
            ..Default::default()
        };
        let parts = vec![part, RegularizerState::default()];
        let state = RegularizerState {
            tensors: vec![tensor(3.0)],
            parts,
            ..Default::default()
        };
        let (rest, tensors) = state.clone().split();
        assert_eq!(tensors, [3.0, 1.0, 2.0].map(tensor));
        let rest: RegularizerState =
            serde_json::from_str(&serde_json::to_string(&rest).unwrap()).unwrap();
        assert_eq!(rest.clone().join(tensors.clone()), Some(state));
        assert_eq!(rest.clone().join(tensors[1..].to_vec()), None);
        assert_eq!(rest.join([tensors, vec![tensor(4.0)]].concat()), None);
    }
}
