//! The tests of isostar-core in one program. The test `memory` is a program of its own: it counts
//! what it allocates.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "spectrum")]
mod contract;
mod control;
mod dimension;
mod extremes;
mod golden;
mod gradients;
mod interval;
mod near_origin;
mod neighbours;
#[cfg(feature = "spectrum")]
mod partition;
mod pooled;
mod properties;
#[cfg(feature = "spectrum")]
mod spectrum;
