//! Paragraphs that are too long for a model, cut.

use std::path::Path;

use tokenizers::{Encoding, PostProcessor, PostProcessorWrapper, Tokenizer, TruncationParams, TruncationStrategy};

use super::tokenize::tokenizer_error;
use super::{DataError, TextEncoder, TextRow};

/// Cuts the paragraphs of questions into windows.
pub(super) struct Cutter {
    /// Puts the parts of a window together.
    tokenizer: Tokenizer,
    /// Tokenizes them: where a longest length is set, tokenizers 0.23.2 stops soon after it, and later windows would be lost.
    parts: Tokenizer,
    stride: usize,
    /// Tokens of a window that are not special.
    room: usize,
}

impl Cutter {
    /// Windows as an encoder makes them, sharing `stride` tokens.
    pub fn new(encoder: &TextEncoder, stride: usize) -> Result<Self, DataError> {
        let (mut tokenizer, mut parts) = (encoder.tokenizer().clone(), encoder.tokenizer().clone());
        let params = tokenizer.get_truncation().cloned().unwrap_or_default();
        let special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(true));
        let room = params.max_length.saturating_sub(special);
        let params = TruncationParams { strategy: TruncationStrategy::OnlySecond, stride, ..params };
        tokenizer.with_truncation(Some(params)).map_err(tokenizer_error)?;
        parts.with_truncation(None).map_err(tokenizer_error)?;
        // Byte-level processors trim offsets, each time that they are asked.
        parts.with_post_processor(None::<PostProcessorWrapper>);
        Ok(Self { tokenizer, parts, stride, room })
    }

    /// The windows of a question, the first of the paragraph first.
    ///
    /// # Errors
    /// As [`TextEncoder::encode_windows`].
    pub fn windows(&self, row: &TextRow, id: &str, path: &Path) -> Result<Vec<Encoding>, DataError> {
        let part = |text: &str| self.parts.encode_char_offsets(text, false).map_err(tokenizer_error);
        let (question, mut paragraph) = (part(&row.text)?, part(row.pair.as_deref().unwrap_or_default())?);
        paragraph.set_type_ids(vec![1; paragraph.len()]);
        let room = self.room.saturating_sub(question.len());
        // A paragraph that fits beside the question is not cut, and needs no stride.
        if paragraph.len() > room && room <= self.stride {
            let (id, tokens, stride) = (id.into(), question.len(), self.stride);
            return Err(DataError::LongQuestion { path: path.into(), line: row.line, id, tokens, room, stride });
        }
        let mut first = self.tokenizer.post_process(question, Some(paragraph), true).map_err(tokenizer_error)?;
        let others = first.take_overflowing();
        Ok(std::iter::once(first).chain(others).collect())
    }
}
