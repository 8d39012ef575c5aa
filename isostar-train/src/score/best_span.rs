//! Extracting the answer to a question from the start and end logits of its windows.

use std::ops::{Range, RangeInclusive};

/// Limits on the candidate spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLimits {
    /// The number of start and of end tokens considered per window, and the number of answers kept.
    /// Default 20.
    pub n_best: usize,
    /// The maximum length of an answer in tokens. Default 30.
    pub max_tokens: usize,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            n_best: 20,
            max_tokens: 30,
        }
    }
}

/// One window of a question: the question and the part of its context that fits into the model.
///
/// All three slices have one entry per token of the window: special tokens, question, context and
/// padding, in the order of the input.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The start logit of each token.
    pub start_logits: &'a [f32],
    /// The end logit of each token; the end of a span is inclusive.
    pub end_logits: &'a [f32],
    /// The start and end (exclusive) of each context token in the whole context, in characters (not
    /// bytes). `None` for tokens outside the context. May be shorter than the window: the remaining
    /// tokens, such as padding, are then outside the context.
    pub offsets: &'a [Option<(usize, usize)>],
}

/// A candidate answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Span<'a> {
    /// The text of the span in the context.
    pub text: &'a str,
    /// The range of characters in the context.
    pub characters: Range<usize>,
    /// The index of the window.
    pub window: usize,
    /// The range of tokens in that window.
    pub tokens: RangeInclusive<usize>,
    /// The sum of the start and end logits.
    pub score: f32,
}

/// Returns the best answer, the first of [`n_best_spans`].
///
/// `None` if no span is possible, or if the only one has an empty text. In these cases transformers
/// returns the answer `empty`.
///
/// # Panics
/// If the start and end logits of a window differ in length.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=False`.
pub fn best_span<'a>(
    context: &'a str,
    windows: &[Window<'_>],
    limits: SpanLimits,
) -> Option<Span<'a>> {
    let candidates = candidates(windows, limits);
    let best = candidates.first()?.span(context);
    (candidates.len() > 1 || !best.text.is_empty()).then_some(best)
}

/// Returns the best answers over all windows of one question, best first.
///
/// ```text
/// score(w, s, e) = start_logits[w][s] + end_logits[w][e]        s ≤ e < s + max_tokens
/// ```
///
/// Each window proposes all pairs of its `n_best` highest start logits and its `n_best` highest end
/// logits. Tokens outside the context count among these; pairs that contain such a token, are
/// reversed or are too long are then removed, so a window may propose no span. The `n_best` highest
/// scores over all windows are kept, in single precision like the logits. Spans of several windows
/// with the same text are kept separately.
///
/// Ties between logits go to the earlier token (transformers leaves them open). Ties between scores
/// go to the earlier window, then to the higher start logit, then to the higher end logit, as in
/// transformers. NaN logits are ignored.
///
/// # Panics
/// If the start and end logits of a window differ in length.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=False`.
pub fn n_best_spans<'a>(
    context: &'a str,
    windows: &[Window<'_>],
    limits: SpanLimits,
) -> Vec<Span<'a>> {
    candidates(windows, limits)
        .iter()
        .map(|candidate| candidate.span(context))
        .collect()
}

/// Returns the no-answer score of a question: the lowest score over its windows of the first token
/// as both start and end.
///
/// ```text
/// n = min (start_logits[w][0] + end_logits[w][0])
///      w
/// ```
///
/// The first token represents the sequence, such as `[CLS]`; remove padding on the left first. NaN
/// scores are ignored. `None` if no window has a token.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=True`.
pub fn no_answer_score(windows: &[Window<'_>]) -> Option<f32> {
    let score =
        |window: &Window<'_>| Some(window.start_logits.first()? + window.end_logits.first()?);
    windows.iter().filter_map(score).reduce(f32::min)
}

/// Returns the answer to a question that may be unanswerable: the best span with a non-empty text,
/// or `None` if the no-answer score is higher.
///
/// `spans` come from [`n_best_spans`], `no_answer` from [`no_answer_score`]. Also `None` if no span
/// has a non-empty text; in this case transformers makes up a span with score 0.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=True` and a threshold of 0.
pub fn span_or_none<'s, 'a>(spans: &'s [Span<'a>], no_answer: Option<f32>) -> Option<&'s Span<'a>> {
    let best = spans.iter().find(|span| !span.text.is_empty())?;
    (!no_answer.is_some_and(|no_answer| no_answer > best.score)).then_some(best)
}

/// A span without its text.
struct Candidate {
    characters: Range<usize>,
    window: usize,
    tokens: RangeInclusive<usize>,
    score: f32,
}

impl Candidate {
    fn span<'a>(&self, context: &'a str) -> Span<'a> {
        let byte = |character| {
            context
                .char_indices()
                .nth(character)
                .map_or(context.len(), |(byte, _)| byte)
        };
        let text = context
            .get(byte(self.characters.start)..byte(self.characters.end))
            .unwrap_or_default();
        Span {
            text,
            characters: self.characters.clone(),
            window: self.window,
            tokens: self.tokens.clone(),
            score: self.score,
        }
    }
}

fn candidates(windows: &[Window<'_>], limits: SpanLimits) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (window, logits) in windows.iter().enumerate() {
        let (starts, ends) = (logits.start_logits, logits.end_logits);
        assert_eq!(
            starts.len(),
            ends.len(),
            "window {window}: {} start logits, but {} end logits",
            starts.len(),
            ends.len()
        );
        let offset = |token: usize| logits.offsets.get(token).copied().flatten();
        let highest_ends = highest(ends, limits.n_best);
        for start in highest(starts, limits.n_best) {
            for &end in &highest_ends {
                let short_enough = start <= end && end - start < limits.max_tokens;
                let score = starts[start] + ends[end];
                if let (Some((first, _)), Some((_, last))) = (offset(start), offset(end))
                    && short_enough
                    && !score.is_nan()
                {
                    found.push(Candidate {
                        characters: first..last,
                        window,
                        tokens: start..=end,
                        score,
                    });
                }
            }
        }
    }
    // The sort is stable: equal scores keep the order of the candidates.
    found.sort_by(|a, b| b.score.partial_cmp(&a.score).expect("no score is NaN"));
    found.truncate(limits.n_best);
    found
}

/// Returns the tokens of the `count` highest logits, highest first; ties go to the earlier token.
fn highest(logits: &[f32], count: usize) -> Vec<usize> {
    let mut tokens: Vec<usize> = (0..logits.len())
        .filter(|token| !logits[*token].is_nan())
        .collect();
    tokens.sort_by(|a, b| {
        logits[*b]
            .partial_cmp(&logits[*a])
            .expect("no logit is NaN")
    });
    tokens.truncate(count);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "Zoë saw 東京";
    const OFFSETS: [Option<(usize, usize)>; 5] =
        [None, Some((0, 3)), Some((4, 7)), Some((8, 10)), None];

    fn window<'a>(start_logits: &'a [f32], end_logits: &'a [f32]) -> Window<'a> {
        Window {
            start_logits,
            end_logits,
            offsets: &OFFSETS,
        }
    }

    fn text(windows: &[Window<'_>]) -> Option<&'static str> {
        best_span(CONTEXT, windows, SpanLimits::default()).map(|span| span.text)
    }

    #[test]
    fn offsets_count_characters() {
        assert_eq!(
            text(&[window(
                &[0.0, 0.0, 0.0, 1.0, 0.0],
                &[0.0, 0.0, 0.0, 1.0, 0.0]
            )]),
            Some("東京")
        );
    }

    #[test]
    fn special_tokens_and_padding_are_never_answers() {
        assert_eq!(
            text(&[window(
                &[9.0, 0.0, 1.0, 0.0, 9.0],
                &[9.0, 0.0, 1.0, 0.0, 9.0]
            )]),
            Some("saw")
        );
    }

    #[test]
    fn tied_logits_give_the_earliest_window_and_start() {
        let spans = n_best_spans(
            CONTEXT,
            &[window(&[0.0; 5], &[0.0; 5]); 2],
            SpanLimits::default(),
        );
        assert_eq!(spans.len(), 12);
        assert_eq!(
            (spans[0].text, spans[0].window, spans[0].tokens.clone()),
            ("Zoë", 0, 1..=1)
        );
        assert_eq!((spans[6].text, spans[6].window), ("Zoë", 1));
    }

    #[test]
    fn no_context_means_no_answer() {
        assert_eq!(text(&[]), None);
        assert_eq!(
            text(&[Window {
                start_logits: &[1.0],
                end_logits: &[1.0],
                offsets: &[]
            }]),
            None
        );
    }

    #[test]
    fn nan_is_never_chosen() {
        let (nan, low) = (f32::NAN, f32::NEG_INFINITY);
        assert_eq!(text(&[window(&[nan; 5], &[0.0; 5])]), None);
        assert_eq!(
            text(&[window(
                &[0.0, nan, 0.0, 0.0, 0.0],
                &[0.0, 9.0, 1.0, low, 0.0]
            )]),
            Some("saw")
        );
    }

    #[test]
    fn no_answer_is_returned_if_every_window_scores_it_above_the_best_span() {
        let answer = |windows: &[Window<'_>]| {
            let spans = n_best_spans(CONTEXT, windows, SpanLimits::default());
            span_or_none(&spans, no_answer_score(windows)).map(|span| span.text)
        };
        let (none, some) = ([4.0, 0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0, 0.0]);
        assert_eq!(answer(&[window(&none, &none)]), None);
        assert_eq!(
            answer(&[window(&none, &none), window(&some, &some)]),
            Some("saw"),
            "one window does not"
        );
        assert_eq!(
            answer(&[window(
                &[3.0, 0.0, 3.0, 0.0, 0.0],
                &[3.0, 0.0, 3.0, 0.0, 0.0]
            )]),
            Some("saw"),
            "a tie goes to the span"
        );
        assert_eq!(answer(&[]), None);
        assert_eq!(
            no_answer_score(&[window(&none, &none), window(&some, &none)]),
            Some(4.0)
        );
        assert_eq!(
            no_answer_score(&[Window {
                start_logits: &[],
                end_logits: &[],
                offsets: &[]
            }]),
            None
        );
    }

    #[test]
    #[should_panic(expected = "window 1: 5 start logits, but 4 end logits")]
    fn logits_of_different_length_panic() {
        text(&[window(&[0.0; 5], &[0.0; 5]), window(&[0.0; 5], &[0.0; 4])]);
    }
}
