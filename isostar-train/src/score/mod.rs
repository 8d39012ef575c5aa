//! Scores of predictions against targets: pure functions of host data.
//!
//! - classes: [`accuracy`], [`f1`], [`macro_f1`], [`matthews_correlation`], [`confusion`]
//! - numbers: [`pearson`], [`spearman`]
//! - spans of text: [`best_span`] extracts the answer to a question, [`span_or_none`] that of a
//!   question that may be unanswerable; [`squad_score`] scores answers as SQuAD v1.1 does,
//!   [`squad2_score`] as v2.0

mod answer;
mod best_span;
mod classification;
mod correlation;
mod span;
mod squad2;
mod word;

pub use answer::normalize_answer;
pub use best_span::{
    Span, SpanLimits, Window, best_span, n_best_spans, no_answer_score, span_or_none,
};
pub use classification::{accuracy, confusion, f1, macro_f1, matthews_correlation};
pub use correlation::{pearson, ranks, spearman};
pub use span::{SpanScore, answer_score, exact_match, squad_score, token_f1};
pub use squad2::{Squad2Score, answer_or_none_score, squad2_score};
