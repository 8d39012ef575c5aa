//! What an estimator needs of the states of a group of layers, and the score that follows from it.

use burn::prelude::*;

use super::statistics::{Statistic, Statistics};
use crate::sequences::{
    Sample, SequenceRows, disjoint_isoscore, isoscore_of_sample, ledoit_wolf, oracle_approximating,
};
use crate::{Moments, Shrinkage, ShrinkageTarget, isoscore_of_covariance};

/// How a score is computed from the states of a batch.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a run has a single estimator, and a box would only make it harder to construct"
)]
pub enum Estimator {
    /// IsoScore\*, the score of (1 − ζ)·Σ_X + ζ·T with a given ζ.
    Shrunk(Shrinkage),
    /// IsoScore\* with a ζ that is estimated from each batch, without gradient: the Ledoit–Wolf
    /// weight, with the variance of Σ_X estimated over sequences. For the scaled identity, the oracle
    /// approximating shrinkage of independent Gaussian states.
    ///
    /// A reference that the states have drifted away from is given less weight: ζ is the variance of
    /// Σ_X over its squared distance to T.
    AutoShrunk(ShrinkageTarget),
    /// The unbiased estimates of tr Σ² and (tr Σ)² over tuples of different sequences, which need no
    /// reference and assume nothing about the states within a sequence.
    ///
    /// It needs four sequences with states. A batch without an estimate scores 0 with zero gradient.
    /// The ratio of the two estimates lies outside [0, 1] in some batches.
    Unbiased,
}

impl From<Shrinkage> for Estimator {
    fn from(shrinkage: Shrinkage) -> Self {
        Self::Shrunk(shrinkage)
    }
}

/// The message of statistics that another estimator has made.
pub(super) const ANOTHER: &str = "the statistics are those of another regularizer";

/// What a score is computed from.
#[allow(
    clippy::large_enum_variant,
    reason = "a step makes one per group of layers and takes it apart at once"
)]
pub(super) enum Material {
    /// The moments of the states.
    Moments(Moments),
    /// The moments, and the states without gradient, from which ζ is estimated.
    MomentsAndRows(Moments, SequenceRows),
    /// The states, or a sample of them in their place.
    Rows(SequenceRows),
    /// A sample of the states.
    Sample(Sample),
}

/// The score of a group of layers, shape `[1]`.
pub(super) struct Estimate {
    pub score: Tensor<1>,
    /// Estimated ζ. Shape `[1]`.
    pub shrinkage: Option<Tensor<1>>,
    /// 1 if an unbiased score exists, otherwise 0. Shape `[1]`.
    pub exists: Option<Tensor<1>>,
}

impl Material {
    /// These states as statistics of a part of a batch.
    pub fn into_statistic(self) -> Statistic {
        let of_rows = |rows: SequenceRows| Statistic::States(rows.to_states());
        match self {
            Self::Moments(moments) => Statistic::Moments(moments),
            Self::MomentsAndRows(moments, rows) => {
                Statistic::Several(Statistics(vec![Statistic::Moments(moments), of_rows(rows)]))
            }
            Self::Rows(rows) => of_rows(rows),
            Self::Sample(Sample { rows, population }) => {
                let statistics = vec![of_rows(rows), Statistic::Sum(population)];
                Statistic::Several(Statistics(statistics))
            }
        }
    }

    /// What [`into_statistic`](Self::into_statistic) has made a statistic of; `None` if another
    /// regularizer has made it.
    pub fn from_statistic(statistic: &Statistic) -> Option<Self> {
        Some(match statistic {
            Statistic::Moments(moments) => Self::Moments(moments.clone()),
            Statistic::States(states) => Self::Rows(SequenceRows::from_states(states)),
            Statistic::Sum(_) => return None,
            Statistic::Several(statistics) => match &statistics.0[..] {
                [Statistic::Moments(moments), Statistic::States(states)] => {
                    Self::MomentsAndRows(moments.clone(), SequenceRows::from_states(states))
                }
                [Statistic::States(states), Statistic::Sum(population)] => Self::Sample(Sample {
                    rows: SequenceRows::from_states(states),
                    population: population.clone().without_autodiff(),
                }),
                _ => return None,
            },
        })
    }
}

impl Estimator {
    /// What this estimator needs of a group of layers, or of a sample of their states.
    pub(super) fn material(
        &self,
        layers: Vec<Tensor<3>>,
        mask: Option<Tensor<2, Bool>>,
        drawn: Option<Sample>,
    ) -> Material {
        match (self, drawn) {
            (Self::Shrunk(_) | Self::AutoShrunk(ShrinkageTarget::ScaledIdentity), None) => {
                Material::Moments(Moments::from_layers(layers, mask))
            }
            (Self::Shrunk(_), Some(drawn)) => Material::Sample(drawn),
            (Self::AutoShrunk(_), None) => {
                let constants = layers.iter().map(|layer| layer.clone().without_autodiff());
                let rows = SequenceRows::from_layers(constants.collect(), mask.clone());
                Material::MomentsAndRows(Moments::from_layers(layers, mask), rows)
            }
            (Self::Unbiased, None) => Material::Rows(SequenceRows::from_layers(layers, mask)),
            (Self::AutoShrunk(_) | Self::Unbiased, Some(drawn)) => Material::Rows(drawn.rows),
        }
    }

    /// The score of a group of layers.
    ///
    /// # Panics
    /// If this estimator needs something else of the states, or a required reference is missing.
    pub(super) fn estimate(&self, material: Material, reference: Option<&Tensor<2>>) -> Estimate {
        let plain = |score| Estimate {
            score,
            shrinkage: None,
            exists: None,
        };
        match (self, material) {
            (Self::Shrunk(shrinkage), Material::Moments(moments)) => {
                let covariance = shrinkage.apply(moments.covariance(), reference);
                plain(isoscore_of_covariance(covariance))
            }
            (Self::Shrunk(shrinkage), Material::Sample(sample)) => {
                plain(isoscore_of_sample(&sample, shrinkage, reference))
            }
            (Self::AutoShrunk(target), material) => {
                let (moments, rows) = match material {
                    Material::Moments(moments) => (moments, None),
                    Material::MomentsAndRows(moments, rows) => (moments, Some(rows)),
                    Material::Rows(rows) => (rows.moments(), Some(rows)),
                    Material::Sample(_) => panic!("{ANOTHER}"),
                };
                let covariance = moments.covariance();
                let matrix = target.matrix(&covariance, reference);
                let weight = match (target, &rows) {
                    (ShrinkageTarget::ScaledIdentity, _) => {
                        oracle_approximating(&moments.count, &moments.scatter)
                    }
                    (_, Some(rows)) => ledoit_wolf(rows, &matrix),
                    (_, None) => panic!("{ANOTHER}"),
                };
                let share: Tensor<2> = weight.clone().unsqueeze();
                let covariance = covariance * (share.clone().neg() + 1.0) + matrix * share;
                Estimate {
                    score: isoscore_of_covariance(covariance),
                    shrinkage: Some(weight),
                    exists: None,
                }
            }
            (Self::Unbiased, Material::Rows(rows)) => {
                let estimate = disjoint_isoscore(&rows);
                Estimate {
                    score: estimate.score,
                    shrinkage: None,
                    exists: Some(estimate.exists),
                }
            }
            _ => panic!("{ANOTHER}"),
        }
    }
}
