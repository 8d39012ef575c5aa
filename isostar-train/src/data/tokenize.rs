//! Tokenizing rows of text in parallel.

use std::fs;
use std::path::Path;

use isostar_measure::FileError;
use isostar_models::ModelConfig;
use rayon::prelude::*;
use tokenizers::{
    Encoding, PaddingDirection, PostProcessor, PostProcessorWrapper, Tokenizer, TruncationParams,
    TruncationStrategy,
};

use super::tokens::Tokens;
use super::{DataError, Examples, PaddingSide, RowTargets, TextRow};

/// Padding tokens to try if the tokenizer declares none, in order of preference. GPT-2 has no
/// padding token; its end-of-text token is used.
const PADDING_TOKENS: [&str; 3] = ["[PAD]", "<pad>", "<|endoftext|>"];

/// Rows encoded before their ids are copied. An encoding takes about a hundred times the memory of
/// its ids.
const ROWS_AT_ONCE: usize = 4096;

/// Strategy for truncating pairs that are too long.
///
/// Tokens are removed from the end of a text, or from its beginning if the tokenizer truncates from
/// the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncation {
    /// Truncate the longer text, token by token.
    #[default]
    LongestFirst,
    /// Truncate only the second text; the first one, such as a question, stays whole.
    OnlySecond,
}

/// Encodes text as token ids with a model's `tokenizer.json`, adding special tokens and truncating
/// to a maximum length.
#[derive(Debug, Clone)]
pub struct TextEncoder {
    tokenizer: Tokenizer,
    /// The same tokenizer without truncation and special tokens, for the two texts of a pair. With
    /// truncation, tokenizers 0.23.2 stops soon after the maximum length, so it cannot tell which
    /// text is longer, and later windows are lost.
    parts: Tokenizer,
    padding_id: u32,
    padding_side: PaddingSide,
    has_segments: bool,
}

impl TextEncoder {
    /// Creates an encoder whose sequences have at most `max_length` tokens, including special
    /// tokens.
    ///
    /// The longer text of a pair is truncated first. The side of truncation is that of the
    /// tokenizer's own truncation settings, or the right side if it has none.
    ///
    /// # Errors
    /// [`DataError::MaxLength`] if the special tokens of a pair leave no room for text.
    pub fn new(mut tokenizer: Tokenizer, max_length: usize) -> Result<Self, DataError> {
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(true));
        if max_length <= special {
            return Err(DataError::MaxLength {
                max_length,
                special,
            });
        }
        let padding_id = match tokenizer.get_padding() {
            Some(padding) => padding.pad_id,
            None => PADDING_TOKENS
                .iter()
                .find_map(|token| tokenizer.token_to_id(token))
                .unwrap_or(0),
        };
        let padding_side = match tokenizer.get_padding().map(|padding| padding.direction) {
            Some(PaddingDirection::Left) => PaddingSide::Left,
            Some(PaddingDirection::Right) | None => PaddingSide::Right,
        };
        // The file may request padding to a fixed length; here, rows are padded per batch.
        tokenizer.with_padding(None);
        let direction = tokenizer
            .get_truncation()
            .map(|truncation| truncation.direction)
            .unwrap_or_default();
        let truncation = TruncationParams {
            direction,
            max_length,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(tokenizer_error)?;
        let mut parts = tokenizer.clone();
        parts.with_truncation(None).map_err(tokenizer_error)?;
        // Byte-level post-processors trim offsets on every call.
        parts.with_post_processor(None::<PostProcessorWrapper>);
        Ok(Self {
            tokenizer,
            parts,
            padding_id,
            padding_side,
            has_segments: true,
        })
    }

    /// Creates an encoder from a `tokenizer.json` file; see [`TextEncoder::new`].
    ///
    /// # Errors
    /// Those of [`TextEncoder::new`], and [`DataError::File`] and
    /// [`DataError::Tokenizer`] about the file.
    pub fn from_file(path: &Path, max_length: usize) -> Result<Self, DataError> {
        let content = fs::read(path).map_err(|error| FileError::reading(path, error))?;
        Self::from_json(&content, max_length)
    }

    /// Creates an encoder from the content of a `tokenizer.json` file; see [`TextEncoder::new`].
    ///
    /// # Errors
    /// Those of [`TextEncoder::new`], and [`DataError::Tokenizer`] if the content is not a
    /// tokenizer.
    pub fn from_json(content: impl AsRef<[u8]>, max_length: usize) -> Result<Self, DataError> {
        Self::new(
            Tokenizer::from_bytes(content).map_err(tokenizer_error)?,
            max_length,
        )
    }

    /// Maximum number of tokens of a sequence.
    pub fn max_length(&self) -> usize {
        self.tokenizer
            .get_truncation()
            .map_or(usize::MAX, |truncation| truncation.max_length)
    }

    /// Adapts the encoder to a model: uses its padding token, and omits segments if the model has
    /// fewer than two.
    pub fn for_model(mut self, config: &ModelConfig) -> Self {
        self.padding_id = config.padding().map_or(self.padding_id, |id| id as u32);
        self.has_segments = config.sizes().segments > 1;
        self
    }

    /// Sets the truncation strategy of pairs.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokenizer does not support it.
    pub fn with_truncation(mut self, truncation: Truncation) -> Result<Self, DataError> {
        let strategy = match truncation {
            Truncation::LongestFirst => TruncationStrategy::LongestFirst,
            Truncation::OnlySecond => TruncationStrategy::OnlySecond,
        };
        let params = self.tokenizer.get_truncation().cloned().unwrap_or_default();
        self.tokenizer
            .with_truncation(Some(TruncationParams { strategy, ..params }))
            .map_err(tokenizer_error)?;
        Ok(self)
    }

    /// Sets the padding side, overriding that of the tokenizer.
    pub fn with_padding_side(self, padding_side: PaddingSide) -> Self {
        Self {
            padding_side,
            ..self
        }
    }

    /// Full encoding of one row: ids, segments, and the offsets of each token in its text, in
    /// characters.
    ///
    /// # Errors
    /// Those of [`encode`](TextEncoder::encode).
    pub fn encode_row(&self, row: &TextRow) -> Result<Encoding, DataError> {
        self.encoding(row, char_offsets)
    }

    fn encoding(&self, row: &TextRow, encode: Encode) -> Result<Encoding, DataError> {
        let encoding = match &row.pair {
            None => encode(&self.tokenizer, &row.text, true),
            Some(pair) => self
                .pair(&row.text, pair, encode)
                .and_then(|[text, pair]| self.tokenizer.post_process(text, Some(pair), true)),
        };
        encoding.map_err(tokenizer_error)
    }

    fn pair(&self, text: &str, pair: &str, encode: Encode) -> tokenizers::Result<[Encoding; 2]> {
        let (text, mut pair) = (
            encode(&self.parts, text, false)?,
            encode(&self.parts, pair, false)?,
        );
        pair.set_type_ids(vec![1; pair.len()]);
        Ok([text, pair])
    }

    /// Encodings of a row's text and pair, without truncation and special tokens, with offsets in
    /// characters.
    pub(super) fn parts(&self, row: &TextRow) -> Result<[Encoding; 2], DataError> {
        self.pair(
            &row.text,
            row.pair.as_deref().unwrap_or_default(),
            char_offsets,
        )
        .map_err(tokenizer_error)
    }

    /// The tokenizer, with truncation enabled and padding disabled.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Id of the padding token.
    pub fn padding_id(&self) -> u32 {
        self.padding_id
    }

    /// Encodes rows on all threads, in order; `labels` are the class indices of the rows.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokenizer fails on a text, for example on an unknown word if
    /// its vocabulary has no unknown token.
    ///
    /// # Panics
    /// If the numbers of labels and rows differ.
    pub fn encode(&self, rows: &[TextRow], labels: Vec<u32>) -> Result<Examples, DataError> {
        self.encode_targets(rows, RowTargets::Classes(labels))
    }

    /// Encodes rows with any kind of target.
    ///
    /// # Errors
    /// Those of [`encode`](TextEncoder::encode).
    ///
    /// # Panics
    /// If the numbers of targets and rows differ.
    pub fn encode_targets(
        &self,
        rows: &[TextRow],
        targets: RowTargets,
    ) -> Result<Examples, DataError> {
        assert_eq!(
            rows.len(),
            targets.len(),
            "TextEncoder::encode: every row needs a label"
        );
        Ok(Examples::new(self.encode_tokens(rows)?, targets))
    }

    fn encode_tokens(&self, rows: &[TextRow]) -> Result<Tokens, DataError> {
        let mut tokens = self.no_tokens(rows);
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let encodings: Result<Vec<Encoding>, _> = rows
                .par_iter()
                .map(|row| self.encoding(row, no_offsets))
                .collect();
            encodings?.iter().for_each(|encoding| tokens.push(encoding));
        }
        tokens.shrink();
        Ok(tokens)
    }

    /// Empty token storage for `rows`, with segments if any row is a pair.
    pub(super) fn no_tokens(&self, rows: &[TextRow]) -> Tokens {
        let has_segments = self.has_segments && rows.iter().any(|row| row.pair.is_some());
        Tokens::new(has_segments, self.padding_id, self.padding_side)
    }
}

/// Function that encodes a text; the flag tells whether to add special tokens.
type Encode = fn(&Tokenizer, &str, bool) -> tokenizers::Result<Encoding>;

fn char_offsets(
    tokenizer: &Tokenizer,
    text: &str,
    with_special: bool,
) -> tokenizers::Result<Encoding> {
    tokenizer.encode_char_offsets(text, with_special)
}

fn no_offsets(
    tokenizer: &Tokenizer,
    text: &str,
    with_special: bool,
) -> tokenizers::Result<Encoding> {
    tokenizer.encode_fast(text, with_special)
}

pub(super) fn tokenizer_error(error: tokenizers::Error) -> DataError {
    DataError::Tokenizer {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
