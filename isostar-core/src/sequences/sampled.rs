use burn::prelude::*;

use super::sample::Sample;
use crate::{Moments, Shrinkage, ShrinkageTarget};

/// IsoScore* of all states, from a sample of them: its sums are unbiased estimates of the plug-in
/// sums of all states.
///
/// For n sampled of N states, with the sample's scatter P, Q = Σ‖xᵢ − m‖⁴ and τ = (tr P)²:
///
/// ```text
///   u₁ = (P² − Q)/(n)₂ − 2(2Q − P²)/(n)₃ + C/(n)₄        P² = ‖P‖_F²,  C = τ + 2P² − 6Q
///   u₂ = (τ − Q)/(n)₂ − 2(2Q − τ)/(n)₃ + C/(n)₄          (n)ₖ = n(n − 1)…(n − k + 1)
///   u₃ = (nQ + τ + 2P²)/(n)₂
///   tr Σ_X²   ≈ ((N − 2)²u₁ − (N − 2)u₂)/(N(N − 1)) + u₃/N
///   (tr Σ_X)² ≈ ((N − 2)(N − 1)u₂ − 2(N − 2)u₁)/(N(N − 1)) + u₃/N
/// ```
///
/// u₁, u₂ and u₃ are U-statistics, so their expectation over samples is their value over all states,
/// and for n = N both lines are equalities. The score is their ratio, whose bias is of the order 1/n;
/// it is at most 1. With fewer than four states, it is 0 with zero gradient.
pub(crate) fn isoscore_of_sample(
    sample: &Sample,
    shrinkage: &Shrinkage,
    reference: Option<&Tensor<2>>,
) -> Tensor<1> {
    let PlugIn {
        covariance,
        unit,
        frobenius,
        trace,
        exists,
    } = PlugIn::new(sample);
    let d = covariance.dims()[0];
    let identity = crate::shrinkage::identity_like(&covariance);
    let trace_of = |matrix: &Tensor<2>| (matrix.clone() * identity.clone()).sum_dim(1).sum_dim(0);
    let zeta = shrinkage.weight();
    let own = 1.0 - zeta;
    let (frobenius, trace) = match shrinkage.target() {
        _ if zeta == 0.0 => (frobenius, trace),
        ShrinkageTarget::ScaledIdentity => {
            let mixed = (2.0 * zeta * own + zeta * zeta) / d as f64;
            (frobenius * (own * own) + trace.clone() * mixed, trace)
        }
        target => {
            let target = target.matrix(&covariance, reference);
            // In units of both, so that the square of neither leaves the range of f32.
            let whole = unit.clone() + trace_of(&target);
            let fraction = (unit / whole.clone()).square();
            let (frobenius, trace) = (frobenius * fraction.clone(), trace * fraction);
            let (covariance, target) = (covariance / whole.clone(), target / whole);
            let across = (covariance.clone() * target.clone()).sum_dim(1).sum_dim(0);
            let traces = trace_of(&covariance) * trace_of(&target);
            let mix = |first: Tensor<2>, both: Tensor<2>, second: Tensor<2>| {
                first * (own * own) + both * (2.0 * zeta * own) + second * (zeta * zeta)
            };
            (
                mix(
                    frobenius,
                    across,
                    target.clone().square().sum_dim(1).sum_dim(0),
                ),
                mix(trace, traces, trace_of(&target).square()),
            )
        }
    };
    let none = trace.clone().lower_equal_scalar(0.0);
    let trace = trace.mask_fill(none.clone(), 1.0);
    let frobenius = frobenius.max_pair(trace.clone() / d as f64);
    let exists = exists.mask_fill(none, 0.0);
    let score = (trace / frobenius - 1.0) / (d - 1) as f64 * exists;
    score.squeeze_dim(0)
}

/// Estimates of the plug-in sums of all states.
struct PlugIn {
    /// Covariance of the sample. Shape `[d, d]`.
    covariance: Tensor<2>,
    /// Its trace, without gradient, or 1. Shape `[1, 1]`.
    unit: Tensor<2>,
    /// tr Σ_X² and (tr Σ_X)², in units of `unit`. Shape `[1, 1]`.
    frobenius: Tensor<2>,
    trace: Tensor<2>,
    /// 1 if the sample has at least four states, otherwise 0. Shape `[1, 1]`.
    exists: Tensor<2>,
}

impl PlugIn {
    fn new(sample: &Sample) -> Self {
        let Moments {
            count,
            mean,
            scatter,
        } = sample.rows.moments();
        let n: Tensor<2> = count.clone().unsqueeze();
        let population: Tensor<2> = sample.population.clone().cast(n.dtype()).unsqueeze();
        let population = population.max_pair(n.clone());
        let exists = n.clone().greater_equal_scalar(4.0).float().cast(n.dtype());
        let n = n.clamp_min(4.0);
        let large = population.clamp_min(4.0);

        let identity = crate::shrinkage::identity_like(&scatter);
        let trace_of =
            |matrix: &Tensor<2>| (matrix.clone() * identity.clone()).sum_dim(1).sum_dim(0);
        let sum_of_squares = |matrix: &Tensor<2>| matrix.clone().square().sum_dim(1).sum_dim(0);
        // The score does not depend on scale; a constant one keeps squares in range.
        let covariance = Moments {
            count,
            mean: mean.clone(),
            scatter: scatter.clone(),
        }
        .covariance();
        let unit = trace_of(&covariance).without_autodiff();
        let nothing = unit.clone().lower_equal_scalar(0.0);
        let unit = unit.mask_fill(nothing, 1.0);
        let products = scatter / unit.clone() / n.clone();
        let norms = sample.rows.squared_norms(mean) / unit.clone();
        let fourth = norms.square().sum_dim(1).sum_dim(0) / n.clone();
        // P²/n², Q/n and τ/n² follow; the powers of n cancel below.
        let square = sum_of_squares(&products) * n.clone();
        let trace = trace_of(&products).square() * n.clone();

        let [one, two, three] = [1.0, 2.0, 3.0].map(|less| n.clone() - less);
        let last = (trace.clone() + square.clone() * 2.0 - fourth.clone() * 6.0)
            / (one.clone() * two.clone() * three);
        let estimate = |sum: Tensor<2>| {
            (sum.clone() - fourth.clone()) / one.clone()
                - (fourth.clone() * 2.0 - sum) * 2.0 / (one.clone() * two.clone())
                + last.clone()
        };
        let (first, second) = (estimate(square.clone()), estimate(trace.clone()));
        let third = (n.clone() * fourth + trace + square * 2.0) / one / large.clone();
        let pairs = large.clone() * (large.clone() - 1.0);
        let less = large.clone() - 2.0;
        let frobenius = (less.clone().square() * first.clone() - less.clone() * second.clone())
            / pairs.clone()
            + third.clone();
        let trace = (less.clone() * (large - 1.0) * second - less * first * 2.0) / pairs + third;
        Self {
            covariance,
            unit,
            frobenius,
            trace,
            exists,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Distribution};

    use super::*;
    use crate::sequences::SequenceRows;

    /// tr Σ² and (tr Σ)² of the rows of a tensor as a sample of `population` states.
    fn sums(rows: Tensor<2>, population: f64) -> [f64; 2] {
        let device = rows.device();
        let plug_in = PlugIn::new(&Sample {
            rows: SequenceRows::from_layers(vec![rows.unsqueeze_dim(1)], None),
            population: Tensor::from_floats([population], &device),
        });
        let unit = plug_in.unit.into_scalar::<f64>();
        [plug_in.frobenius, plug_in.trace].map(|sum| sum.into_scalar::<f64>() * unit * unit)
    }

    fn plug_in(rows: Tensor<2>) -> [f64; 2] {
        let covariance = Moments::from_points(rows).covariance();
        let trace = (covariance.clone() * crate::shrinkage::identity_like(&covariance)).sum();
        let frobenius = covariance.square().sum().into_scalar::<f64>();
        [frobenius, trace.into_scalar::<f64>().powi(2)]
    }

    fn rows(n: usize) -> Tensor<2> {
        let device = Device::flex();
        device.seed(3);
        let rows = Tensor::<2>::random([n, 3], Distribution::Normal(1.0, 2.0), &device);
        rows.cast(DType::F64)
    }

    #[test]
    fn a_sample_of_all_states_has_the_plug_in_sums() {
        for n in [4, 7, 40] {
            let pairs = plug_in(rows(n)).into_iter().zip(sums(rows(n), n as f64));
            for (exact, found) in pairs {
                assert!(
                    (found - exact).abs() <= 1e-12 * exact,
                    "{n}: {found}, {exact}"
                );
            }
        }
    }

    #[test]
    fn the_mean_over_all_samples_is_the_plug_in_sum_of_all_states() {
        let (n, size) = (8, 5);
        let all = rows(n);
        let mut mean = [0.0; 2];
        let mut samples = 0.0;
        for chosen in 0_u32..1 << n {
            if chosen.count_ones() != size {
                continue;
            }
            let indices = (0..n as i64).filter(|row| chosen >> row & 1 == 1);
            let indices: Vec<i64> = indices.collect();
            let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &all.device());
            let found = sums(all.clone().select(0, indices), n as f64);
            mean.iter_mut()
                .zip(found)
                .for_each(|(mean, found)| *mean += found);
            samples += 1.0;
        }
        for (exact, found) in plug_in(all).into_iter().zip(mean) {
            let found = found / samples;
            assert!((found - exact).abs() <= 1e-11 * exact, "{found}, {exact}");
        }
    }
}
