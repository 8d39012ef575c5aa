//! The tokenized rows of a split, with the evaluator of their predictions.

use std::fmt::Debug;
use std::sync::Arc;

use super::{SequenceEvaluator, SpanEvaluator, SplitSummary, TaskRows};
use crate::data::{
    BatchSource, BatchWidth, DataError, Examples, Labels, Split, TextEncoder, WindowSettings,
    Windows,
};

/// How to tokenize rows.
#[derive(Debug, Clone, Copy)]
pub struct Preparation<'a> {
    /// The tokenizer.
    pub encoder: &'a TextEncoder,
    /// The labels in the order of their class indices.
    pub labels: &'a Labels,
    /// The number of tokens shared by neighbouring windows of a paragraph.
    pub stride: usize,
    /// Whether predictions for these rows are scored. Paragraphs are kept only then.
    pub is_evaluated: bool,
    /// The number of which the width of a batch is a multiple.
    pub pad_to: usize,
}

impl Preparation<'_> {
    fn width(&self) -> BatchWidth {
        BatchWidth {
            multiple: self.pad_to,
            longest: self.encoder.max_length(),
        }
    }
}

/// The tokenized rows of a split.
pub struct PreparedSplit<S, E> {
    /// The source of batches.
    pub source: Arc<S>,
    /// Scores the predictions; `None` if the rows were not prepared for scoring.
    pub evaluator: Option<E>,
    /// Statistics of the rows.
    pub summary: SplitSummary,
}

impl<S, E> Debug for PreparedSplit<S, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedSplit")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl<S, E: Clone> PreparedSplit<S, E> {
    /// Returns an evaluator of the rows without any batches.
    ///
    /// # Panics
    /// If the rows were not prepared for scoring.
    pub fn evaluator(&self) -> E {
        self.evaluator
            .clone()
            .expect("PreparedSplit::evaluator: the rows were not prepared for scoring")
    }
}

impl PreparedSplit<Examples, SequenceEvaluator> {
    /// Tokenizes rows with a class or a number each.
    pub(super) fn from_sequences(
        rows: TaskRows,
        preparation: Preparation<'_>,
    ) -> Result<Self, DataError> {
        let targets = rows.targets(preparation.labels)?;
        let examples = preparation
            .encoder
            .encode_targets(&rows.split.rows, targets)?;
        check_tokens(&rows.split, examples.lengths().into_iter().zip(0..))?;
        let summary = SplitSummary {
            left_out: rows.split.left_out,
            ..SplitSummary::from_examples(&examples, preparation.labels.len())
        };
        let evaluator = Some(SequenceEvaluator::new(
            preparation.labels.clone(),
            rows.metrics,
        ));
        Ok(Self {
            source: Arc::new(examples.with_width(preparation.width())),
            evaluator,
            summary,
        })
    }
}

impl PreparedSplit<Windows, SpanEvaluator> {
    /// Tokenizes questions and their paragraphs.
    pub(super) fn from_spans(
        rows: TaskRows,
        preparation: Preparation<'_>,
    ) -> Result<Self, DataError> {
        let TaskRows {
            split,
            questions,
            unanswerable,
            metrics,
            ..
        } = rows;
        let settings = WindowSettings {
            stride: preparation.stride,
            keep_places: preparation.is_evaluated,
        };
        let windows =
            preparation
                .encoder
                .encode_windows(&split.rows, &questions, settings, &split.path)?;
        let windows = Arc::new(windows.with_width(preparation.width()));
        let questions_of_windows = (0..)
            .zip(windows.lengths())
            .map(|(window, length)| (length, windows.question(window)));
        check_tokens(&split, questions_of_windows)?;
        let summary = SplitSummary::from_windows(&windows, questions.len());
        let evaluator = preparation.is_evaluated.then(|| {
            SpanEvaluator::new(
                windows.clone(),
                split.rows,
                questions,
                unanswerable,
                metrics,
            )
        });
        Ok(Self {
            source: windows,
            evaluator,
            summary,
        })
    }
}

/// Checks that every row has at least one token: a row without tokens has no hidden state.
///
/// # Arguments
/// - `lengths`: the length in tokens and the row index of each sequence
///
/// # Errors
/// [`DataError::NoTokens`] with the line of the row.
fn check_tokens(
    split: &Split,
    mut lengths: impl Iterator<Item = (u32, u32)>,
) -> Result<(), DataError> {
    match lengths.find(|(length, _)| *length == 0) {
        Some((_, row)) => Err(DataError::NoTokens {
            path: split.path.clone(),
            line: split.rows[row as usize].line,
        }),
        None => Ok(()),
    }
}
