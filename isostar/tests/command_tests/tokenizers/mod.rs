//! Texts to ids as transformers does it, for the three kinds of tokenizers of the supported models: scripts/golden_tokenizers.py.

mod table;

use std::fs;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use isostar_train::data::{BatchSource, DataError, PaddingSide, TextEncoder, TextRow, Truncation};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{PaddingParams, Tokenizer};

/// One batch and what transformers makes of it.
#[derive(Deserialize)]
struct Case {
    texts: Vec<String>,
    pairs: Option<Vec<String>>,
    max_length: Option<usize>,
    truncation: String,
    padding: Option<String>,
    error: Option<String>,
    #[serde(default)]
    ids: Vec<Vec<i64>>,
    #[serde(default)]
    type_ids: Vec<Vec<i64>>,
    #[serde(default)]
    attention_mask: Vec<Vec<i64>>,
    #[serde(default)]
    offsets: Vec<Vec<(usize, usize)>>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures/tokenizers")
}

impl Case {
    fn rows(&self) -> Vec<TextRow> {
        let pair = |at: usize| self.pairs.as_ref().map(|pairs| pairs[at].clone());
        let row = |(at, text): (usize, &String)| TextRow {
            text: text.clone(),
            pair: pair(at),
            label: "0".into(),
            line: at + 1,
        };
        self.texts.iter().enumerate().map(row).collect()
    }

    fn encoder(&self, name: &str, pad_token: &str) -> TextEncoder {
        const LONG: usize = 512;
        let mut tokenizer = Tokenizer::from_file(fixtures().join(format!("{name}.json"))).unwrap();
        if let Some(pad_id) = tokenizer.token_to_id(pad_token) {
            tokenizer.with_padding(Some(PaddingParams {
                pad_id,
                pad_token: pad_token.into(),
                ..PaddingParams::default()
            }));
        }
        let max_length = self
            .max_length
            .filter(|_| self.truncation != "none")
            .unwrap_or(LONG);
        let truncation = if self.truncation == "only_second" {
            Truncation::OnlySecond
        } else {
            Truncation::LongestFirst
        };
        let side = if self.padding.as_deref() == Some("left") {
            PaddingSide::Left
        } else {
            PaddingSide::Right
        };
        TextEncoder::new(tokenizer, max_length)
            .unwrap()
            .with_truncation(truncation)
            .unwrap()
            .with_padding_side(side)
    }

    fn check_rows(&self, encoder: &TextEncoder) {
        for (at, row) in self.rows().iter().enumerate() {
            let encoding = encoder.encode_row(row).unwrap();
            let ids: Vec<i64> = encoding.get_ids().iter().map(|id| i64::from(*id)).collect();
            let type_ids: Vec<i64> = encoding
                .get_type_ids()
                .iter()
                .map(|id| i64::from(*id))
                .collect();
            assert_eq!(ids, self.tokens_of(at, &self.ids), "{row:?}");
            assert_eq!(type_ids, self.tokens_of(at, &self.type_ids), "{row:?}");
            assert_eq!(
                encoding.get_offsets(),
                self.tokens_of(at, &self.offsets),
                "{row:?}"
            );
        }
    }

    /// What is no padding.
    fn tokens_of<T: Clone>(&self, row: usize, values: &[Vec<T>]) -> Vec<T> {
        let pairs = values[row].iter().zip(&self.attention_mask[row]);
        pairs
            .filter(|(_, is_token)| **is_token == 1)
            .map(|(value, _)| value.clone())
            .collect()
    }

    fn check_batch(&self, encoder: &TextEncoder) {
        let rows = self.rows();
        let examples = encoder.encode(&rows, vec![0; rows.len()]).unwrap();
        let batch = examples
            .batch((0..rows.len() as u32).collect(), &Device::default())
            .input;
        let ints =
            |tensor: Tensor<2, Int>| -> Vec<i64> { tensor.into_data().iter::<i64>().collect() };
        assert_eq!(
            ints(batch.mask.int()),
            self.attention_mask.concat(),
            "{rows:?}"
        );
        assert_eq!(ints(batch.ids), self.ids.concat(), "{rows:?}");
        if self.pairs.is_some() {
            assert_eq!(ints(batch.type_ids), self.type_ids.concat(), "{rows:?}");
        }
    }
}

#[test]
fn every_tokenizer_agrees_with_transformers() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixtures().join("expected.json")).unwrap()).unwrap();
    for name in ["bert", "roberta", "gpt2"] {
        let pad_token = expected[name]["pad_token"].as_str().unwrap();
        let cases: Vec<Case> = serde_json::from_value(expected[name]["cases"].clone()).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let encoder = case.encoder(name, pad_token);
            if case.error.is_some() {
                assert!(matches!(
                    encoder.encode_row(&case.rows()[0]),
                    Err(DataError::Tokenizer { .. })
                ));
                continue;
            }
            case.check_rows(&encoder);
            if case.padding.is_some() && encoder.tokenizer().token_to_id(pad_token).is_some() {
                case.check_batch(&encoder);
            }
        }
    }
}
