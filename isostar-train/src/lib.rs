//! I-STAR for Burn's Learner: a training hook for anyone's model, text classification, and what the `isostar` command is made of.

pub mod data;
pub mod device;
pub mod embeddings;
pub mod experiment;
pub mod hook;
pub mod metric;
pub mod task;
