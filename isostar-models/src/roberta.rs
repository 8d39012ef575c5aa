//! RoBERTa: settings and checkpoint layout. The encoder is BERT's, with positions numbered from the
//! id of the padding token; the classifier differs.

use burn::prelude::*;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::bert::ENCODER;
use crate::config::{Architecture, Labels, ModelSizes};
use crate::head::{Dense, HeadSettings};
use crate::layer::Places;
use crate::pretrained::{Key, Layout};
use crate::{Bert, BertConfig, ModelError};

/// Settings of a RoBERTa model: BERT's fields with the defaults of transformers' `RobertaConfig`.
///
/// The first `pad_token_id + 1` rows of the position table are not used by tokens: with 514 rows, a
/// sequence has at most 512 tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RobertaConfig(pub BertConfig);

impl Default for RobertaConfig {
    fn default() -> Self {
        Self(BertConfig {
            vocab_size: 50_265,
            pad_token_id: Some(1),
            ..BertConfig::default()
        })
    }
}

impl<'de> Deserialize<'de> for RobertaConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let Self(defaults) = Self::default();
        for (name, default) in [
            ("vocab_size", defaults.vocab_size.into()),
            ("pad_token_id", defaults.pad_token_id.into()),
        ] {
            fields.entry(name).or_insert(default);
        }
        serde_json::from_value(Value::Object(fields))
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl RobertaConfig {
    fn places(&self) -> Result<Places, ModelError> {
        let Self(config) = self;
        let Some(padding) = config.pad_token_id else {
            return Err(ModelError::setting(
                "pad_token_id",
                "null",
                "the id of a token, because positions are numbered from it",
            ));
        };
        let places = Places::AfterPadding(padding);
        match places.longest(config.max_position_embeddings) {
            0 => {
                let expected = format!("more than pad_token_id + 1, {}", padding + 1);
                Err(ModelError::setting(
                    "max_position_embeddings",
                    config.max_position_embeddings,
                    expected,
                ))
            }
            _ => Ok(places),
        }
    }
}

impl Architecture for RobertaConfig {
    fn layout(&self) -> &'static Layout {
        &LAYOUT
    }

    fn sizes(&self) -> ModelSizes {
        let sizes = self.0.sizes();
        ModelSizes {
            positions: self
                .places()
                .map_or(0, |places| places.longest(sizes.positions)),
            ..sizes
        }
    }

    fn padding(&self) -> Option<usize> {
        self.0.padding()
    }

    fn labels(&self) -> &Labels {
        self.0.labels()
    }

    fn labels_mut(&mut self) -> &mut Labels {
        self.0.labels_mut()
    }

    fn deviation(&self) -> f64 {
        self.0.deviation()
    }

    fn head(&self) -> HeadSettings {
        let dropout = self.0.classifier_dropout();
        HeadSettings {
            dense: Some(Dense::Tanh),
            input_dropout: dropout,
            dropout,
            ..HeadSettings::default()
        }
    }

    fn validate(&self) -> Result<(), ModelError> {
        self.0.validate()?;
        self.places().map(|_| ())
    }
}

impl RobertaConfig {
    /// Creates an encoder with newly initialized weights. The settings must be valid.
    pub(crate) fn encoder(&self, device: &Device) -> Result<Bert, ModelError> {
        self.0.bert(self.places()?, device)
    }
}

const LAYOUT: Layout = Layout {
    prefix: "roberta.",
    encoder: ENCODER,
    linear_is_transposed: true,
    classifier: &[
        Key::new("dense", "classifier.dense"),
        Key::new("output", "classifier.out_proj"),
    ],
    span: &[Key::new("output", "qa_outputs")],
    passed_over: &["embeddings.position_ids", "pooler."],
    heads: &["classifier.", "qa_outputs.", "lm_head."],
};
