//! `isostar measure` and `isostar embed` as a user runs them, on files that the tests write byte by byte.

mod archives;
mod embedded;
mod exact;
mod files;
mod foreign;
mod formats;
mod golden;
mod masks;
mod refused;
mod sampled;
mod tables;
