//! Reading, tokenizing and batching labelled text.
//!
//! ```text
//! file ──read_rows──▶ TextRow ──TextEncoder──▶ Examples ──BatchLoader──▶ SequenceBatch
//!                        └──Labels (class indices)──┘           └── order: which rows, which batch
//! ```
//!
//! Questions about paragraphs ([`read_questions`]) become [`Windows`] instead of [`Examples`];
//! trees ([`read_trees`]) become ordinary rows.
//!
//! Text is tokenized once, before training, and only the token ids are kept in memory. Each batch
//! is padded to its longest row when it is requested. The order of an epoch depends only on the
//! seed and the epoch, see [`order`].
//!
//! ```
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use burn::data::dataloader::DataLoader;
//! use burn::tensor::Device;
//! use isostar_train::data::{BatchLoader, DEFAULT_TOKENIZER, Labels, TextEncoder, TrainingOrder, default_rows};
//!
//! let train = default_rows().train;
//! let labels = Labels::from_rows(&train.rows)?;
//! let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64)?;
//! let examples = encoder.encode(&train.rows, labels.indices_of(&train.rows, &train.path)?)?;
//!
//! let order = TrainingOrder { batch_size: 32, batching: Default::default(), seed: 1, first_epoch: 0 };
//! let loader = BatchLoader::training(Arc::new(examples), order, &Device::default());
//! let batch = loader.iter().next().expect("there are rows")?;
//! assert_eq!(batch.targets.classes().dims(), [32]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod columns;
mod cutter;
pub(crate) mod draw;
mod error;
mod examples;
mod files;
mod format;
mod labels;
mod loader;
pub mod order;
mod padding;
mod parquet;
mod parts;
mod question;
mod question_reader;
mod records;
mod row;
mod segments;
mod splits;
mod squad;
pub(crate) mod streams;
mod table;
mod targets;
mod text_file;
mod tokenize;
mod tokens;
mod trees;
mod windows;

pub(crate) use batch::pad;
pub use batch::{BatchSource, BatchWidth};
pub(crate) use columns::position;
pub use columns::{ColumnIndices, Columns, LabelKind, Layout};
pub use error::{DataError, EncodingFault};
pub use examples::{Examples, SequenceBatch};
pub use files::SplitFolder;
pub use format::Format;
pub(crate) use labels::outputs_of;
pub use labels::{Labels, canonical_label};
pub use loader::{BatchLoader, TrainingOrder};
pub use order::Batching;
pub use padding::PaddingSide;
pub use parts::RowBatch;
pub use question::{GoldAnswer, Question, Questions, Unanswerable};
pub use row::TextRow;
pub use splits::{DEFAULT_TOKENIZER, Split, Splits, default_rows};
pub use squad::read_questions;
pub use table::read_rows;
pub use targets::{RowTargets, Targets};
pub(crate) use text_file::{plain_name, read_text, without_mark};
pub use tokenize::{TextEncoder, Truncation};
pub use trees::read_trees;
pub use windows::{CharSpan, SpanBatch, WindowSettings, Windows};
