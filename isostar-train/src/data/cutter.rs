//! Splitting long paragraphs into windows.

use std::path::Path;

use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationParams, TruncationStrategy};

use super::tokenize::tokenizer_error;
use super::{DataError, TextEncoder, TextRow};

/// Splits the paragraphs of questions into windows.
pub(super) struct Cutter<'a> {
    encoder: &'a TextEncoder,
    /// Tokenizer that combines question and paragraph and truncates the paragraph.
    tokenizer: Tokenizer,
    stride: usize,
    /// Number of tokens in a window besides special tokens.
    room: usize,
}

impl<'a> Cutter<'a> {
    /// Creates a cutter with the settings of `encoder`; consecutive windows share `stride` tokens.
    pub fn new(encoder: &'a TextEncoder, stride: usize) -> Result<Self, DataError> {
        let mut tokenizer = encoder.tokenizer().clone();
        let params = tokenizer.get_truncation().cloned().unwrap_or_default();
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(true));
        let room = params.max_length.saturating_sub(special);
        let params = TruncationParams {
            strategy: TruncationStrategy::OnlySecond,
            stride,
            ..params
        };
        tokenizer
            .with_truncation(Some(params))
            .map_err(tokenizer_error)?;
        Ok(Self {
            encoder,
            tokenizer,
            stride,
            room,
        })
    }

    /// Windows of a question, from the start of the paragraph to its end, or from its end to its
    /// start if the tokenizer truncates from the left.
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode_windows`].
    pub fn windows(
        &self,
        row: &TextRow,
        id: &str,
        path: &Path,
    ) -> Result<Vec<Encoding>, DataError> {
        let [question, paragraph] = self.encoder.parts(row)?;
        let room = self.room.saturating_sub(question.len());
        // A paragraph that fits into one window is not split, so the stride does not matter.
        if paragraph.len() > room && room <= self.stride {
            let (id, tokens, stride) = (id.into(), question.len(), self.stride);
            return Err(DataError::LongQuestion {
                path: path.into(),
                line: row.line,
                id,
                tokens,
                room,
                stride,
            });
        }
        let mut first = self
            .tokenizer
            .post_process(question, Some(paragraph), true)
            .map_err(tokenizer_error)?;
        let others = first.take_overflowing();
        Ok(std::iter::once(first).chain(others).collect())
    }
}
