//! Token ids in, the hidden states of every layer out.
//!
//! isostar-models holds the encoders whose geometry isostar regularises, with transformers' names, numbers and files: a model
//! is read from the folder that `save_pretrained` wrote, trained with Burn, and written back for `from_pretrained`.
//!
//! ```no_run
//! use burn::prelude::*;
//! use isostar_models::{Pretrained, SequenceClassifier, TokenBatch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let device = Device::default();
//! let pretrained = Pretrained::<SequenceClassifier>::read("all-MiniLM-L6-v2", &device)?;
//! let encoding = pretrained.tokenizer.encode("Hidden states fill few directions.", true)?;
//! let ids = Tensor::<1, Int>::from_ints(encoding.get_ids(), &device).unsqueeze();
//! let (logits, states) = pretrained.model.forward(TokenBatch::unpadded(ids));
//! println!("{} layers, logits {logits}", states.depth());
//! pretrained.write("copy")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Models
//!
//! | `model_type` | encoder | settings |
//! |---|---|---|
//! | `bert` (BERT, MiniLM, …) | [`Bert`] | [`BertConfig`] |
//! | `roberta` | [`Bert`], with places counted from the padding token | [`RobertaConfig`] |
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
//! - [`ModelConfig`] and [`PretrainedModel::new`]: a model with fresh weights
//! - [`loss`]: what the heads are trained by
//! - [`layer`]: what the encoders are made of
//! - [`ModelError`]: what can be wrong with a folder, and what to do about it
//!
//! No tokenizing, no pooling of sentences, no generation: `tokenizers` does the first, and isostar needs neither of the others.
//!
//! # Crate features
//!
//! No backend is enabled by default; `flex`, `ndarray`, `wgpu` and `cuda` enable Burn's backends of these names, `hub` the module of that name.

#![warn(missing_docs)]

mod albert;
mod batch;
mod bert;
mod config;
mod distilbert;
mod encoder;
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
pub use error::ModelError;
pub use git_lfs::is_git_lfs_pointer;
pub use gpt2::{Gpt2, Gpt2Config, Gpt2Layer};
pub use head::{ClassificationHead, ClassifiedToken, Dense, Head, PretrainedModel, SequenceClassifier, SpanExtractor, SpanHead, loss};
pub use pretrained::Pretrained;
pub use roberta::RobertaConfig;
