//! Questions beside as much of their paragraphs as a model takes at once.

mod stored;

use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use isostar_models::TokenBatch;
use rayon::prelude::*;
use tokenizers::Encoding;

use super::cutter::Cutter;
use super::tokens::Tokens;
use super::{BatchSource, DataError, GoldAnswer, PaddingSide, Question, TextEncoder, TextRow};

/// How many questions are encoded before their ids are copied.
const QUESTIONS_AT_ONCE: usize = 512;

/// Where a token stands in its paragraph, in characters, the end exclusive; `None` for what is not of the paragraph.
pub type Place = Option<(u32, u32)>;

/// Windows of questions: where a paragraph is too long for the model, several that overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    tokens: Tokens,
    /// The question of each window.
    questions: Vec<u32>,
    /// The first and the last token of the answer in each window; the first token of all, where there is no answer in it.
    answers: Vec<[u32; 2]>,
    /// The place of every token of every window; none where it was not to be kept.
    places: Option<Vec<Place>>,
}

/// One batch of windows.
#[derive(Debug, Clone)]
pub struct SpanBatch {
    /// The tokens, every window padded to the longest one. Shape of each tensor: `[windows, tokens]`.
    pub input: TokenBatch,
    /// The first and the last token of each answer, padding before the window counted. Shape `[windows]` each.
    pub answers: [Tensor<1, Int>; 2],
    /// Which of the [`Windows`] these are.
    pub windows: Vec<u32>,
}

impl Windows {
    /// The number of windows.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of tokens of all windows.
    pub fn tokens(&self) -> usize {
        self.tokens.count()
    }

    /// How many windows do not hold the whole paragraph.
    pub fn cut(&self) -> usize {
        let of_several = |at: &usize| {
            let question = self.questions[*at];
            at.checked_sub(1).is_some_and(|before| self.questions[before] == question) || self.questions.get(at + 1) == Some(&question)
        };
        (0..self.len()).filter(of_several).count()
    }

    /// The token ids of a window.
    ///
    /// # Panics
    /// If there is no such window.
    pub fn ids(&self, window: u32) -> &[u32] {
        self.tokens.ids(window)
    }

    /// The question of a window, from 0 in the order of the file.
    ///
    /// # Panics
    /// If there is no such window.
    pub fn question(&self, window: u32) -> u32 {
        self.questions[window as usize]
    }

    /// The first and the last token of the answer; both 0 where the answer lies outside the window, or the question has none.
    ///
    /// Token 0 is the one that stands for the sequence, such as `[CLS]`. GPT-2 has none: there it is the first token of the question, as in
    /// transformers' run_qa.py. That token sees nothing of the paragraph, so that what GPT-2 says of no answer depends on it alone.
    ///
    /// # Panics
    /// If there is no such window.
    pub fn answer(&self, window: u32) -> [u32; 2] {
        self.answers[window as usize]
    }

    /// Where each token of a window stands in the paragraph.
    ///
    /// # Panics
    /// If there is no such window, or places were not kept.
    pub fn places(&self, window: u32) -> &[Place] {
        let places = self.places.as_ref().expect("Windows::places: they were not kept");
        &places[self.tokens.span(window)]
    }

    /// The side on which windows are filled up.
    pub fn padding_side(&self) -> PaddingSide {
        self.tokens.padding_side()
    }
}

impl BatchSource for Windows {
    type Batch = SpanBatch;

    fn lengths(&self) -> Vec<u32> {
        self.tokens.lengths()
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
            let of_windows: Vec<i32> = windows.iter().map(|window| token(*window, end)).collect();
            Tensor::from_data(TensorData::new(of_windows, [windows.len()]), device)
        });
        SpanBatch { input, answers, windows }
    }
}

/// How paragraphs are cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSettings {
    /// Tokens that a window shares with the one before.
    pub stride: usize,
    /// Whether the place of each token is kept, from which answers are read.
    pub keep_places: bool,
}

impl TextEncoder {
    /// Encodes questions with their paragraphs, in order, on all threads. A question is never cut; of a paragraph that is too long each window has as
    /// much as fits, beginning `stride` tokens before the last one ended. If the tokenizer truncates from the left, the first window is the end of
    /// the paragraph, and each further one ends `stride` tokens after the one before began.
    ///
    /// The answer to learn is the one that was given [most often](Question::majority), or [none](Windows::answer). `path` is the questions' file,
    /// for messages.
    ///
    /// # Errors
    /// [`DataError::LongQuestion`] if a question leaves a window no more room than the stride, and [`DataError::Tokenizer`] if the tokenizer fails.
    ///
    /// # Panics
    /// If there are not as many questions as rows.
    pub fn encode_windows(
        &self,
        rows: &[TextRow],
        questions: &[Question],
        settings: WindowSettings,
        path: &Path,
    ) -> Result<Windows, DataError> {
        assert_eq!(rows.len(), questions.len(), "TextEncoder::encode_windows: every row needs its question");
        let cutter = Cutter::new(self, settings.stride)?;
        let mut windows = Windows {
            tokens: self.no_tokens(rows),
            questions: Vec::new(),
            answers: Vec::new(),
            places: settings.keep_places.then(Vec::new),
        };
        let mut question = 0;
        for (rows, gold) in rows.chunks(QUESTIONS_AT_ONCE).zip(questions.chunks(QUESTIONS_AT_ONCE)) {
            let encodings: Result<Vec<_>, _> =
                rows.par_iter().zip(gold).map(|(row, question)| cutter.windows(row, &question.id, path)).collect();
            for (encodings, gold) in encodings?.iter().zip(gold) {
                encodings.iter().for_each(|encoding| windows.push(question, encoding, gold));
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
        let characters = |gold: &GoldAnswer| gold.start as u32..(gold.start + gold.text.chars().count()) as u32;
        let answer = question.majority().and_then(|gold| answer_tokens(&places, characters(gold)));
        self.tokens.push(encoding);
        self.questions.push(number);
        self.answers.push(answer.unwrap_or_default());
        if let Some(kept) = &mut self.places {
            kept.extend(places);
        }
    }
}

/// Where the tokens of a window stand in the paragraph.
fn places(encoding: &Encoding) -> Vec<Place> {
    let sequences = encoding.get_sequence_ids();
    let place = |(sequence, (start, end)): (Option<usize>, &(usize, usize))| (sequence == Some(1)).then_some((*start as u32, *end as u32));
    sequences.into_iter().zip(encoding.get_offsets()).map(place).collect()
}

/// The tokens that hold some characters: the first one that ends after they begin, and the first one by which they have ended. `None` where they do not
/// lie within the window.
///
/// A character of several byte-level tokens is held by the first of them.
fn answer_tokens(places: &[Place], characters: Range<u32>) -> Option<[u32; 2]> {
    let tokens = || places.iter().enumerate().filter_map(|(token, place)| place.map(|(start, end)| (token as u32, start, end)));
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
        Question { id: "q1".into(), answers: vec![GoldAnswer { text: answer.into(), start }] }
    }

    fn windows(max_length: usize, stride: usize, paragraph: &str, answer: &str) -> Result<Windows, DataError> {
        let row = TextRow { text: "area man".into(), pair: Some(paragraph.into()), label: String::new(), line: 3 };
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap();
        let settings = WindowSettings { stride, keep_places: true };
        encoder.encode_windows(&[row], &[question(answer, paragraph)], settings, Path::new(PATH))
    }

    #[test]
    fn windows_overlap_by_the_stride_and_cover_the_paragraph() {
        let paragraph: Vec<String> = (0..20).map(|number| format!("man{}", "s".repeat(number % 2))).collect();
        let paragraph = paragraph.join(" ");
        // Three special tokens and two of the question leave seven.
        let windows = windows(12, 3, &paragraph, "man").unwrap();
        let whole = TextEncoder::from_json(DEFAULT_TOKENIZER, 512).unwrap();
        let tokens: Vec<u32> = whole.tokenizer().encode(paragraph.as_str(), false).unwrap().get_ids().to_vec();
        let of_window = |window: u32| -> Vec<u32> {
            let inside = windows.ids(window).iter().zip(windows.places(window)).filter(|(_, place)| place.is_some());
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
    fn an_answer_is_found_in_the_windows_that_hold_it_and_no_other() {
        let paragraph = "the man said that the area was as good as any other area of the world and trump laughed";
        let windows = windows(14, 4, paragraph, "trump").unwrap();
        assert!(windows.len() > 2);
        let mut found = 0;
        for window in 0..windows.len() as u32 {
            let [first, last] = windows.answer(window);
            if [first, last] == [0, 0] {
                let held = windows.places(window).iter().flatten().any(|(start, end)| *start <= 73 && *end >= 78);
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
    fn places_count_characters() {
        let windows = windows(32, 4, "東京 — the man", "man").unwrap();
        let [first, last] = windows.answer(0);
        assert_eq!((windows.places(0)[first as usize].unwrap().0, windows.places(0)[last as usize].unwrap().1), (9, 12));
        assert_eq!(windows.cut(), 0);
    }

    #[test]
    fn a_question_that_leaves_no_room_is_refused_unless_its_paragraph_fits() {
        let long = "man ".repeat(20);
        let error = windows(12, 7, &long, "man").unwrap_err();
        assert_eq!(
            error.to_string(),
            "dev.json, line 3: question \"q1\" has 2 tokens and leaves 7 to a window, no more than the 7 that windows share"
        );
        assert_eq!(windows(12, 7, "man", "man").unwrap().len(), 1);
    }

    #[test]
    fn an_answer_within_a_token_is_that_token() {
        let places = [None, Some((0, 5)), Some((6, 9)), None];
        assert_eq!(answer_tokens(&places, 1..3), Some([1, 1]));
        assert_eq!(answer_tokens(&places, 6..9), Some([2, 2]));
        assert_eq!(answer_tokens(&places, 3..7), Some([1, 2]));
        assert_eq!(answer_tokens(&places, 6..10), None);
        assert_eq!(answer_tokens(&places, 5..6), Some([2, 2]), "between two tokens");
        let bytes = [Some((0, 1)), Some((0, 1)), Some((0, 1)), Some((2, 3))];
        assert_eq!(answer_tokens(&bytes, 0..1), Some([0, 0]));
        assert_eq!(answer_tokens(&bytes, 0..3), Some([0, 3]));
        assert_eq!(answer_tokens(&[None, None], 0..1), None);
    }

    #[test]
    fn answers_move_with_the_padding_before_them() {
        let paragraphs = ["man", "the area man and the other man"];
        let rows = paragraphs.map(|text| TextRow { text: "area".into(), pair: Some(text.into()), label: String::new(), line: 1 });
        let questions = paragraphs.map(|paragraph| question("man", paragraph));
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap().with_padding_side(PaddingSide::Left);
        let settings = WindowSettings { stride: 4, keep_places: false };
        let windows = encoder.encode_windows(&rows, &questions, settings, Path::new(PATH)).unwrap();
        let batch = windows.batch(vec![0, 1], &Device::default());
        let ids: Vec<i64> = batch.input.ids.clone().into_data().iter::<i64>().collect();
        let [_, tokens] = batch.input.ids.dims();
        let man = i64::from(encoder.tokenizer().token_to_id("man").unwrap());
        for end in batch.answers {
            let end: Vec<i64> = end.into_data().iter::<i64>().collect();
            assert!(end.iter().enumerate().all(|(row, token)| ids[row * tokens + *token as usize] == man), "{end:?}");
        }
    }
}
