//! Measures of eigenvalues, and the table of all measures, which includes them: the feature
//! `spectrum`.

mod alpha_req;
mod definition;
mod effective_rank;
mod eigenvalues;
mod explained_variance;
mod nesum;
mod participation_ratio;
mod partition;
mod rankme;
mod second_moment;
mod stable_rank;
mod summary;
mod table;

pub use alpha_req::alpha_req;
pub use definition::{Ignores, Measure, Needs};
pub use effective_rank::effective_rank;
pub use eigenvalues::Spectrum;
pub use explained_variance::{
    EXPLAINED_SHARE, ExplainedVariance, VAREX_FRACTION, explained_variance, varex,
};
pub use nesum::nesum;
pub use participation_ratio::participation_ratio;
pub use partition::{Partition, partition};
pub use rankme::rankme;
pub use stable_rank::stable_rank;
pub use summary::{NEIGHBOURS, PointSums, Summary};
pub use table::MEASURES;
