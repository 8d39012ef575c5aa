//! `isostar measure` and `isostar embed` as a user runs them, on files that the tests write byte by byte.

mod embedded;
mod exact;
mod files;
mod formats;
mod golden;
mod refused;
mod sampled;
