//! Scores against scikit-learn, SciPy, SQuAD's official script and transformers: scripts/golden_scores.py.

use std::fs;

use isostar_train::score::{
    SpanLimits, SpanScore, Window, accuracy, answer_score, best_span, confusion, exact_match, f1,
    macro_f1, matthews_correlation, n_best_spans, no_answer_score, normalize_answer, pearson,
    span_or_none, spearman, squad_score, squad2_score, token_f1,
};
use serde::Deserialize;

/// Sums of at most 50 terms in another order than NumPy's; largest difference observed 6e-16.
const SUMS: f64 = 1e-12;

#[derive(Deserialize)]
struct Fixture {
    scale: f32,
    characters: Characters,
    classification: Vec<ClassificationCase>,
    correlation: Vec<CorrelationCase>,
    span_pairs: Vec<PairCase>,
    span_splits: Vec<SplitCase>,
    best_span: Vec<SpanCase>,
    squad2_splits: Vec<Squad2Case>,
    no_answer: Vec<NoAnswerCase>,
}

/// Ranges of code points, both ends included, by what Python takes them for.
#[derive(Deserialize)]
struct Characters {
    word: Vec<(u32, u32)>,
    other: Vec<(u32, u32)>,
    space: Vec<(u32, u32)>,
    lower: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct ClassificationCase {
    name: String,
    classes: usize,
    labels: Vec<usize>,
    predictions: Vec<usize>,
    confusion: Vec<Vec<usize>>,
    accuracy: f64,
    f1: Vec<f64>,
    macro_f1: f64,
    matthews: f64,
}

#[derive(Deserialize)]
struct CorrelationCase {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: Option<f64>,
    spearman: Option<f64>,
}

#[derive(Deserialize)]
struct PairCase {
    prediction: String,
    gold: String,
    normalized: (String, String),
    exact_match: bool,
    f1: f64,
}

#[derive(Deserialize)]
struct SplitCase {
    name: String,
    questions: Vec<Question>,
    exact_match: f64,
    f1: f64,
}

#[derive(Deserialize)]
struct Question {
    prediction: Option<String>,
    answers: Vec<String>,
}

#[derive(Deserialize)]
struct SpanCase {
    name: String,
    context: String,
    windows: Vec<WindowCase>,
    n_best: usize,
    max_tokens: usize,
    /// Score, window, first and last token.
    spans: Vec<(f32, usize, usize, usize)>,
    best: Option<String>,
}

/// Exact match and F1 of all questions, of those with an answer, and of those without.
#[derive(Deserialize)]
struct Squad2Case {
    name: String,
    questions: Vec<Question>,
    all: [f64; 2],
    has_answer: Option<[f64; 2]>,
    no_answer: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct NoAnswerCase {
    name: String,
    context: String,
    windows: Vec<WindowCase>,
    /// The score of no answer.
    no_answer: f32,
    /// Empty for none.
    answer: String,
}

/// Logits are in units of 1/scale.
#[derive(Deserialize)]
struct WindowCase {
    start: Vec<f32>,
    end: Vec<f32>,
    offsets: Vec<Option<(usize, usize)>>,
}

impl WindowCase {
    fn scaled(mut self, scale: f32) -> Self {
        self.start
            .iter_mut()
            .chain(&mut self.end)
            .for_each(|logit| *logit /= scale);
        self
    }

    fn window(&self) -> Window<'_> {
        Window {
            start_logits: &self.start,
            end_logits: &self.end,
            offsets: &self.offsets,
        }
    }
}

fn fixture() -> Fixture {
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/scores.json"
    ))
    .unwrap();
    serde_json::from_str(&text).unwrap()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() <= SUMS,
        "{what}: {found}, expected {expected}"
    );
}

#[test]
fn classes_score_as_in_scikit_learn() {
    let cases = fixture().classification;
    assert!(cases.len() >= 60);
    for case in cases {
        let (labels, predictions) = (&case.labels, &case.predictions);
        assert_eq!(
            confusion(labels, predictions, case.classes),
            case.confusion,
            "{}",
            case.name
        );
        assert_close(accuracy(labels, predictions), case.accuracy, &case.name);
        assert_close(macro_f1(labels, predictions), case.macro_f1, &case.name);
        assert_close(
            matthews_correlation(labels, predictions),
            case.matthews,
            &case.name,
        );
        for (class, expected) in case.f1.iter().enumerate() {
            assert_close(f1(labels, predictions, class), *expected, &case.name);
        }
    }
}

#[test]
fn numbers_correlate_as_in_scipy() {
    let cases = fixture().correlation;
    assert!(cases.len() >= 60);
    for case in cases {
        for (found, expected) in [
            (pearson(&case.x, &case.y), case.pearson),
            (spearman(&case.x, &case.y), case.spearman),
        ] {
            assert_eq!(
                found.is_some(),
                expected.is_some(),
                "{}: {found:?}, expected {expected:?}",
                case.name
            );
            assert_close(
                found.unwrap_or_default(),
                expected.unwrap_or_default(),
                &case.name,
            );
        }
    }
}

#[test]
fn answers_compare_as_in_the_official_script() {
    let cases = fixture().span_pairs;
    assert!(cases.len() >= 200);
    for PairCase {
        prediction,
        gold,
        normalized,
        exact_match: exact,
        f1,
    } in cases
    {
        let what = format!("{prediction:?} for {gold:?}");
        assert_eq!(
            (normalize_answer(&prediction), normalize_answer(&gold)),
            normalized,
            "{what}"
        );
        assert_eq!(exact_match(&prediction, &gold), exact, "{what}");
        assert_close(token_f1(&prediction, &gold), f1, &what);
        assert_eq!(
            answer_score(&prediction, &[&gold]).f1,
            token_f1(&prediction, &gold),
            "{what}"
        );
    }
}

#[test]
fn splits_score_as_in_the_official_script() {
    let cases = fixture().span_splits;
    assert!(cases.len() >= 20);
    for case in cases {
        let questions = case
            .questions
            .iter()
            .map(|question| (question.prediction.as_deref(), question.answers.as_slice()));
        let SpanScore { exact_match, f1 } = squad_score(questions).unwrap();
        assert_close(exact_match, case.exact_match, &case.name);
        assert_close(f1, case.f1, &case.name);
    }
}

#[test]
fn spans_are_chosen_as_in_transformers() {
    let Fixture {
        scale,
        best_span: cases,
        ..
    } = fixture();
    assert!(cases.len() >= 70);
    for mut case in cases {
        case.windows = case
            .windows
            .into_iter()
            .map(|window| window.scaled(scale))
            .collect();
        let windows: Vec<_> = case.windows.iter().map(WindowCase::window).collect();
        let limits = SpanLimits {
            n_best: case.n_best,
            max_tokens: case.max_tokens,
        };

        let spans = n_best_spans(&case.context, &windows, limits);
        let found: Vec<_> = spans
            .iter()
            .map(|span| {
                (
                    span.score,
                    span.window,
                    *span.tokens.start(),
                    *span.tokens.end(),
                )
            })
            .collect();
        assert_eq!(found, case.spans, "{}", case.name);
        assert_eq!(
            best_span(&case.context, &windows, limits).map(|span| span.text),
            case.best.as_deref(),
            "{}",
            case.name
        );
    }
}

#[test]
fn no_answer_is_chosen_as_in_transformers() {
    let Fixture {
        scale,
        no_answer: cases,
        ..
    } = fixture();
    assert!(
        cases.len() >= 60
            && cases.iter().any(|case| case.answer.is_empty())
            && cases.iter().any(|case| !case.answer.is_empty())
    );
    for case in cases {
        let windows: Vec<_> = case
            .windows
            .into_iter()
            .map(|window| window.scaled(scale))
            .collect();
        let windows: Vec<_> = windows.iter().map(WindowCase::window).collect();
        let no_answer = no_answer_score(&windows);
        assert_eq!(no_answer, Some(case.no_answer), "{}", case.name);
        let spans = n_best_spans(&case.context, &windows, SpanLimits::default());
        assert_eq!(
            span_or_none(&spans, no_answer).map_or("", |span| span.text),
            case.answer,
            "{}",
            case.name
        );
    }
}

#[test]
fn splits_with_unanswerable_questions_score_as_in_the_official_script() {
    let cases = fixture().squad2_splits;
    assert!(cases.len() >= 20);
    for case in cases {
        let questions = case.questions.iter().map(|question| {
            (
                question.prediction.as_deref().unwrap(),
                question.answers.as_slice(),
            )
        });
        let found = squad2_score(questions).unwrap();
        let parts = [
            (Some(found.all), Some(case.all)),
            (found.has_answer, case.has_answer),
            (found.no_answer, case.no_answer),
        ];
        for (found, expected) in parts {
            assert_eq!(found.is_some(), expected.is_some(), "{}", case.name);
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            assert_close(found.exact_match, expected[0], &case.name);
            assert_close(found.f1, expected[1], &case.name);
        }
    }
}

/// Every character of Python's Unicode between `x` and an article's letter: only a part of a word keeps the article.
#[test]
fn words_and_spaces_are_those_of_python() {
    let characters = fixture().characters;
    let all = |ranges: &[(u32, u32)]| -> Vec<char> {
        ranges
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .filter_map(char::from_u32)
            .collect()
    };
    let space = all(&characters.space);
    let keeps_article =
        |character: char| normalize_answer(&format!("{character}a{character}")).contains('a');
    for character in all(&characters.word)
        .into_iter()
        .filter(|character| !"aA".contains(*character))
    {
        assert!(
            keeps_article(character),
            "U+{:04X} is part of a word",
            u32::from(character)
        );
    }
    for character in all(&characters.other)
        .into_iter()
        .filter(|character| !character.is_ascii_punctuation())
    {
        assert!(
            !keeps_article(character),
            "U+{:04X} is no part of a word",
            u32::from(character)
        );
        let parts = normalize_answer(&format!("x{character}x")) == "x x";
        assert_eq!(
            parts,
            space.contains(&character),
            "U+{:04X} is white space",
            u32::from(character)
        );
    }
    for (character, lower) in characters.lower {
        assert_eq!(
            normalize_answer(&character),
            if lower == "a" { "" } else { &lower }
        );
    }
}
