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
use super::{
    BatchSource, BatchWidth, DataError, GoldAnswer, PaddingSide, Question, TextEncoder, TextRow,
};

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

    /// The same windows, in batches of these widths.
    pub fn with_width(self, width: BatchWidth) -> Self {
        Self {
            tokens: self.tokens.with_width(width),
            ..self
        }
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
mod tests;
