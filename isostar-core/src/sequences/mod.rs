//! States grouped by the sequence that they belong to, and what is estimated over sequences rather
//! than over states: the states of one sequence depend on each other, those of two do not.

mod disjoint;
mod rows;
mod sample;
mod sampled;
mod spread;
mod states;

pub(crate) use disjoint::disjoint_isoscore;
pub use disjoint::{DisjointEstimate, isoscore_disjoint};
pub(crate) use rows::SequenceRows;
pub(crate) use sample::{Sample, sample};
pub(crate) use sampled::isoscore_of_sample;
pub(crate) use spread::{ledoit_wolf, oracle_approximating};
pub use states::SequenceStates;
