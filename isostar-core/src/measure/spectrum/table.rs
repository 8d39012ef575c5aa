//! The table of all measures that are a single number.

use std::ops::RangeInclusive;

use super::{
    EXPLAINED_SHARE, Ignores, Measure, Needs, VAREX_FRACTION, alpha_req, effective_rank,
    explained_variance, nesum, participation_ratio, rankme, stable_rank, varex,
};
use crate::isoscore;
use crate::measure::{cosreg, mean_cosine, mle};

/// Every measure that is one number.
///
/// JSON, tables, comparisons and reports list the measures in this order, and the tests check each
/// row's value, range and invariances. A new measure adds one file and one row here.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::measure::{MEASURES, Needs};
///
/// let points = Tensor::<2>::from_floats([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], &Device::flex());
/// for measure in MEASURES.iter().filter(|measure| measure.needs != Needs::Neighbours) {
///     println!("{:<20} {:?}", measure.title, measure.of(points.clone()));
/// }
/// ```
pub const MEASURES: &[Measure] = &[
    Measure {
        name: "isoscore",
        title: "IsoScore",
        column: "IsoScore",
        digits: 4,
        range: |_, _| 0.0..=1.0,
        needs: Needs::Moments,
        ignores: RIGID_AND_SCALE,
        reference: "Rudman et al., Findings of ACL 2022",
        value: |summary| summary.covariance()?.isoscore(),
        differentiable: Some(isoscore),
    },
    Measure {
        name: "isoscore_unbiased",
        title: "IsoScore, unbiased",
        column: "unbiased",
        digits: 4,
        // With few points the estimate may lie on either side of [0, 1].
        range: |_, d| -1.0 / (d as f64 - 1.0)..=f64::INFINITY,
        needs: Needs::Moments,
        ignores: RIGID_AND_SCALE,
        reference: "Chen, Zhang & Zhong, JASA 2010",
        value: |summary| summary.unbiased_sums().isoscore(summary.width()),
        differentiable: None,
    },
    Measure {
        name: "isoscore_star",
        title: "IsoScore*",
        column: "IsoScore*",
        digits: 4,
        range: |_, _| 0.0..=1.0,
        needs: Needs::Reference,
        ignores: Ignores {
            translation: true,
            scale: false,
            rotation: false,
        },
        reference: "Rudman & Eickhoff, ICLR 2024",
        value: |summary| summary.shrunk()?.isoscore(),
        differentiable: None,
    },
    Measure {
        name: "mean_cosine",
        title: "mean cosine",
        column: "cosine",
        digits: 4,
        range: |n, _| -1.0 / (n as f64 - 1.0).max(1.0)..=1.0,
        needs: Needs::Directions,
        ignores: SCALE_AND_ROTATION,
        reference: "Ethayarajh, EMNLP 2019",
        value: |summary| {
            over(
                summary.cosines_of_distinct_pairs(),
                summary.count() * (summary.count() - 1.0),
            )
        },
        differentiable: Some(mean_cosine),
    },
    Measure {
        name: "cosreg",
        title: "CosReg",
        column: "CosReg",
        digits: 4,
        range: |n, _| -1.0 / n as f64..=1.0 - 1.0 / n as f64,
        needs: Needs::Directions,
        ignores: SCALE_AND_ROTATION,
        reference: "Gao et al., ICLR 2019",
        value: |summary| {
            over(
                summary.cosines_of_distinct_pairs(),
                summary.count() * summary.count(),
            )
        },
        differentiable: Some(cosreg),
    },
    Measure {
        name: "partition",
        title: "partition",
        column: "partition",
        digits: 4,
        range: |_, _| 0.0..=1.0,
        needs: Needs::Partition,
        ignores: Ignores {
            translation: false,
            scale: false,
            rotation: true,
        },
        reference: "Mu & Viswanath, ICLR 2018",
        value: |summary| summary.partition(),
        differentiable: None,
    },
    Measure {
        name: "effective_rank",
        title: "effective rank",
        column: "eff. rank",
        digits: 1,
        range: directions_of_variance,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Roy & Vetterli, EUSIPCO 2007",
        value: |summary| effective_rank(summary.spectrum()),
        differentiable: None,
    },
    Measure {
        name: "participation_ratio",
        title: "participation ratio",
        column: "part. ratio",
        digits: 1,
        range: directions_of_variance,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Gao et al., 2017",
        value: |summary| participation_ratio(summary.spectrum()),
        differentiable: None,
    },
    Measure {
        name: "explained_variance",
        title: "components for 90%",
        column: "for 90%",
        digits: 0,
        range: directions_of_variance,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Jolliffe, Principal Component Analysis, 2002",
        value: |summary| {
            explained_variance(summary.spectrum(), EXPLAINED_SHARE)
                .map(|explained| explained.components as f64)
        },
        differentiable: None,
    },
    Measure {
        name: "varex",
        title: "VarEx",
        column: "VarEx",
        digits: 4,
        range: |_, d| 1.0 / d as f64..=1.0,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Rudman et al., Findings of ACL 2022",
        value: |summary| varex(summary.spectrum(), VAREX_FRACTION),
        differentiable: None,
    },
    Measure {
        name: "stable_rank",
        title: "stable rank",
        column: "stable rank",
        digits: 1,
        range: directions_of_variance,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Rudelson & Vershynin, Journal of the ACM 2007",
        value: |summary| stable_rank(summary.spectrum()),
        differentiable: None,
    },
    Measure {
        name: "alpha_req",
        title: "αReQ",
        column: "αReQ",
        digits: 2,
        range: |_, _| 0.0..=f64::INFINITY,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "Agrawal et al., NeurIPS 2022",
        value: |summary| alpha_req(summary.spectrum()),
        differentiable: None,
    },
    Measure {
        name: "rankme",
        title: "RankMe",
        column: "RankMe",
        digits: 1,
        range: |n, d| 1.0..=n.min(d) as f64,
        needs: Needs::SingularValues,
        ignores: SCALE_AND_ROTATION,
        reference: "Garrido et al., ICML 2023",
        value: |summary| rankme(summary.second_moment_spectrum()),
        differentiable: None,
    },
    Measure {
        name: "nesum",
        title: "NESum",
        column: "NESum",
        digits: 1,
        range: directions_of_variance,
        needs: Needs::Spectrum,
        ignores: RIGID_AND_SCALE,
        reference: "He & Ozay, ICML 2022",
        value: |summary| nesum(summary.spectrum()),
        differentiable: None,
    },
    Measure {
        name: "twonn",
        title: "TwoNN",
        column: "TwoNN",
        digits: 2,
        range: |_, _| 0.0..=f64::INFINITY,
        needs: Needs::Neighbours,
        ignores: RIGID_AND_SCALE,
        reference: "Facco et al., Scientific Reports 2017",
        value: |summary| Some(summary.twonn()?.linear),
        differentiable: None,
    },
    Measure {
        name: "twonn_ml",
        title: "TwoNN, likelihood",
        column: "TwoNN, ML",
        digits: 2,
        range: |_, _| 0.0..=f64::INFINITY,
        needs: Needs::Neighbours,
        ignores: RIGID_AND_SCALE,
        reference: "Denti et al., Scientific Reports 2022",
        value: |summary| Some(summary.twonn()?.maximum_likelihood),
        differentiable: None,
    },
    Measure {
        name: "mle",
        title: "MLE",
        column: "MLE",
        digits: 2,
        range: |_, _| 0.0..=f64::INFINITY,
        needs: Needs::Neighbours,
        ignores: RIGID_AND_SCALE,
        reference: "Levina & Bickel, NeurIPS 2004",
        value: |summary| mle(summary.neighbours()?),
        differentiable: None,
    },
    Measure {
        name: "outlier_dimensions",
        title: "outlier dimensions",
        column: "outliers",
        digits: 0,
        range: |_, d| 0.0..=2.0 * d as f64 / 5.0,
        needs: Needs::Moments,
        ignores: Ignores {
            translation: false,
            scale: true,
            rotation: false,
        },
        reference: "Rudman, Chen & Eickhoff, EMNLP 2023",
        value: |summary| Some(summary.outlier_dimensions().len() as f64),
        differentiable: None,
    },
];

/// Invariant to translation, scale and rotation.
const RIGID_AND_SCALE: Ignores = Ignores {
    translation: true,
    scale: true,
    rotation: true,
};

/// Invariant to scale and rotation, but not to translation.
const SCALE_AND_ROTATION: Ignores = Ignores {
    translation: false,
    scale: true,
    rotation: true,
};

/// From 1 to the number of directions in which n points of d dimensions can vary.
fn directions_of_variance(n: usize, d: usize) -> RangeInclusive<f64> {
    1.0..=n.saturating_sub(1).min(d) as f64
}

/// The mean over pairs; `None` if there are none.
fn over(sum: f64, pairs: f64) -> Option<f64> {
    (pairs > 0.0).then(|| sum / pairs)
}
