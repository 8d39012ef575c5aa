//! Token sequences from the rows of a task, or from a file of texts or token ids.

use std::ops::Range;
use std::path::Path;

use isostar_measure::FileError;
use tokenizers::Tokenizer;

use super::EmbedError;
use crate::data::{DataError, TextEncoder, TextRow, read_text, without_mark};

/// Token ids without padding, one sequence per row or line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// The ids of all sequences, concatenated.
    ids: Vec<u32>,
    /// The segment of each id; `None` if all are in segment 0.
    type_ids: Option<Vec<u32>>,
    /// The end of each sequence in `ids`.
    ends: Vec<usize>,
}

impl Sequences {
    /// Tokenizes a file of one text per line, with special tokens, truncated to `max_length`
    /// tokens. An empty line is an empty text.
    ///
    /// # Errors
    /// If the file does not exist, is empty or is not text, a line has no tokens, or the tokenizer
    /// fails.
    pub fn from_texts(
        path: &Path,
        tokenizer: Tokenizer,
        max_length: usize,
    ) -> Result<Self, EmbedError> {
        let content = read(path)?;
        let row = |(index, text): (usize, &str)| TextRow {
            text: text.into(),
            pair: None,
            label: String::new(),
            line: index + 1,
        };
        let rows: Vec<TextRow> = content.lines().enumerate().map(row).collect();
        Self::from_rows(&rows, path, &TextEncoder::new(tokenizer, max_length)?)
    }

    /// Tokenizes the rows of a task; pairs get segments. `path` is the file of the rows, for error
    /// messages.
    ///
    /// # Errors
    /// If a row has no tokens, or the tokenizer fails.
    pub fn from_rows(
        rows: &[TextRow],
        path: &Path,
        encoder: &TextEncoder,
    ) -> Result<Self, EmbedError> {
        let examples = encoder.encode(rows, vec![0; rows.len()])?;
        let mut sequences = Self::default();
        for (index, row) in (0..).zip(rows) {
            let ids = examples.ids(index);
            if ids.is_empty() {
                return Err(DataError::NoTokens {
                    path: path.into(),
                    line: row.line,
                }
                .into());
            }
            sequences.push(ids);
            if let Some(type_ids) = examples.type_ids(index) {
                sequences.type_ids.get_or_insert_default().extend(type_ids);
            }
        }
        Ok(sequences)
    }

    /// Reads a file of one JSON array of token ids per line, such as `[101, 2023, 102]`.
    ///
    /// # Errors
    /// If the file does not exist or is empty, a line is not a non-empty array of integers, an id
    /// is not below `vocabulary`, or a sequence has more than `max_length` tokens: ids are never
    /// truncated.
    pub fn from_ids(path: &Path, vocabulary: usize, max_length: usize) -> Result<Self, EmbedError> {
        let content = read(path)?;
        let mut sequences = Self::default();
        for (index, text) in content.trim_end().lines().enumerate() {
            let (path, line) = (path.to_path_buf(), index + 1);
            let ids: Vec<i64> = match serde_json::from_str(text) {
                Ok(ids) => ids,
                Err(error) => {
                    return Err(EmbedError::NotIds {
                        path,
                        line,
                        column: error.column(),
                    });
                }
            };
            if ids.is_empty() {
                return Err(EmbedError::NoTokens { path, line });
            }
            if ids.len() > max_length {
                return Err(EmbedError::LongSequence {
                    path,
                    line,
                    tokens: ids.len(),
                    limit: max_length,
                });
            }
            if let Some(&id) = ids.iter().find(|id| !(0..vocabulary as i64).contains(id)) {
                return Err(EmbedError::UnknownId {
                    path,
                    line,
                    id,
                    vocabulary,
                });
            }
            let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
            sequences.push(&ids);
        }
        match sequences.is_empty() {
            true => Err(FileError::Empty { path: path.into() }.into()),
            false => Ok(sequences),
        }
    }

    fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
    }

    /// The number of sequences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ids of a sequence.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn ids(&self, sequence: usize) -> &[u32] {
        &self.ids[self.span(sequence)]
    }

    /// The segment of each token of a sequence; `None` if all tokens of all sequences are in
    /// segment 0.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn type_ids(&self, sequence: usize) -> Option<&[u32]> {
        self.type_ids
            .as_ref()
            .map(|type_ids| &type_ids[self.span(sequence)])
    }

    /// The range of a sequence among all tokens.
    pub(super) fn span(&self, sequence: usize) -> Range<usize> {
        let start = if sequence == 0 {
            0
        } else {
            self.ends[sequence - 1]
        };
        start..self.ends[sequence]
    }

    /// The length of each sequence in tokens.
    pub fn lengths(&self) -> Vec<u32> {
        (0..self.len())
            .map(|sequence| self.ids(sequence).len() as u32)
            .collect()
    }

    /// The total number of tokens.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The length of the longest sequence; 0 without sequences.
    pub fn longest(&self) -> usize {
        self.lengths().into_iter().max().unwrap_or(0) as usize
    }
}

/// Reads the text of a file without its byte-order mark. The rest must not be empty.
fn read(path: &Path) -> Result<String, EmbedError> {
    let text = without_mark(&read_text(path)?).to_string();
    if text.is_empty() {
        Err(FileError::Empty { path: path.into() }.into())
    } else {
        Ok(text)
    }
}
