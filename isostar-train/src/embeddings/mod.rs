//! Embeddings in files: written by a model, measured whatever wrote them.
//!
//! ```text
//! rows, texts or ids ──Sequences──▶ embed ──▶ layer.0 … layer.L, mask
//!                                                    │ .safetensors or .npy
//!                                   EmbeddingsFile ◀─┘
//!                                         └──Points──▶ measure ──▶ Geometry
//! ```
//!
//! A file is mapped into memory and read twice in blocks of rows, so that it may be larger than the memory: first for the mean and the largest
//! deviation in f64, then for the scatter of the deviations in units of the largest one, which neither overflow nor vanish in f32. Memory is
//! O(d²) for points of width d, whatever their number.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use isostar_train::embeddings::{EmbeddingsFile, measure};
//!
//! let file = EmbeddingsFile::open(Path::new("states.safetensors"))?;
//! for points in file.points(None, None)? {
//!     let geometry = measure(&points, None, &Device::default(), &|_rows| {})?;
//!     println!("{}: {}", points.place(), geometry.isoscore);
//! }
//! # Ok::<(), isostar_train::embeddings::EmbeddingsError>(())
//! ```

mod covariance;
mod element;
mod embed;
mod error;
mod file;
mod geometry;
mod npy;
mod points;
mod reference;
mod sequences;
mod spread;
mod states_file;
mod survey;

pub use embed::{embed, embed_with_means};
pub use error::EmbeddingsError;
pub use file::{EmbeddingsFile, MASK, Place};
pub use geometry::{Geometry, measure};
pub use points::{MAX_WIDTH, Points};
pub use reference::{Reference, ReferenceKind, References};
pub use sequences::Sequences;
pub(crate) use states_file::beside;
