//! `isostar measure` and `isostar embed` as a user runs them, on files that the tests write byte by byte.

mod archives;
mod columns;
mod embedded;
mod exact;
mod files;
mod foreign;
mod formats;
mod golden;
mod layouts;
mod lists;
mod masks;
mod refused;
mod sampled;
mod tables;
