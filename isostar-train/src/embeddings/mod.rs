//! Embeddings in files: written by a model, measured whatever wrote them.
//!
//! ```text
//! rows, texts or ids ──Sequences──▶ embed ──▶ layer.0 … layer.L, mask
//!                                                    │ .safetensors, .npy, .npz, .parquet
//!                                   EmbeddingsFile ◀─┘
//!                                         └──Points──▶ measure ──▶ Geometry
//!                                                         ├ a few rows: about where and how far apart the points are   Frame
//!                                                         ├ 1st pass: mean, scatter, directions, twenty groups         Spread ─▶ IsoScores, cosines, spectra
//!                                                         ├ 2nd pass: sums of exponentials                             partition
//!                                                         └ a sample: pairwise distances                               TwoNN, MLE
//! ```
//!
//! A file is mapped into memory and read in blocks of rows, so that it may be larger than the memory, and pages that were read are let go.
//! While a device computes on a block, the next one is decoded and the bytes of the one after it are fetched; where the file is read once,
//! past the system's cache where the system can. Deviations are taken in f64 from an origin near the mean, in units of about
//! the largest one, so that they neither overflow nor vanish in f32. Where the few rows were no fair sample, the first pass is made again
//! about the mean that it found. Memory is O(d²) for points of width d, whatever their number, and beyond that a sample of points in f32
//! for the measures of neighbours. What is compressed in its file is first laid out in a temporary one.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use isostar_train::embeddings::{EmbeddingsFile, Measures, measure};
//!
//! let file = EmbeddingsFile::open(Path::new("states.safetensors"))?;
//! for points in file.points(None, None)? {
//!     let geometry = measure(&points, None, Measures::default(), &Device::default(), &|_steps| {})?;
//!     println!("{}: {:?}", points.place(), geometry.value("isoscore"));
//! }
//! # Ok::<(), isostar_train::embeddings::EmbeddingsError>(())
//! ```

mod ahead;
mod embed;
mod error;
mod file;
mod frame;
mod geometry;
mod note;
mod pass;
mod points;
mod reference;
mod row_sums;
mod sequences;
mod spread;
mod states_file;

pub use embed::{EmbeddingModel, embed, embed_with_means};
pub use error::EmbeddingsError;
pub use file::{EmbeddingsFile, FormatError, MASK, PickleKind, Place};
pub use geometry::{Geometry, Measures, NEIGHBOUR_POINTS, Sample, measure, steps};
pub use note::Note;
pub use points::{MAX_WIDTH, Points};
pub use reference::{Reference, ReferenceKind, References};
pub use sequences::Sequences;
