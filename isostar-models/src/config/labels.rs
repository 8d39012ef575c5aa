//! The names and the meaning of a classifier's outputs.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check;
use crate::ModelError;

/// The labels of a model and its type of problem, with the field names of transformers'
/// configurations.
///
/// Only classifiers use labels. Reading a configuration therefore accepts invalid labels;
/// [`validate`](Labels::validate) checks them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Fields")]
pub struct Labels {
    /// Number of labels, used if `id2label` is absent or has another number of names. If both are
    /// absent, there are two labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// The name of each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// The id of each label name: the inverse of `id2label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label2id: Option<BTreeMap<String, usize>>,
    /// `single_label_classification`, `multi_label_classification` or `regression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
    /// The fields above whose values have the wrong type. They are kept and written back.
    #[serde(flatten)]
    pub mistyped: Map<String, Value>,
}

/// The type of problem of a classifier, which determines its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// Exactly one class per sequence: softmax and cross entropy.
    SingleLabel,
    /// Any number of classes per sequence: sigmoid and binary cross entropy.
    MultiLabel,
    /// One or several numbers per sequence: squared error.
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
    /// Labels with these names, for this type of problem.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>, problem: ProblemType) -> Self {
        let names: BTreeMap<usize, String> =
            names.into_iter().map(Into::into).enumerate().collect();
        Self {
            label2id: Some(names.iter().map(|(id, name)| (name.clone(), *id)).collect()),
            id2label: Some(names),
            problem_type: Some(problem.name().to_string()),
            ..Self::default()
        }
    }

    /// The label names in the order of the outputs; `LABEL_0`, `LABEL_1`, … if the configuration
    /// has no names. The order is meaningful only if the labels are [valid](Labels::validate).
    pub fn names(&self) -> Vec<String> {
        match self.named() {
            Some(names) => names.values().cloned().collect(),
            None => unnamed(self.len()).collect(),
        }
    }

    /// The number of labels, which is the number of outputs.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a classifier has at least one output"
    )]
    pub fn len(&self) -> usize {
        self.named()
            .map_or(self.num_labels.unwrap_or(2), BTreeMap::len)
    }

    /// The names, or `None` if `num_labels` differs from their number: then `num_labels` takes
    /// precedence, as in transformers.
    fn named(&self) -> Option<&BTreeMap<usize, String>> {
        self.id2label
            .as_ref()
            .filter(|names| self.num_labels.is_none_or(|count| count == names.len()))
    }

    /// The type of problem. If the configuration does not specify it, a single label means
    /// regression, and several labels mean single-label classification.
    pub fn problem(&self) -> ProblemType {
        let named = ProblemType::ALL
            .into_iter()
            .find(|problem| Some(problem.name()) == self.problem_type.as_deref());
        named.unwrap_or(if self.len() == 1 {
            ProblemType::Regression
        } else {
            ProblemType::SingleLabel
        })
    }

    /// Checks that a classifier can use the labels.
    ///
    /// # Errors
    /// [`ModelError::FieldType`] if a field has the wrong type; [`ModelError::Setting`] if the ids
    /// have gaps or the type of problem is unknown.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (field, value) in &self.mistyped {
            if let Err(source) = Self::default().set(field, value) {
                return Err(ModelError::FieldType {
                    path: "config.json".into(),
                    field: field.clone(),
                    source,
                });
            }
        }
        match self.named() {
            Some(names) if !names.keys().copied().eq(0..names.len().max(1)) => {
                return Err(ModelError::setting(
                    "id2label",
                    format!("{names:?}"),
                    "numbered from 0 without gaps",
                ));
            }
            _ => check::sizes(&[("num_labels", self.len())])?,
        }
        match &self.problem_type {
            Some(found)
                if ProblemType::ALL
                    .into_iter()
                    .all(|problem| problem.name() != found) =>
            {
                let expected = ProblemType::ALL.map(ProblemType::name).join(", ");
                Err(ModelError::setting(
                    "problem_type",
                    format!("{found:?}"),
                    format!("one of {expected}"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// The labels with `id2label` and `label2id` filled in, as transformers writes them. Invalid
    /// labels are returned unchanged.
    pub(crate) fn spelled_out(&self) -> Self {
        match self.named().is_some() || self.validate().is_err() {
            true => self.clone(),
            false => Self {
                problem_type: self.problem_type.clone(),
                ..Self::new(unnamed(self.len()), self.problem())
            },
        }
    }

    /// Sets one field from its JSON value.
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

/// The fields as they are stored in a configuration.
#[derive(Deserialize)]
struct Fields {
    num_labels: Option<Value>,
    id2label: Option<Value>,
    label2id: Option<Value>,
    problem_type: Option<Value>,
}

impl From<Fields> for Labels {
    fn from(fields: Fields) -> Self {
        let Fields {
            num_labels,
            id2label,
            label2id,
            problem_type,
        } = fields;
        let mut labels = Self::default();
        for (field, value) in [
            ("num_labels", num_labels),
            ("id2label", id2label),
            ("label2id", label2id),
            ("problem_type", problem_type),
        ] {
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

/// Parses the keys of a JSON object, which are strings, as ids.
fn numbered(value: &Value) -> Result<Option<BTreeMap<usize, String>>, serde_json::Error> {
    let Some(names) = Option::<BTreeMap<String, String>>::deserialize(value)? else {
        return Ok(None);
    };
    let number = |id: &str| {
        id.parse()
            .map_err(|_| serde_json::Error::custom(format!("the key {id:?} is not a number")))
    };
    names
        .into_iter()
        .map(|(id, name)| Ok((number(&id)?, name)))
        .collect::<Result<_, _>>()
        .map(Some)
}
