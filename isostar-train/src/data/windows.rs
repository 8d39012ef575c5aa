//! Windows of questions: the question together with a part of its paragraph that fits the model.

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use isostar_models::TokenBatch;
use rayon::prelude::*;
use tokenizers::Encoding;

use super::batch::feed_numbers;
use super::cutter::Cutter;
use super::tokens::Tokens;
use super::{BatchSource, DataError, GoldAnswer, PaddingSide, Question, TextEncoder, TextRow};

/// Number of questions encoded before their ids are copied.
const QUESTIONS_AT_ONCE: usize = 512;

/// Character span of a token in its paragraph, end exclusive; `None` if the token is not part of
/// the paragraph.
pub type CharSpan = Option<(u32, u32)>;

/// Tokenized windows of questions.
///
/// A paragraph that is too long for the model is split into several overlapping windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    tokens: Tokens,
    /// Index of each window's question.
    questions: Vec<u32>,
    /// First and last token of the answer in each window; `[0, 0]` if the window contains no
    /// answer.
    answers: Vec<[u32; 2]>,
    /// Character span of every token of every window; `None` if spans are not kept.
    places: Option<Vec<CharSpan>>,
}

/// Batch of windows.
#[derive(Debug, Clone)]
pub struct SpanBatch {
    /// Tokens, padded to the longest window. Shape of each tensor: `[windows, tokens]`.
    pub input: TokenBatch,
    /// First and last token of each answer, counting padding before the window. Shape of each
    /// tensor: `[windows]`.
    pub answers: [Tensor<1, Int>; 2],
    /// Indices of these windows in [`Windows`].
    pub windows: Vec<u32>,
}

impl Windows {
    /// Number of windows.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no windows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens in all windows.
    pub fn tokens(&self) -> usize {
        self.tokens.count()
    }

    /// Number of windows that contain only a part of their paragraph.
    pub fn cut(&self) -> usize {
        let of_several = |at: &usize| {
            let question = self.questions[*at];
            at.checked_sub(1)
                .is_some_and(|before| self.questions[before] == question)
                || self.questions.get(at + 1) == Some(&question)
        };
        (0..self.len()).filter(of_several).count()
    }

    /// Token ids of a window.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn ids(&self, window: u32) -> &[u32] {
        self.tokens.ids(window)
    }

    /// Index of a window's question, counted from 0 in the order of the file.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn question(&self, window: u32) -> u32 {
        self.questions[window as usize]
    }

    /// First and last token of the answer; both are 0 if the answer lies outside the window or the
    /// question has no answer.
    ///
    /// Token 0 is the classification token, such as `[CLS]`. GPT-2 has no such token; its token 0
    /// is the first token of the question, as in transformers' run_qa.py. That token does not
    /// attend to the paragraph, so GPT-2's no-answer score depends on that token alone.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn answer(&self, window: u32) -> [u32; 2] {
        self.answers[window as usize]
    }

    /// Character span of each token of a window in the paragraph.
    ///
    /// # Panics
    /// If the index is out of range, or spans were not kept.
    pub fn places(&self, window: u32) -> &[CharSpan] {
        let places = self
            .places
            .as_ref()
            .expect("Windows::places: spans were not kept, see WindowSettings::keep_places");
        &places[self.tokens.span(window)]
    }

    /// Padding side.
    pub fn padding_side(&self) -> PaddingSide {
        self.tokens.padding_side()
    }
}

impl BatchSource for Windows {
    type Batch = SpanBatch;

    fn lengths(&self) -> Vec<u32> {
        self.tokens.lengths()
    }

    fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        self.tokens.feed(sink);
        feed_numbers(
            self.questions.iter().map(|question| question.to_le_bytes()),
            sink,
        );
        for [first, last] in &self.answers {
            sink(&[first.to_le_bytes(), last.to_le_bytes()].concat());
        }
    }

    fn batch(&self, windows: Vec<u32>, device: &Device) -> SpanBatch {
        let input = self.tokens.batch(&windows, device);
        let [_, tokens] = input.ids.dims();
        let token = |window: u32, end: usize| {
            let before = match self.padding_side() {
                PaddingSide::Right => 0,
                PaddingSide::Left => tokens - self.ids(window).len(),
            };
            before as i32 + self.answer(window)[end] as i32
        };
        let answers = [0, 1].map(|end| {
            let from_windows: Vec<i32> = windows.iter().map(|window| token(*window, end)).collect();
            Tensor::from_data(TensorData::new(from_windows, [windows.len()]), device)
        });
        SpanBatch {
            input,
            answers,
            windows,
        }
    }
}

/// Settings for splitting paragraphs into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSettings {
    /// Number of tokens that consecutive windows share.
    pub stride: usize,
    /// Whether to keep the character span of each token, which is needed to extract answers.
    pub keep_places: bool,
}

impl TextEncoder {
    /// Encodes questions with their paragraphs on all threads, in order.
    ///
    /// Questions are never truncated. A paragraph that is too long is split into windows that each
    /// contain as many tokens as fit and begin `stride` tokens before the end of the previous
    /// window. If the tokenizer truncates from the left, the first window is the end of the
    /// paragraph, and each further window ends `stride` tokens after the start of the previous one.
    ///
    /// The target is the [majority answer](Question::majority); see [`Windows::answer`] for windows
    /// without an answer. `path` is the questions' file, for messages.
    ///
    /// # Errors
    /// [`DataError::LongQuestion`] if a question leaves no more room in a window than the stride,
    /// and [`DataError::Tokenizer`] if the tokenizer fails.
    ///
    /// # Panics
    /// If the numbers of questions and rows differ.
    pub fn encode_windows(
        &self,
        rows: &[TextRow],
        questions: &[Question],
        settings: WindowSettings,
        path: &Path,
    ) -> Result<Windows, DataError> {
        assert_eq!(
            rows.len(),
            questions.len(),
            "TextEncoder::encode_windows: every row needs its question"
        );
        let cutter = Cutter::new(self, settings.stride)?;
        let mut windows = Windows {
            tokens: self.no_tokens(rows),
            questions: Vec::new(),
            answers: Vec::new(),
            places: settings.keep_places.then(Vec::new),
        };
        let mut question = 0;
        for (rows, gold) in rows
            .chunks(QUESTIONS_AT_ONCE)
            .zip(questions.chunks(QUESTIONS_AT_ONCE))
        {
            let encodings: Result<Vec<_>, _> = rows
                .par_iter()
                .zip(gold)
                .map(|(row, question)| cutter.windows(row, &question.id, path))
                .collect();
            for (encodings, gold) in encodings?.iter().zip(gold) {
                encodings
                    .iter()
                    .for_each(|encoding| windows.push(question, encoding, gold));
                question += 1;
            }
        }
        windows.tokens.shrink();
        Ok(windows)
    }
}

impl Windows {
    fn push(&mut self, number: u32, encoding: &Encoding, question: &Question) {
        let places = places(encoding);
        let characters =
            |gold: &GoldAnswer| gold.start as u32..(gold.start + gold.text.chars().count()) as u32;
        let answer = question
            .majority()
            .and_then(|gold| answer_tokens(&places, characters(gold)));
        self.tokens.push(encoding);
        self.questions.push(number);
        self.answers.push(answer.unwrap_or_default());
        if let Some(kept) = &mut self.places {
            kept.extend(places);
        }
    }
}

/// Character spans of a window's tokens in the paragraph.
fn places(encoding: &Encoding) -> Vec<CharSpan> {
    let sequences = encoding.get_sequence_ids();
    let place = |(sequence, (start, end)): (Option<usize>, &(usize, usize))| {
        (sequence == Some(1)).then_some((*start as u32, *end as u32))
    };
    sequences
        .into_iter()
        .zip(encoding.get_offsets())
        .map(place)
        .collect()
}

/// First and last token of a range of characters: the first token that ends after the range begins,
/// and the first token that ends at or after the end of the range. `None` if the range is not
/// within the window.
///
/// If a character consists of several byte-level tokens, the first of them is used.
fn answer_tokens(places: &[CharSpan], characters: Range<u32>) -> Option<[u32; 2]> {
    let tokens = || {
        places
            .iter()
            .enumerate()
            .filter_map(|(token, place)| place.map(|(start, end)| (token as u32, start, end)))
    };
    let (_, window_start, _) = tokens().next()?;
    let (_, _, window_end) = tokens().next_back()?;
    if characters.start < window_start || characters.end > window_end {
        return None;
    }
    let (first, ..) = tokens().find(|(_, _, end)| *end > characters.start)?;
    let (last, ..) = tokens().find(|(_, _, end)| *end >= characters.end)?;
    Some([first, last])
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT_TOKENIZER;
    use super::*;

    const PATH: &str = "dev.json";

    fn question(answer: &str, paragraph: &str) -> Question {
        let start = paragraph[..paragraph.find(answer).unwrap()].chars().count();
        Question {
            id: "q1".into(),
            answers: vec![GoldAnswer {
                text: answer.into(),
                start,
            }],
        }
    }

    fn windows(
        max_length: usize,
        stride: usize,
        paragraph: &str,
        answer: &str,
    ) -> Result<Windows, DataError> {
        let row = TextRow {
            text: "area man".into(),
            pair: Some(paragraph.into()),
            label: String::new(),
            line: 3,
        };
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap();
        let settings = WindowSettings {
            stride,
            keep_places: true,
        };
        encoder.encode_windows(
            &[row],
            &[question(answer, paragraph)],
            settings,
            Path::new(PATH),
        )
    }

    #[test]
    fn windows_overlap_by_the_stride_and_cover_the_paragraph() {
        let paragraph: Vec<String> = (0..20)
            .map(|number| format!("man{}", "s".repeat(number % 2)))
            .collect();
        let paragraph = paragraph.join(" ");
        // Three special tokens and two tokens of the question leave seven tokens.
        let windows = windows(12, 3, &paragraph, "man").unwrap();
        let whole = TextEncoder::from_json(DEFAULT_TOKENIZER, 512).unwrap();
        let tokens: Vec<u32> = whole
            .tokenizer()
            .encode(paragraph.as_str(), false)
            .unwrap()
            .get_ids()
            .to_vec();
        let of_window = |window: u32| -> Vec<u32> {
            let inside = windows
                .ids(window)
                .iter()
                .zip(windows.places(window))
                .filter(|(_, place)| place.is_some());
            inside.map(|(id, _)| *id).collect()
        };
        let mut covered = of_window(0);
        for window in 1..windows.len() as u32 {
            let ids = of_window(window);
            assert_eq!(covered[covered.len() - 3..], ids[..3], "window {window}");
            covered.extend(&ids[3..]);
            assert!(ids.len() <= 7 && windows.question(window) == 0);
        }
        assert_eq!(covered, tokens);
        assert_eq!(windows.cut(), windows.len());
    }

    #[test]
    fn an_answer_is_found_exactly_in_the_windows_that_contain_it() {
        let paragraph = "the man said that the area was as good as any other area of the world and trump laughed";
        let windows = windows(14, 4, paragraph, "trump").unwrap();
        assert!(windows.len() > 2);
        let mut found = 0;
        for window in 0..windows.len() as u32 {
            let [first, last] = windows.answer(window);
            if [first, last] == [0, 0] {
                let held = windows
                    .places(window)
                    .iter()
                    .flatten()
                    .any(|(start, end)| *start <= 73 && *end >= 78);
                assert!(!held, "window {window}");
                continue;
            }
            found += 1;
            let (start, _) = windows.places(window)[first as usize].unwrap();
            let (_, end) = windows.places(window)[last as usize].unwrap();
            assert_eq!(&paragraph[start as usize..end as usize], "trump");
        }
        assert!(found > 0);
    }

    #[test]
    fn spans_count_characters() {
        let windows = windows(32, 4, "東京 — the man", "man").unwrap();
        let [first, last] = windows.answer(0);
        assert_eq!(
            (
                windows.places(0)[first as usize].unwrap().0,
                windows.places(0)[last as usize].unwrap().1
            ),
            (9, 12)
        );
        assert_eq!(windows.cut(), 0);
    }

    #[test]
    fn a_question_that_leaves_no_room_is_rejected_unless_its_paragraph_fits() {
        let long = "man ".repeat(20);
        let error = windows(12, 7, &long, "man").unwrap_err();
        assert_eq!(
            error.to_string(),
            "dev.json, line 3: question \"q1\" has 2 tokens, which leaves 7 per window for the paragraph; the stride, 7, must be smaller"
        );
        assert_eq!(windows(12, 7, "man", "man").unwrap().len(), 1);
    }

    #[test]
    fn an_answer_within_a_token_maps_to_that_token() {
        let places = [None, Some((0, 5)), Some((6, 9)), None];
        assert_eq!(answer_tokens(&places, 1..3), Some([1, 1]));
        assert_eq!(answer_tokens(&places, 6..9), Some([2, 2]));
        assert_eq!(answer_tokens(&places, 3..7), Some([1, 2]));
        assert_eq!(answer_tokens(&places, 6..10), None);
        assert_eq!(
            answer_tokens(&places, 5..6),
            Some([2, 2]),
            "between two tokens"
        );
        let bytes = [Some((0, 1)), Some((0, 1)), Some((0, 1)), Some((2, 3))];
        assert_eq!(answer_tokens(&bytes, 0..1), Some([0, 0]));
        assert_eq!(answer_tokens(&bytes, 0..3), Some([0, 3]));
        assert_eq!(answer_tokens(&[None, None], 0..1), None);
    }

    #[test]
    fn left_padding_shifts_the_answer_tokens() {
        let paragraphs = ["man", "the area man and the other man"];
        let rows = paragraphs.map(|text| TextRow {
            text: "area".into(),
            pair: Some(text.into()),
            label: String::new(),
            line: 1,
        });
        let questions = paragraphs.map(|paragraph| question("man", paragraph));
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32)
            .unwrap()
            .with_padding_side(PaddingSide::Left);
        let settings = WindowSettings {
            stride: 4,
            keep_places: false,
        };
        let windows = encoder
            .encode_windows(&rows, &questions, settings, Path::new(PATH))
            .unwrap();
        let batch = windows.batch(vec![0, 1], &Device::default());
        let ids: Vec<i64> = batch.input.ids.clone().into_data().iter::<i64>().collect();
        let [_, tokens] = batch.input.ids.dims();
        let man = i64::from(encoder.tokenizer().token_to_id("man").unwrap());
        for end in batch.answers {
            let end: Vec<i64> = end.into_data().iter::<i64>().collect();
            assert!(
                end.iter()
                    .enumerate()
                    .all(|(row, token)| ids[row * tokens + *token as usize] == man),
                "{end:?}"
            );
        }
    }
}
