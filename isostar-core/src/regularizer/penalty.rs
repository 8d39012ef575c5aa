//! What a regularizer returns.

use burn::prelude::*;

/// The penalty of one batch, and the measure that it is based on.
#[derive(Clone, Debug)]
pub struct Penalty {
    /// The term added to the task loss, weight included. Shape `[1]`.
    pub value: Tensor<1>,
    /// The measure of this batch, without the weight and without gradient. Shape `[1]`.
    pub measure: Tensor<1>,
    /// Further numbers of this batch, for logs.
    pub details: Vec<Detail>,
}

/// A number of a batch besides its measure, such as the shrinkage weight that was estimated from it.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The name in logs, in lower case.
    pub name: String,
    /// The number, without gradient. Shape `[1]`.
    pub value: Tensor<1>,
}

impl Penalty {
    /// A penalty without further numbers. The measure is detached from the graph.
    pub fn new(value: Tensor<1>, measure: Tensor<1>) -> Self {
        Self {
            value,
            measure: measure.without_autodiff(),
            details: Vec::new(),
        }
    }

    /// The same penalty with these further numbers.
    pub fn with_details(mut self, details: impl IntoIterator<Item = Detail>) -> Self {
        self.details.extend(details);
        self
    }

    /// The same penalty without gradients.
    pub fn without_autodiff(self) -> Self {
        Self {
            value: self.value.without_autodiff(),
            ..self
        }
    }
}

impl Detail {
    /// A number with a name. It is detached from the graph.
    pub fn new(name: impl Into<String>, value: Tensor<1>) -> Self {
        Self {
            name: name.into(),
            value: value.without_autodiff(),
        }
    }
}
