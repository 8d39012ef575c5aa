//! The geometry of every layer of a model on the rows of a task.
//!
//! ```text
//! rows ──Sequences──▶ embed_in_memory ──▶ states of tokens, one vector a sentence
//!                                                   │ layer 0 … layer L
//!                                          measure ◀┘ ──▶ LayerAnalysis ──▶ ModelAnalysis ──▶ Analysis, analysis.json
//! ```
//!
//! Every layer is measured twice: for the token states, and for the sentence vectors. Layer 0 is
//! the embedding output. A sentence vector is the mean of the states of a row's tokens, including
//! special tokens and excluding padding.
//!
//! The values equal those of [`embed`](crate::embed::embed) followed by
//! [`measure`](isostar_measure::measure), which this module calls. The states of
//! all layers are held in memory, without padding, until they are measured: tokens × width ×
//! (layers + 1) × 4 bytes. No file is written.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use isostar_models::{Encoder, Pretrained};
//! use isostar_train::analysis::{AnalysisSettings, analyze};
//! use isostar_train::data::{TextEncoder, default_rows};
//! use isostar_train::embed::Sequences;
//! use isostar_train::progress::Silent;
//!
//! let (model, tokenizer) = Pretrained::<Encoder>::read("minilm", &Device::default())?.into_parts();
//! let rows = default_rows().dev;
//! let encoder = TextEncoder::new(tokenizer, 256)?.for_model(&model.config);
//! let sequences = Sequences::from_rows(&rows.rows, &rows.path, &encoder)?;
//! for layer in analyze(model, &sequences, &AnalysisSettings::default(), &Silent)? {
//!     println!("{}: {:?}", layer.layer, layer.tokens.and_then(|tokens| tokens.value("isoscore")));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod analyze;
mod difference;
mod error;
mod file;
mod layer;
mod result;
mod settings;
mod steps;

pub use analyze::analyze;
pub use difference::{LayerDifference, differences};
pub use error::AnalysisError;
pub use file::AnalysisFile;
pub use layer::LayerAnalysis;
pub use result::{Analysis, ModelAnalysis};
pub use settings::AnalysisSettings;
