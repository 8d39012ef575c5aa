//! From the start and end logits of a question's windows to its answer.

use std::ops::{Range, RangeInclusive};

/// Where answers are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLimits {
    /// How many starts and how many ends of each window are tried, and how many answers are kept. Default 20.
    pub n_best: usize,
    /// The longest answer, in tokens. Default 30.
    pub max_tokens: usize,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self { n_best: 20, max_tokens: 30 }
    }
}

/// One window of a question: the question and as much of its context as the model takes at once.
///
/// All three slices have one entry per token of the window's row: special tokens, question, context and padding, in the order of the row.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// How well an answer starts with each token.
    pub start_logits: &'a [f32],
    /// How well an answer ends with each token, itself included.
    pub end_logits: &'a [f32],
    /// Where each token of the context starts and ends in the whole context, in characters (not bytes), the end exclusive. `None` for every
    /// token that is not of the context. May stop short of the row's end: tokens past it, such as padding, are not of the context either.
    pub offsets: &'a [Option<(usize, usize)>],
}

/// A possible answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Span<'a> {
    /// The text, as it stands in the context.
    pub text: &'a str,
    /// Which characters of the context that is.
    pub characters: Range<usize>,
    /// The window it was found in.
    pub window: usize,
    /// The tokens of that window.
    pub tokens: RangeInclusive<usize>,
    /// The sum of both logits.
    pub score: f32,
}

/// The text of the best answer, the first of [`n_best_spans`].
///
/// `None` where no span is possible, or the only one has no text. There transformers makes up the answer `empty`.
///
/// # Panics
/// If a window has not as many end logits as start logits.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=False`.
pub fn best_span<'a>(context: &'a str, windows: &[Window<'_>], limits: SpanLimits) -> Option<Span<'a>> {
    let candidates = candidates(windows, limits);
    let best = candidates.first()?.span(context);
    (candidates.len() > 1 || !best.text.is_empty()).then_some(best)
}

/// The best answers of all windows of one question, best first.
///
/// ```text
/// score(w, s, e) = start_logits[w][s] + end_logits[w][e]        s ≤ e < s + max_tokens
/// ```
///
/// Each window proposes the pairs of its `n_best` highest start logits and `n_best` highest end logits, tokens outside the context among
/// them; pairs that touch such a token, are reversed or too long are then left out. So a window may propose nothing. The `n_best` highest
/// scores of all windows are kept, in single precision as the logits are. Spans of several windows that are the same text stay separate.
///
/// Of equal logits, the earlier token's ranks higher; of equal scores, the earlier window's, then the higher start logit's, then the higher
/// end logit's. (transformers leaves the first open, and does the second.) A NaN proposes nothing.
///
/// # Panics
/// If a window has not as many end logits as start logits.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=False`.
pub fn n_best_spans<'a>(context: &'a str, windows: &[Window<'_>], limits: SpanLimits) -> Vec<Span<'a>> {
    candidates(windows, limits).iter().map(|candidate| candidate.span(context)).collect()
}

/// The score of no answer to one question: the least that any of its windows gives to its first token as both start and end.
///
/// ```text
/// n = min (start_logits[w][0] + end_logits[w][0])
///      w
/// ```
///
/// The first token is that which stands for the sequence, such as `[CLS]`; padding before it has to be left out. A NaN does not count. `None`
/// where no window has a token.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=True`.
pub fn no_answer_score(windows: &[Window<'_>]) -> Option<f32> {
    let score = |window: &Window<'_>| Some(window.start_logits.first()? + window.end_logits.first()?);
    windows.iter().filter_map(score).reduce(f32::min)
}

/// The answer to a question that may have none: the best span with text, unless no answer scores higher.
///
/// `spans` are those of [`n_best_spans`], `no_answer` the score of [`no_answer_score`]. `None` where no answer is the better one, or no span has
/// text; there transformers makes up a span of score 0.
///
/// # References
/// `postprocess_qa_predictions` of transformers' examples (utils_qa.py) with `version_2_with_negative=True` and a threshold of 0.
pub fn span_or_none<'s, 'a>(spans: &'s [Span<'a>], no_answer: Option<f32>) -> Option<&'s Span<'a>> {
    let best = spans.iter().find(|span| !span.text.is_empty())?;
    (!no_answer.is_some_and(|no_answer| no_answer > best.score)).then_some(best)
}

/// A span before its text is looked up.
struct Candidate {
    characters: Range<usize>,
    window: usize,
    tokens: RangeInclusive<usize>,
    score: f32,
}

impl Candidate {
    fn span<'a>(&self, context: &'a str) -> Span<'a> {
        let byte = |character| context.char_indices().nth(character).map_or(context.len(), |(byte, _)| byte);
        let text = context.get(byte(self.characters.start)..byte(self.characters.end)).unwrap_or_default();
        Span { text, characters: self.characters.clone(), window: self.window, tokens: self.tokens.clone(), score: self.score }
    }
}

fn candidates(windows: &[Window<'_>], limits: SpanLimits) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (window, logits) in windows.iter().enumerate() {
        let (starts, ends) = (logits.start_logits, logits.end_logits);
        assert_eq!(starts.len(), ends.len(), "window {window}: {} start logits, but {} end logits", starts.len(), ends.len());
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
                    found.push(Candidate { characters: first..last, window, tokens: start..=end, score });
                }
            }
        }
    }
    // Stable: equal scores stay in the order in which they were found.
    found.sort_by(|a, b| b.score.partial_cmp(&a.score).expect("no score is NaN"));
    found.truncate(limits.n_best);
    found
}

/// The tokens of the `count` highest logits, highest first and of equal ones the earlier first.
fn highest(logits: &[f32], count: usize) -> Vec<usize> {
    let mut tokens: Vec<usize> = (0..logits.len()).filter(|token| !logits[*token].is_nan()).collect();
    tokens.sort_by(|a, b| logits[*b].partial_cmp(&logits[*a]).expect("no logit is NaN"));
    tokens.truncate(count);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "Zoë saw 東京";
    const OFFSETS: [Option<(usize, usize)>; 5] = [None, Some((0, 3)), Some((4, 7)), Some((8, 10)), None];

    fn window<'a>(start_logits: &'a [f32], end_logits: &'a [f32]) -> Window<'a> {
        Window { start_logits, end_logits, offsets: &OFFSETS }
    }

    fn text(windows: &[Window<'_>]) -> Option<&'static str> {
        best_span(CONTEXT, windows, SpanLimits::default()).map(|span| span.text)
    }

    #[test]
    fn offsets_count_characters() {
        assert_eq!(text(&[window(&[0.0, 0.0, 0.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0, 0.0])]), Some("東京"));
    }

    #[test]
    fn special_tokens_and_padding_are_never_answers() {
        assert_eq!(text(&[window(&[9.0, 0.0, 1.0, 0.0, 9.0], &[9.0, 0.0, 1.0, 0.0, 9.0])]), Some("saw"));
    }

    #[test]
    fn tied_logits_give_the_earliest_window_and_start() {
        let spans = n_best_spans(CONTEXT, &[window(&[0.0; 5], &[0.0; 5]); 2], SpanLimits::default());
        assert_eq!(spans.len(), 12);
        assert_eq!((spans[0].text, spans[0].window, spans[0].tokens.clone()), ("Zoë", 0, 1..=1));
        assert_eq!((spans[6].text, spans[6].window), ("Zoë", 1));
    }

    #[test]
    fn no_context_gives_no_answer() {
        assert_eq!(text(&[]), None);
        assert_eq!(text(&[Window { start_logits: &[1.0], end_logits: &[1.0], offsets: &[] }]), None);
    }

    #[test]
    fn nan_is_never_chosen() {
        let (nan, low) = (f32::NAN, f32::NEG_INFINITY);
        assert_eq!(text(&[window(&[nan; 5], &[0.0; 5])]), None);
        assert_eq!(text(&[window(&[0.0, nan, 0.0, 0.0, 0.0], &[0.0, 9.0, 1.0, low, 0.0])]), Some("saw"));
    }

    #[test]
    fn no_answer_is_given_where_every_window_prefers_it_to_the_best_span() {
        let answer = |windows: &[Window<'_>]| {
            let spans = n_best_spans(CONTEXT, windows, SpanLimits::default());
            span_or_none(&spans, no_answer_score(windows)).map(|span| span.text)
        };
        let (none, some) = ([4.0, 0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0, 0.0]);
        assert_eq!(answer(&[window(&none, &none)]), None);
        assert_eq!(answer(&[window(&none, &none), window(&some, &some)]), Some("saw"), "one window does not");
        assert_eq!(answer(&[window(&[3.0, 0.0, 3.0, 0.0, 0.0], &[3.0, 0.0, 3.0, 0.0, 0.0])]), Some("saw"), "a tie goes to the span");
        assert_eq!(answer(&[]), None);
        assert_eq!(no_answer_score(&[window(&none, &none), window(&some, &none)]), Some(4.0));
        assert_eq!(no_answer_score(&[Window { start_logits: &[], end_logits: &[], offsets: &[] }]), None);
    }

    #[test]
    #[should_panic(expected = "window 1: 5 start logits, but 4 end logits")]
    fn logits_of_different_length_panic() {
        text(&[window(&[0.0; 5], &[0.0; 5]), window(&[0.0; 5], &[0.0; 4])]);
    }
}
