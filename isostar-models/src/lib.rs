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
//! Each comes alone, as an [`Encoder`], or with a head: a [`SequenceClassifier`] (one class of several, any number of classes, or numbers) or a
//! [`SpanExtractor`] (where an answer starts and ends). All return the hidden states that transformers returns.
//!
//! # What is where
//!
//! - [`Pretrained`]: a model folder, read and written; [`hub`] brings one from the Hugging Face hub
//! - [`Checkpoint`]: the same without a tokenizer, for token ids
//! - [`ModelConfig`] and [`PretrainedModel::new`]: a model with fresh weights
//! - [`loss`]: what the heads are trained by
//! - [`layer`]: what the encoders are made of
//! - [`ModelError`]: what can be wrong with a folder, and what to do about it

#![warn(missing_docs)]

mod albert;
mod batch;
mod bert;
mod commands;
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
pub use git_lfs::is_git_lfs_pointer;
pub use gpt2::{Gpt2, Gpt2Config, Gpt2Layer};
pub use head::{ClassificationHead, ClassifiedToken, Dense, Head, PretrainedModel, SequenceClassifier, SpanExtractor, SpanHead, loss};
pub use pretrained::{Checkpoint, Pretrained};
pub use roberta::RobertaConfig;
