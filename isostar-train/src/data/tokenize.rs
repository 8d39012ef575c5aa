//! Rows of text to token ids, all of them at once and in parallel.

use std::fs;
use std::path::Path;

use isostar_models::ModelConfig;
use rayon::prelude::*;
use tokenizers::{Encoding, PaddingDirection, PostProcessor, PostProcessorWrapper, Tokenizer, TruncationParams, TruncationStrategy};

use super::tokens::Tokens;
use super::{DataError, Examples, RowTargets, TextRow};

/// Padding tokens of the tokenizers that name none, the likelier ones first. GPT-2 has none; its end of text serves.
const PADDING_TOKENS: [&str; 3] = ["[PAD]", "<pad>", "<|endoftext|>"];

/// How many rows are encoded before their ids are copied: what the tokenizer knows beyond ids takes a hundred times the memory of the ids.
const ROWS_AT_ONCE: usize = 4096;

/// Where rows are filled up to the longest one of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaddingSide {
    /// After the text.
    #[default]
    Right,
    /// Before it, as some models that look backwards were trained.
    Left,
}

/// Which text of a pair is cut if the pair is too long. Texts lose their end, or their beginning if the tokenizer truncates from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncation {
    /// The longer text, token by token.
    #[default]
    LongestFirst,
    /// The second text alone: the first is a question that must stay whole.
    OnlySecond,
}

/// Turns text into token ids as the model's `tokenizer.json` says, with special tokens, cut to a longest sequence.
#[derive(Debug, Clone)]
pub struct TextEncoder {
    tokenizer: Tokenizer,
    /// The same tokenizer without truncation and special tokens, for the two texts of a pair. With truncation, tokenizers 0.23.2 stops soon after
    /// the longest length: it then does not know which text is longer, and later windows are lost.
    parts: Tokenizer,
    padding_id: u32,
    padding_side: PaddingSide,
    has_segments: bool,
}

impl TextEncoder {
    /// An encoder whose sequences have at most `max_length` tokens, special ones included; of a pair, the longer text is cut first. Texts are cut
    /// from the side that the tokenizer's own truncation names, or from the right if it has none.
    ///
    /// # Errors
    /// [`DataError::MaxLength`] if a pair of texts would have no room between the special tokens.
    pub fn new(mut tokenizer: Tokenizer, max_length: usize) -> Result<Self, DataError> {
        let special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(true));
        if max_length <= special {
            return Err(DataError::MaxLength { max_length, special });
        }
        let padding_id = match tokenizer.get_padding() {
            Some(padding) => padding.pad_id,
            None => PADDING_TOKENS.iter().find_map(|token| tokenizer.token_to_id(token)).unwrap_or(0),
        };
        let padding_side = match tokenizer.get_padding().map(|padding| padding.direction) {
            Some(PaddingDirection::Left) => PaddingSide::Left,
            Some(PaddingDirection::Right) | None => PaddingSide::Right,
        };
        // The file may ask for padding to a fixed length; rows are padded when their batch is known.
        tokenizer.with_padding(None);
        let direction = tokenizer.get_truncation().map(|truncation| truncation.direction).unwrap_or_default();
        let truncation = TruncationParams { direction, max_length, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(tokenizer_error)?;
        let mut parts = tokenizer.clone();
        parts.with_truncation(None).map_err(tokenizer_error)?;
        // Byte-level processors trim offsets, each time that they are asked.
        parts.with_post_processor(None::<PostProcessorWrapper>);
        Ok(Self { tokenizer, parts, padding_id, padding_side, has_segments: true })
    }

    /// [`TextEncoder::new`] with the tokenizer of a `tokenizer.json` file.
    ///
    /// # Errors
    /// Also [`DataError::NotFound`], [`DataError::Unreadable`] and [`DataError::Tokenizer`] about the file.
    pub fn from_file(path: &Path, max_length: usize) -> Result<Self, DataError> {
        let content = fs::read(path).map_err(|error| DataError::io(path, error))?;
        Self::from_json(&content, max_length)
    }

    /// [`TextEncoder::new`] with the tokenizer of a `tokenizer.json` file's content.
    ///
    /// # Errors
    /// Also [`DataError::Tokenizer`] if the content is no tokenizer.
    pub fn from_json(content: impl AsRef<[u8]>, max_length: usize) -> Result<Self, DataError> {
        Self::new(Tokenizer::from_bytes(content).map_err(tokenizer_error)?, max_length)
    }

    /// The same for a model: with its padding token, and without segments if it knows fewer than two.
    pub fn for_model(mut self, config: &ModelConfig) -> Self {
        self.padding_id = config.padding().map_or(self.padding_id, |id| id as u32);
        self.has_segments = config.sizes().segments > 1;
        self
    }

    /// The same with another way to cut pairs.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokenizer cannot.
    pub fn with_truncation(mut self, truncation: Truncation) -> Result<Self, DataError> {
        let strategy = match truncation {
            Truncation::LongestFirst => TruncationStrategy::LongestFirst,
            Truncation::OnlySecond => TruncationStrategy::OnlySecond,
        };
        let params = self.tokenizer.get_truncation().cloned().unwrap_or_default();
        self.tokenizer.with_truncation(Some(TruncationParams { strategy, ..params })).map_err(tokenizer_error)?;
        Ok(self)
    }

    /// The same with padding on another side than the tokenizer's file says.
    pub fn with_padding_side(self, padding_side: PaddingSide) -> Self {
        Self { padding_side, ..self }
    }

    /// One row with all that the tokenizer knows of it: ids, segments, and where each token stands in its text, in characters.
    ///
    /// # Errors
    /// As [`encode`](TextEncoder::encode).
    pub fn encode_row(&self, row: &TextRow) -> Result<Encoding, DataError> {
        self.encoding(row, char_offsets)
    }

    fn encoding(&self, row: &TextRow, encode: Encode) -> Result<Encoding, DataError> {
        let encoding = match &row.pair {
            None => encode(&self.tokenizer, &row.text, true),
            Some(pair) => self.pair(&row.text, pair, encode).and_then(|[text, pair]| self.tokenizer.post_process(text, Some(pair), true)),
        };
        encoding.map_err(tokenizer_error)
    }

    fn pair(&self, text: &str, pair: &str, encode: Encode) -> tokenizers::Result<[Encoding; 2]> {
        let (text, mut pair) = (encode(&self.parts, text, false)?, encode(&self.parts, pair, false)?);
        pair.set_type_ids(vec![1; pair.len()]);
        Ok([text, pair])
    }

    /// The text and the pair of a row, not truncated, without special tokens, with offsets in characters.
    pub(super) fn parts(&self, row: &TextRow) -> Result<[Encoding; 2], DataError> {
        self.pair(&row.text, row.pair.as_deref().unwrap_or_default(), char_offsets).map_err(tokenizer_error)
    }

    /// The tokenizer, with truncation set and padding off.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The id that fills rows up to the longest one of a batch.
    pub fn padding_id(&self) -> u32 {
        self.padding_id
    }

    /// Encodes rows, in order, on all threads; `labels` are the class indices of the rows.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokenizer fails on a text, for example on an unknown piece without a token for such.
    ///
    /// # Panics
    /// If there are not as many labels as rows.
    pub fn encode(&self, rows: &[TextRow], labels: Vec<u32>) -> Result<Examples, DataError> {
        self.encode_targets(rows, RowTargets::Classes(labels))
    }

    /// The same for any kind of target.
    ///
    /// # Errors
    /// As [`encode`](TextEncoder::encode).
    ///
    /// # Panics
    /// If there are not as many targets as rows.
    pub fn encode_targets(&self, rows: &[TextRow], targets: RowTargets) -> Result<Examples, DataError> {
        assert_eq!(rows.len(), targets.len(), "TextEncoder::encode: every row needs a label");
        Ok(Examples::new(self.encode_tokens(rows)?, targets))
    }

    pub(super) fn encode_tokens(&self, rows: &[TextRow]) -> Result<Tokens, DataError> {
        let mut tokens = self.no_tokens(rows);
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let encodings: Result<Vec<Encoding>, _> = rows.par_iter().map(|row| self.encoding(row, no_offsets)).collect();
            encodings?.iter().for_each(|encoding| tokens.push(encoding));
        }
        tokens.shrink();
        Ok(tokens)
    }

    /// Whether tokens have segments where there are pairs.
    pub(super) fn has_segments(&self) -> bool {
        self.has_segments
    }

    /// One more than the largest id that the tokenizer gives.
    pub(super) fn ids(&self) -> u32 {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest.saturating_add(1))
    }

    /// No tokens yet, with segments if any of the rows is a pair.
    pub(super) fn no_tokens(&self, rows: &[TextRow]) -> Tokens {
        let has_segments = self.has_segments && rows.iter().any(|row| row.pair.is_some());
        Tokens::new(has_segments, self.padding_id, self.padding_side)
    }
}

/// One way to encode a text, with special tokens or without.
type Encode = fn(&Tokenizer, &str, bool) -> tokenizers::Result<Encoding>;

fn char_offsets(tokenizer: &Tokenizer, text: &str, with_special: bool) -> tokenizers::Result<Encoding> {
    tokenizer.encode_char_offsets(text, with_special)
}

fn no_offsets(tokenizer: &Tokenizer, text: &str, with_special: bool) -> tokenizers::Result<Encoding> {
    tokenizer.encode_fast(text, with_special)
}

pub(super) fn tokenizer_error(error: tokenizers::Error) -> DataError {
    DataError::Tokenizer { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use tokenizers::TruncationDirection;

    use super::super::DEFAULT_TOKENIZER;
    use super::*;

    const PADDING: u32 = 0;
    const CLASSIFY: u32 = 2;
    const SEPARATE: u32 = 3;

    fn row(text: &str, pair: Option<&str>) -> TextRow {
        TextRow { text: text.into(), pair: pair.map(String::from), label: "0".into(), line: 1 }
    }

    fn encoder(max_length: usize) -> TextEncoder {
        TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap()
    }

    fn encode(max_length: usize, rows: &[TextRow]) -> Examples {
        encoder(max_length).encode(rows, vec![0; rows.len()]).unwrap()
    }

    #[test]
    fn rows_keep_their_order_beyond_one_chunk() {
        let words = ["man", "trump", "area man", "scientists"];
        let rows: Vec<TextRow> = (0..ROWS_AT_ONCE + 5).map(|index| row(words[index % 4], None)).collect();
        let labels: Vec<u32> = (0..rows.len() as u32).collect();
        let examples = encoder(16).encode(&rows, labels).unwrap();
        assert_eq!(examples.len(), rows.len());
        for index in 0..rows.len() as u32 {
            assert_eq!(examples.ids(index), examples.ids(index % 4), "row {index}");
        }
        assert_eq!(*examples.targets(), RowTargets::Classes((0..rows.len() as u32).collect()));
        assert_ne!(examples.ids(0), examples.ids(1));
        assert_eq!(examples.tokens(), examples.lengths().iter().sum::<u32>() as usize);
    }

    #[test]
    fn special_tokens_frame_the_text_without_padding() {
        let examples = encode(16, &[row("Area MAN", None), row("", None)]);
        assert_eq!(examples.padding_id(), PADDING);
        assert_eq!(examples.lengths(), [4, 2]);
        assert_eq!(examples.ids(1), [CLASSIFY, SEPARATE]);
        assert_eq!(examples.ids(0)[0], CLASSIFY);
        assert_eq!(examples.ids(0)[3], SEPARATE);
        assert_eq!(examples.type_ids(0), None);
        assert_eq!(examples.ids(0), encode(16, &[row("area man", None)]).ids(0), "the vocabulary is lower-cased");
    }

    #[test]
    fn the_longer_text_of_a_pair_is_cut_first() {
        let long = "man ".repeat(20);
        let examples = encode(10, &[row(&long, Some("area man")), row(&long, None)]);
        assert_eq!(examples.lengths(), [10, 10]);
        assert_eq!(examples.cut(), 2);
        // Three special tokens leave seven: two for the short text, five for the long one.
        assert_eq!(examples.type_ids(0).unwrap(), [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(examples.type_ids(1).unwrap(), [0; 10]);
    }

    #[test]
    fn the_longer_text_is_known_where_both_are_longer_than_the_whole() {
        let [longer, long] = [20, 12].map(|words| "man ".repeat(words));
        let examples = encode(10, &[row(&longer, Some(&long)), row(&long, Some(&longer))]);
        // Seven tokens are left, of which the longer text has the odd one.
        assert_eq!(examples.type_ids(0).unwrap(), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(examples.type_ids(1).unwrap(), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn the_end_of_a_text_stays_with_a_tokenizer_that_cuts_from_the_left() {
        let mut tokenizer: Tokenizer = DEFAULT_TOKENIZER.parse().unwrap();
        let truncation = TruncationParams { direction: TruncationDirection::Left, max_length: 512, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).unwrap();
        let encoder = TextEncoder::new(tokenizer, 5).unwrap();
        let examples = encoder.encode(&[row("trump trump area man world", None), row("area man world", None)], vec![0; 2]).unwrap();
        assert_eq!(examples.ids(0), examples.ids(1));
        assert_eq!(examples.cut(), 1);
    }

    #[test]
    fn a_length_without_room_for_text_is_refused() {
        assert!(TextEncoder::from_json(DEFAULT_TOKENIZER, 4).is_ok());
        let error = TextEncoder::from_json(DEFAULT_TOKENIZER, 3).unwrap_err();
        assert!(matches!(error, DataError::MaxLength { max_length: 3, special: 3 }), "{error}");
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_an_error() {
        assert!(matches!(TextEncoder::from_json("{}", 16), Err(DataError::Tokenizer { .. })));
        assert!(matches!(TextEncoder::from_file(Path::new("no/tokenizer.json"), 16), Err(DataError::NotFound { .. })));
    }
}
