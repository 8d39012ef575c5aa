//! What a classifier's outputs are called, and what kind of answer they make.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check;
use crate::ModelError;

/// The labels of a model and the problem they belong to, under the names of transformers' configurations.
///
/// Only classifiers use labels. A configuration whose labels no classifier can have is therefore read as well;
/// [`validate`](Labels::validate) refuses them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Fields")]
pub struct Labels {
    /// How many labels there are, where they have no names or other ones; 2 if it is absent as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// The name of each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// The same, the other way round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label2id: Option<BTreeMap<String, usize>>,
    /// `single_label_classification`, `multi_label_classification` or `regression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
    /// Those of the fields above whose values have the wrong type, kept so that writing a configuration back loses nothing.
    #[serde(flatten)]
    pub mistyped: Map<String, Value>,
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
            label2id: Some(names.iter().map(|(id, name)| (name.clone(), *id)).collect()),
            id2label: Some(names),
            problem_type: Some(problem.name().to_string()),
            ..Self::default()
        }
    }

    /// The names in the order of the outputs, `LABEL_0`, `LABEL_1`, … where the configuration names none. They are those of the outputs only if
    /// the labels are [valid](Labels::validate).
    pub fn names(&self) -> Vec<String> {
        match self.named() {
            Some(names) => names.values().cloned().collect(),
            None => unnamed(self.len()).collect(),
        }
    }

    /// The number of labels: of outputs.
    #[expect(clippy::len_without_is_empty, reason = "a classifier has at least one output")]
    pub fn len(&self) -> usize {
        self.named().map_or(self.num_labels.unwrap_or(2), BTreeMap::len)
    }

    /// The names, unless the configuration contradicts their number: then its number of labels holds, as in transformers.
    fn named(&self) -> Option<&BTreeMap<usize, String>> {
        self.id2label.as_ref().filter(|names| self.num_labels.is_none_or(|count| count == names.len()))
    }

    /// What the outputs mean: as the configuration says, and if it does not, a number where there is one label and a class where there
    /// are several.
    pub fn problem(&self) -> ProblemType {
        let named = ProblemType::ALL.into_iter().find(|problem| Some(problem.name()) == self.problem_type.as_deref());
        named.unwrap_or(if self.len() == 1 { ProblemType::Regression } else { ProblemType::SingleLabel })
    }

    /// Refuses labels that no classifier can have: fields of the wrong type, numbers with gaps, a problem of an unknown type.
    ///
    /// # Errors
    /// [`ModelError::FieldType`] and [`ModelError::Setting`].
    pub fn validate(&self) -> Result<(), ModelError> {
        for (field, value) in &self.mistyped {
            if let Err(source) = Self::default().set(field, value) {
                return Err(ModelError::FieldType { path: "config.json".into(), field: field.clone(), source });
            }
        }
        match self.named() {
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

    /// Names and numbers for every label, as transformers writes them; invalid labels as they are.
    pub(crate) fn spelled_out(&self) -> Self {
        match self.named().is_some() || self.validate().is_err() {
            true => self.clone(),
            false => Self { problem_type: self.problem_type.clone(), ..Self::new(unnamed(self.len()), self.problem()) },
        }
    }

    /// Reads one field.
    fn set(&mut self, field: &str, value: &Value) -> Result<(), serde_json::Error> {
        match field {
            "num_labels" => self.num_labels = Option::deserialize(value)?,
            "id2label" => self.id2label = numbered(value)?,
            "label2id" => self.label2id = Option::deserialize(value)?,
            "problem_type" => self.problem_type = Option::deserialize(value)?,
            _ => {}
        }
        Ok(())
    }
}

/// The fields as a configuration holds them.
#[derive(Deserialize)]
struct Fields {
    num_labels: Option<Value>,
    id2label: Option<Value>,
    label2id: Option<Value>,
    problem_type: Option<Value>,
}

impl From<Fields> for Labels {
    fn from(fields: Fields) -> Self {
        let Fields { num_labels, id2label, label2id, problem_type } = fields;
        let mut labels = Self::default();
        for (field, value) in [("num_labels", num_labels), ("id2label", id2label), ("label2id", label2id), ("problem_type", problem_type)] {
            let Some(value) = value else { continue };
            if labels.set(field, &value).is_err() {
                labels.mistyped.insert(field.to_string(), value);
            }
        }
        labels
    }
}

fn unnamed(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|id| format!("LABEL_{id}"))
}

/// The keys of a JSON object are text.
fn numbered(value: &Value) -> Result<Option<BTreeMap<usize, String>>, serde_json::Error> {
    let Some(names) = Option::<BTreeMap<String, String>>::deserialize(value)? else { return Ok(None) };
    let number = |id: &str| id.parse().map_err(|_| serde_json::Error::custom(format!("the key {id:?} is no number")));
    names.into_iter().map(|(id, name)| Ok((number(&id)?, name))).collect::<Result<_, _>>().map(Some)
}
