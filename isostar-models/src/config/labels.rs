//! What a classifier's outputs are called, and what kind of answer they make.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::check;
use crate::ModelError;

/// The labels of a model and the problem they belong to, under the names of transformers' configurations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// How many labels there are, where they have no names; 2 if it is absent as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// The name of each label.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "numbered")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// The same, the other way round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label2id: Option<BTreeMap<String, usize>>,
    /// `single_label_classification`, `multi_label_classification` or `regression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
}

/// What the outputs of a classifier mean, and with it the loss that they are trained by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// One class of several: softmax and cross entropy.
    SingleLabel,
    /// Any number of classes at once: a sigmoid each and binary cross entropy.
    MultiLabel,
    /// Numbers: squared error.
    Regression,
}

impl ProblemType {
    const ALL: [Self; 3] = [Self::SingleLabel, Self::MultiLabel, Self::Regression];

    /// The name in transformers' configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single_label_classification",
            Self::MultiLabel => "multi_label_classification",
            Self::Regression => "regression",
        }
    }
}

impl Labels {
    /// These names, for a problem of this type.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>, problem: ProblemType) -> Self {
        let names: BTreeMap<usize, String> = names.into_iter().map(Into::into).enumerate().collect();
        Self {
            num_labels: None,
            label2id: Some(names.iter().map(|(id, name)| (name.clone(), *id)).collect()),
            id2label: Some(names),
            problem_type: Some(problem.name().to_string()),
        }
    }

    /// The names, `LABEL_0`, `LABEL_1`, … where the configuration names none.
    pub fn names(&self) -> Vec<String> {
        match &self.id2label {
            Some(names) => names.values().cloned().collect(),
            None => unnamed(self.len()).collect(),
        }
    }

    /// The number of labels: of outputs.
    #[expect(clippy::len_without_is_empty, reason = "a classifier has at least one output")]
    pub fn len(&self) -> usize {
        self.id2label.as_ref().map_or(self.num_labels.unwrap_or(2), BTreeMap::len)
    }

    /// What the outputs mean: as the configuration says, and if it does not, a number where there is one label and a class where there
    /// are several.
    pub fn problem(&self) -> ProblemType {
        let named = ProblemType::ALL.into_iter().find(|problem| Some(problem.name()) == self.problem_type.as_deref());
        named.unwrap_or(if self.len() == 1 { ProblemType::Regression } else { ProblemType::SingleLabel })
    }

    pub(super) fn validate(&self) -> Result<(), ModelError> {
        match &self.id2label {
            Some(names) if !names.keys().copied().eq(0..names.len().max(1)) => {
                return Err(ModelError::setting("id2label", format!("{names:?}"), "numbered from 0 without gaps"));
            }
            _ => check::sizes(&[("num_labels", self.len())])?,
        }
        match &self.problem_type {
            Some(found) if ProblemType::ALL.into_iter().all(|problem| problem.name() != found) => {
                let expected = ProblemType::ALL.map(ProblemType::name).join(", ");
                Err(ModelError::setting("problem_type", format!("{found:?}"), format!("one of {expected}")))
            }
            _ => Ok(()),
        }
    }

    /// Names and numbers for every label, as transformers writes them.
    pub(crate) fn spelled_out(&self) -> Self {
        match self.id2label {
            Some(_) => self.clone(),
            None => Self { problem_type: self.problem_type.clone(), ..Self::new(unnamed(self.len()), self.problem()) },
        }
    }
}

fn unnamed(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|id| format!("LABEL_{id}"))
}

/// Keys that are numbers come through serde's `flatten` as text.
fn numbered<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeMap<usize, String>>, D::Error> {
    let Some(names) = Option::<BTreeMap<String, String>>::deserialize(deserializer)? else { return Ok(None) };
    let number = |id: &str| id.parse().map_err(|_| D::Error::custom(format!("the key {id:?} is no number")));
    names.into_iter().map(|(id, name)| Ok((number(&id)?, name))).collect::<Result<_, _>>().map(Some)
}
