#![doc = include_str!("../README.md")]
//!
//! # Models
//!
//! | `model_type` | encoder | settings |
//! |---|---|---|
//! | `bert` (BERT, MiniLM, …) | [`Bert`] | [`BertConfig`] |
//! | `roberta` | [`Bert`], with places counted from the padding token | [`RobertaConfig`] |
//! | `xlm-roberta` | as `roberta` | [`RobertaConfig`] |
//! | `distilbert` | [`Bert`], without segments | [`DistilBertConfig`] |
//! | `albert` | [`Albert`] | [`AlbertConfig`] |
//! | `gpt2` | [`Gpt2`] | [`Gpt2Config`] |
//!
//! Each model is available as a plain [`Encoder`] or with a head: a [`SequenceClassifier`]
//! (single-label or multi-label classification, or regression) or a [`SpanExtractor`] (start and
//! end of an answer). All return the hidden states that transformers returns.
//!
//! # Overview
//!
//! - [`Pretrained`]: a model folder, loaded and saved; [`hub`] downloads one from the Hugging Face
//!   hub
//! - [`Checkpoint`]: the same without a tokenizer, for token ids
//! - [`ModelConfig`] and [`PretrainedModel::new`]: a model with new weights
//! - [`loss`]: the training losses of the heads
//! - [`layer`]: the building blocks of the encoders
//! - [`ModelError`]: errors of model folders, with their remedies

#![warn(missing_docs)]

mod albert;
mod batch;
mod bert;
mod config;
mod distilbert;
mod encoder;
mod environment;
mod error;
mod git_lfs;
mod gpt2;
mod head;
#[cfg(feature = "hub")]
pub mod hub;
pub mod layer;
mod pretrained;
mod roberta;

pub use albert::{Albert, AlbertConfig, AlbertGroup};
pub use batch::TokenBatch;
pub use bert::{Bert, BertConfig};
pub use config::{Labels, MODELS, ModelConfig, ModelSizes, ProblemType, SupportedModel};
pub use distilbert::DistilBertConfig;
pub use encoder::Encoder;
pub use environment::{expand_path, user_folder};
pub use error::ModelError;
use git_lfs::is_git_lfs_pointer;
pub use gpt2::{Gpt2, Gpt2Config, Gpt2Layer};
pub use head::{
    ClassificationHead, ClassifiedToken, Dense, Head, PretrainedModel, SequenceClassifier,
    SpanExtractor, SpanHead, loss,
};
pub use isostar_kernels::Precision;
pub use pretrained::{Checkpoint, Pretrained};
pub use roberta::RobertaConfig;
