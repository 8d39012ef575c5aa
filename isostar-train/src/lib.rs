#![doc = include_str!("../README.md")]
//!
//! # Module overview
//!
//! - [`hook`]: adds a regularizer of hidden states to your own model under burn-train
//! - [`metric`]: metrics for burn-train: penalty and measure per batch, IsoScore and task scores
//!   per split
//! - [`score`]: F1, correlations and SQuAD scores, matching scikit-learn, SciPy and the official
//!   script
//! - [`task`] and [`data`]: convert labelled rows or questions to batches, and model outputs to
//!   scores
//! - [`experiment`]: one training run, from its settings to its run folder
//! - [`sweep`]: many runs from one plan
//! - [`embeddings`]: writes hidden states to files, and measures the geometry of points in files
//! - [`analysis`]: the geometry of every layer of a model, and the differences between two models
//! - [`report`]: a single page with figures about runs and analyses
//! - [`model`]: finds a model's folder from a path or a name on the hub
//! - [`device`]: finds an available device from its command-line name

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
