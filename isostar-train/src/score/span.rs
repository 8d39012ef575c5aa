//! Agreement of predicted and gold answers, as measured by SQuAD v1.1.

use std::collections::HashMap;

use super::answer::{normalize_answer, words};

/// Agreement with the gold answers, of one question or averaged over many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanScore {
    /// Exact match, or its mean.
    pub exact_match: f64,
    /// F1 of the words, or its mean.
    pub f1: f64,
}

/// Whether two answers are equal after [`normalize_answer`].
///
/// Answers that normalize to nothing, such as `the` and `a`, are equal.
///
/// # References
/// `exact_match_score` of SQuAD's evaluate-v1.1.py.
pub fn exact_match(prediction: &str, gold: &str) -> bool {
    normalize_answer(prediction) == normalize_answer(gold)
}

/// F1 of the words of two normalized answers. A word is shared as often as both contain it.
///
/// ```text
///       2 · P · R               shared              shared
/// F1 = ───────────      P = ────────────      R = ────────
///         P + R             |prediction|           |gold|
/// ```
///
/// In `[0, 1]`. By definition 0 if no word is shared, even if both answers normalize to nothing and
/// [`exact_match`] holds.
///
/// # References
/// `f1_score` of SQuAD's evaluate-v1.1.py.
pub fn token_f1(prediction: &str, gold: &str) -> f64 {
    let (prediction, gold) = (normalize_answer(prediction), normalize_answer(gold));
    let mut left: HashMap<&str, usize> = HashMap::new();
    let (mut predicted, mut right, mut shared) = (0, 0, 0);
    for word in words(&gold) {
        *left.entry(word).or_default() += 1;
        right += 1;
    }
    for word in words(&prediction) {
        predicted += 1;
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    let precision = f64::from(shared) / f64::from(predicted);
    let recall = f64::from(shared) / f64::from(right);
    2.0 * precision * recall / (precision + recall)
}

/// The score of one answer: the maximum over the gold answers, taken separately for exact match and
/// F1.
///
/// Both in `[0, 1]`. By definition 0 without gold answers, which the official script refuses.
///
/// # References
/// `metric_max_over_ground_truths` of SQuAD's evaluate-v1.1.py.
pub fn answer_score<S: AsRef<str>>(prediction: &str, golds: &[S]) -> SpanScore {
    golds
        .iter()
        .fold(SpanScore::default(), |best, gold| SpanScore {
            exact_match: best
                .exact_match
                .max(f64::from(u8::from(exact_match(prediction, gold.as_ref())))),
            f1: best.f1.max(token_f1(prediction, gold.as_ref())),
        })
}

/// The scores of a split in per cent: the means of [`answer_score`] over its questions.
///
/// Each question is a pair of its prediction and its gold answers. A missing prediction scores 0.
///
/// Both in `[0, 100]`. `None` without questions, which the official script refuses.
///
/// # References
/// `evaluate` of SQuAD's evaluate-v1.1.py.
pub fn squad_score<'a, S: AsRef<str> + 'a>(
    questions: impl IntoIterator<Item = (Option<&'a str>, &'a [S])>,
) -> Option<SpanScore> {
    let mut total = 0usize;
    let mut sum = SpanScore::default();
    for (prediction, golds) in questions {
        total += 1;
        if let Some(prediction) = prediction {
            let score = answer_score(prediction, golds);
            sum.exact_match += score.exact_match;
            sum.f1 += score.f1;
        }
    }
    let per_cent = |sum: f64| 100.0 * sum / total as f64;
    (total > 0).then(|| SpanScore {
        exact_match: per_cent(sum.exact_match),
        f1: per_cent(sum.f1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_word_is_shared_as_often_as_both_answers_contain_it() {
        assert_eq!(token_f1("x", "x x x"), 0.5);
        assert_eq!(token_f1("x x", "x y"), 0.5);
    }

    #[test]
    fn answers_of_articles_alone_match_exactly_and_have_no_f1() {
        assert!(exact_match("the", "A"));
        assert_eq!(token_f1("the", "A"), 0.0);
        assert_eq!(
            answer_score("the", &["A"]),
            SpanScore {
                exact_match: 1.0,
                f1: 0.0
            }
        );
    }

    #[test]
    fn empty_predictions_score_zero() {
        assert_eq!(
            answer_score("", &["river", "the river"]),
            SpanScore::default()
        );
    }

    #[test]
    fn the_best_gold_answer_counts() {
        assert_eq!(
            answer_score("the flood", &["town", "flood town", "Flood."]),
            SpanScore {
                exact_match: 1.0,
                f1: 1.0
            }
        );
    }

    #[test]
    fn a_question_without_gold_answers_scores_zero() {
        assert_eq!(answer_score::<&str>("river", &[]), SpanScore::default());
    }

    #[test]
    fn a_missing_prediction_counts_as_wrong() {
        let golds = ["river"];
        let questions = [(Some("river"), &golds[..]), (None, &golds[..])];
        assert_eq!(
            squad_score(questions),
            Some(SpanScore {
                exact_match: 50.0,
                f1: 50.0
            })
        );
    }

    #[test]
    fn a_split_without_questions_has_no_score() {
        assert_eq!(squad_score::<&str>([]), None);
    }
}
