#![doc = include_str!("../README.md")]
//!
//! # Where things are
//! - [`hook`]: a regularizer of hidden states for a model of one's own under burn-train
//! - [`metric`]: the penalty and its measure batch by batch, the IsoScore and a task's scores of a whole split
//! - [`score`]: F1, correlations, and the answers of SQuAD, as scikit-learn, SciPy and the official script compute them
//! - [`task`] and [`data`]: from a row of labelled text, or a question, to a batch of tensors, and from what a model says to its scores
//! - [`experiment`]: one training run, from its settings to its folder
//! - [`sweep`]: many runs from one plan
//! - [`embeddings`]: hidden states written to files, and the geometry of points in files
//! - [`analysis`]: the geometry of every layer of a model, and how two models differ
//! - [`report`]: one page, with figures, about runs and analyses
//! - [`model`]: from a folder or a name on the hub to a model's folder
//! - [`device`]: from a name on the command line to a device that is there

pub mod analysis;
pub mod data;
pub mod device;
pub mod embeddings;
pub mod experiment;
pub mod hook;
#[cfg(feature = "hub")]
mod hub;
pub mod metric;
pub mod model;
mod parquet_file;
pub mod report;
pub mod score;
pub mod sweep;
pub mod task;
mod whole_file;
