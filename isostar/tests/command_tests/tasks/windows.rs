//! Windows of long paragraphs, compared with those of transformers (scripts/golden_windows.py).

use std::fs;
use std::path::Path;

use isostar_train::data::{GoldAnswer, Question, TextEncoder, TextRow, WindowSettings};
use serde::Deserialize;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    tokenizer: String,
    question: String,
    paragraph: String,
    /// `None` if the question has no answer.
    answer: Option<String>,
    /// Start of the answer, in characters.
    start: Option<usize>,
    max_length: usize,
    stride: usize,
    /// Side of truncation; right if absent.
    side: Option<String>,
    windows: Vec<Window>,
}

#[derive(Deserialize)]
struct Window {
    ids: Vec<u32>,
    places: Vec<Option<(u32, u32)>>,
    answer: [u32; 2],
}

#[test]
fn windows_spans_and_answers_match_transformers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden: Golden = serde_json::from_str(
        &fs::read_to_string(root.join("tests/fixtures/windows.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(golden.cases.len(), 30);
    let (mut cut, mut outside, mut unanswerable) = (0, 0, 0);
    for case in &golden.cases {
        let tokenizer = root.join(format!(
            "../isostar-models/tests/fixtures/tokenizers/{}.json",
            case.tokenizer
        ));
        let mut tokenizer = Tokenizer::from_file(tokenizer).unwrap();
        if case.side.as_deref() == Some("left") {
            let truncation = TruncationParams {
                direction: TruncationDirection::Left,
                ..TruncationParams::default()
            };
            tokenizer.with_truncation(Some(truncation)).unwrap();
        }
        let encoder = TextEncoder::new(tokenizer, case.max_length).unwrap();
        let row = TextRow {
            text: case.question.clone(),
            pair: Some(case.paragraph.clone()),
            label: String::new(),
            line: 1,
        };
        let answers: Vec<_> = case
            .answer
            .iter()
            .zip(case.start)
            .map(|(text, start)| GoldAnswer {
                text: text.clone(),
                start,
            })
            .collect();
        unanswerable += usize::from(answers.is_empty());
        let question = Question {
            id: "q".into(),
            answers,
        };
        let settings = WindowSettings {
            stride: case.stride,
            keep_places: true,
        };
        let windows = encoder
            .encode_windows(&[row], &[question], settings, Path::new("golden"))
            .unwrap();
        assert_eq!(
            windows.len(),
            case.windows.len(),
            "{} {:?}",
            case.tokenizer,
            case.question
        );
        cut += usize::from(windows.len() > 1);
        for (at, expected) in (0..).zip(&case.windows) {
            assert_eq!(windows.ids(at), expected.ids);
            assert_eq!(
                windows.places(at),
                expected.places,
                "{} {:?}, window {at}",
                case.tokenizer,
                case.question
            );
            assert_eq!(
                windows.answer(at),
                expected.answer,
                "{} {:?}, window {at}",
                case.tokenizer,
                case.question
            );
            outside += usize::from(expected.answer == [0, 0]);
        }
    }
    assert!(
        cut >= 9 && outside >= 9,
        "{cut} paragraphs are split, {outside} windows contain no answer"
    );
    assert_eq!(unanswerable, 6);
}
