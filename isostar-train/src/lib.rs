#![doc = include_str!("../README.md")]
//!
//! # Module overview
//!
//! - [`hook`]: adds a regularizer of hidden states to your own model under burn-train
//! - [`metric`]: metrics for burn-train: penalty and measure per batch, IsoScore per split
//!
//! With the feature `experiment`:
//!
//! - `score`: F1, correlations and SQuAD scores, matching scikit-learn, SciPy and the official
//!   script
//! - `task` and `data`: convert labelled rows or questions to batches, and model outputs to
//!   scores
//! - `experiment`: one training run, from its settings to its run folder
//! - `sweep`: many runs from one plan
//! - `embed`: writes the hidden states of a model to a file
//! - `analysis`: the geometry of every layer of a model, and the differences between two models
//! - `progress`: what long work reports while it runs
//! - `model`: finds a model's folder from a path or a name on the hub
//! - `device`: finds an available device by its name
//! - `world`: the processes that train one model together

#[cfg(feature = "experiment")]
pub mod analysis;
#[cfg(feature = "experiment")]
mod cache;
#[cfg(feature = "experiment")]
mod choice;
#[cfg(feature = "experiment")]
pub mod data;
#[cfg(feature = "experiment")]
pub mod device;
#[cfg(feature = "experiment")]
pub mod embed;
#[cfg(feature = "experiment")]
pub mod experiment;
pub mod hook;
#[cfg(feature = "hub")]
mod hub;
pub mod metric;
#[cfg(feature = "experiment")]
pub mod model;
#[cfg(feature = "experiment")]
pub mod progress;
mod readback;
#[cfg(feature = "experiment")]
pub mod score;
#[cfg(feature = "experiment")]
pub mod sweep;
#[cfg(feature = "experiment")]
pub mod task;
#[cfg(feature = "experiment")]
mod transfer;
#[cfg(feature = "experiment")]
mod whole_file;
#[cfg(feature = "experiment")]
pub mod world;
