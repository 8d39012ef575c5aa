//! Agreement of predicted and gold answers, as measured by SQuAD v2.0: a question may be
//! unanswerable.

use super::answer::normalize_answer;
use super::span::{SpanScore, answer_score};

/// The scores of a split in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squad2Score {
    /// Over all questions.
    pub all: SpanScore,
    /// Over the questions that have an answer; `None` if there are none.
    pub has_answer: Option<SpanScore>,
    /// Over the questions without an answer; `None` if there are none.
    pub no_answer: Option<SpanScore>,
}

/// The score of one answer; an empty prediction means no answer.
///
/// As [`answer_score`], but gold answers that normalize to nothing are ignored. If no gold answer
/// remains, exact match and F1 are both 1 for a prediction that normalizes to nothing, and 0
/// otherwise. Both in `[0, 1]`.
///
/// # References
/// `get_raw_scores` of SQuAD's evaluate-v2.0.py.
pub fn answer_or_none_score<S: AsRef<str>>(prediction: &str, golds: &[S]) -> SpanScore {
    let golds: Vec<&str> = golds
        .iter()
        .map(AsRef::as_ref)
        .filter(|gold| !normalize_answer(gold).is_empty())
        .collect();
    if golds.is_empty() {
        let agrees = f64::from(u8::from(normalize_answer(prediction).is_empty()));
        return SpanScore {
            exact_match: agrees,
            f1: agrees,
        };
    }
    answer_score(prediction, &golds)
}

/// The scores of a split in per cent: the means of [`answer_or_none_score`] over its questions.
///
/// Each question is a pair of its prediction (empty for no answer) and its gold answers. A question
/// has an answer if it has a gold answer, even one that normalizes to nothing. All scores in
/// `[0, 100]`. `None` without questions, which the official script refuses.
///
/// # References
/// `main` of SQuAD's evaluate-v2.0.py without probabilities; Rajpurkar et al., "Know What You Don't Know: Unanswerable Questions for SQuAD"
/// (ACL 2018).
pub fn squad2_score<'a, S: AsRef<str> + 'a>(
    questions: impl IntoIterator<Item = (&'a str, &'a [S])>,
) -> Option<Squad2Score> {
    let [mut has_answer, mut no_answer] = [Mean::default(); 2];
    for (prediction, golds) in questions {
        let part = if golds.is_empty() {
            &mut no_answer
        } else {
            &mut has_answer
        };
        part.add(answer_or_none_score(prediction, golds));
    }
    let all = has_answer.merged(no_answer).per_cent()?;
    Some(Squad2Score {
        all,
        has_answer: has_answer.per_cent(),
        no_answer: no_answer.per_cent(),
    })
}

/// Running sum of the scores of questions.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: SpanScore,
    questions: usize,
}

impl Mean {
    fn add(&mut self, score: SpanScore) {
        *self = self.merged(Self {
            sum: score,
            questions: 1,
        });
    }

    fn merged(self, other: Self) -> Self {
        let sum = SpanScore {
            exact_match: self.sum.exact_match + other.sum.exact_match,
            f1: self.sum.f1 + other.sum.f1,
        };
        Self {
            sum,
            questions: self.questions + other.questions,
        }
    }

    fn per_cent(self) -> Option<SpanScore> {
        let mean = |sum: f64| 100.0 * sum / self.questions as f64;
        (self.questions > 0).then(|| SpanScore {
            exact_match: mean(self.sum.exact_match),
            f1: mean(self.sum.f1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: SpanScore = SpanScore {
        exact_match: 1.0,
        f1: 1.0,
    };

    #[test]
    fn no_answer_is_correct_only_for_unanswerable_questions() {
        assert_eq!(answer_or_none_score::<&str>("", &[]), RIGHT);
        assert_eq!(
            answer_or_none_score::<&str>("river", &[]),
            SpanScore::default()
        );
        assert_eq!(answer_or_none_score("", &["river"]), SpanScore::default());
        assert_eq!(
            answer_or_none_score("the", &["A", "..."]),
            RIGHT,
            "prediction and gold answers normalize to nothing"
        );
        assert_eq!(answer_or_none_score("flood", &["the", "Flood!"]), RIGHT);
    }

    #[test]
    fn questions_with_and_without_an_answer_are_scored_separately_and_together() {
        let (some, none): ([&str; 1], [&str; 0]) = (["river"], []);
        let questions = [
            ("river", &some[..]),
            ("", &some[..]),
            ("", &some[..]),
            ("town", &some[..]),
            ("", &none[..]),
        ];
        let score = squad2_score(questions).unwrap();
        let equal = |share: f64| SpanScore {
            exact_match: share,
            f1: share,
        };
        assert_eq!(
            score,
            Squad2Score {
                all: equal(40.0),
                has_answer: Some(equal(25.0)),
                no_answer: Some(equal(100.0))
            }
        );
        assert_eq!(
            squad2_score([("river", &some[..])]).unwrap().no_answer,
            None
        );
        assert_eq!(squad2_score::<&str>([]), None);
    }
}
