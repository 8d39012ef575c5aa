//! Heads, which map the states of the last layer to predictions: classes, numbers or spans.

mod classification;
pub mod loss;
mod pretrained_model;
mod settings;
mod span;

pub use classification::{ClassificationHead, SequenceClassifier};
pub use pretrained_model::PretrainedModel;
pub(crate) use settings::HeadSettings;
pub use settings::{ClassifiedToken, Dense, Head};
pub use span::{SpanExtractor, SpanHead};
