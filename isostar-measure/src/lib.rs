#![doc = include_str!("../README.md")]
//!
//! [`geometry`] measures a tensor; [`EmbeddingsFile`] and [`measure`] the tensors in files.
//!
//! # How points are measured
//!
//! ```text
//! .safetensors, .npy, .npz, .parquet ──▶ EmbeddingsFile ──Points──▶ measure ──▶ Geometry
//! a tensor on a device ───────────────────────────────────Points──────▲
//!                                                         ├ sampled rows: estimated location and scale of the points   Frame
//!                                                         ├ 1st pass: mean, scatter, directions, twenty groups         Statistics ─▶ IsoScores, cosines, spectra
//!                                                         ├ 2nd pass: sums of exponentials                             partition
//!                                                         └ a sample: pairwise distances                               TwoNN, MLE
//! ```
//!
//! A file is mapped into memory and read in blocks of rows, and pages are released after reading,
//! so a file may be larger than memory. While a device computes on one block, the next one is
//! decoded and the bytes of the one after it are fetched. A file that is read only once bypasses
//! the page cache where the system supports it. Deviations are taken in f64 from an origin near the
//! mean, in units of about the largest one, so that they neither overflow nor vanish in f32. If the
//! sampled rows were not representative, the first pass is repeated about the mean that it found.
//! Memory is O(d²) for points of width d, independent of their number, plus a sample of points in
//! f32 for the neighbour measures. Compressed numbers are first decompressed into a temporary file.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use isostar_measure::{EmbeddingsFile, Measures, measure};
//!
//! let file = EmbeddingsFile::open(Path::new("states.safetensors"))?;
//! for points in file.points(None, None)? {
//!     let geometry = measure(&points, None, Measures::default(), &Device::default(), &|_steps| {})?;
//!     println!("{}: {:?}", points.source(), geometry.value("isoscore"));
//! }
//! # Ok::<(), isostar_measure::EmbeddingsError>(())
//! ```

mod ahead;
mod element;
mod error;
mod file;
mod file_error;
mod frame;
mod geometry;
mod limits;
mod location;
mod note;
pub mod parquet_file;
mod pass;
mod points;
mod reference;
mod row_sums;
mod rows;
mod statistics;
mod tensor_points;
mod words;

pub use error::EmbeddingsError;
pub use file::{ElementKind, EmbeddingsFile, FormatError, MASK, PickleKind};
pub use file_error::FileError;
pub use geometry::{Geometry, Measures, NEIGHBOUR_POINTS, Sample, geometry, measure, steps};
pub use limits::{LARGEST, MAX_WIDTH};
pub use location::{Location, Source};
pub use note::Note;
pub use points::Points;
pub use reference::{Reference, ReferenceKind, References};
