//! Shrinkage weights estimated from a batch.

use burn::prelude::*;

use super::rows::{CentredRows, Products, SequenceRows, or_one, total};

/// The Ledoit–Wolf weight of a target T, with the variance estimated over sequences. Shape `[1]`,
/// in [0, 1], without gradient.
///
/// ```text
///   ζ = Σᵢⱼ Var(Sᵢⱼ)/Σᵢⱼ (Sᵢⱼ − Tᵢⱼ)²        S = P/(n − 1),  P = Σ Sₖ
///   Σᵢⱼ Var(Sᵢⱼ) = (K − 1)/K · Σₖ ‖S₍₋ₖ₎ − S‖²
/// ```
///
/// S₍₋ₖ₎ is the covariance without sequence k, and K the number of sequences that have rows: the
/// jackknife, which sees that the mean is estimated, too. With the scatter Sₖ and the sum sₖ of the nₖ
/// rows of sequence k about the mean of all n rows,
///
/// ```text
///   S₍₋ₖ₎ − S = −(Sₖ + sₖsₖᵀ/(n − nₖ) − nₖP/(n − 1))/(n − nₖ − 1)
/// ```
///
/// For one row per sequence, the variance is ((n − 1)/(n − 2))² times that of Schäfer & Strimmer.
/// With fewer than two sequences, there is no variance to estimate, and ζ = 1.
///
/// # Shapes
/// - `target`: `[d, d]`
///
/// # References
/// Ledoit & Wolf, "Improved estimation of the covariance matrix of stock returns" (2003); Schäfer &
/// Strimmer, "A shrinkage approach to large-scale covariance matrix estimation" (2005); Efron &
/// Stein, "The jackknife estimate of variance" (1981).
pub(crate) fn ledoit_wolf(sequences: &SequenceRows, target: &Tensor<2>) -> Tensor<1> {
    // In units of the root mean square deviation σ√d, so that squares of products stay in range; sums
    // are divided by n.
    let CentredRows {
        rows,
        counts,
        count,
        products,
        scatter,
        trace,
        ..
    } = sequences.centred();
    let of_sequence = |tensor: Tensor<3>| tensor.sum_dim(2).sum_dim(1);
    let size = (trace.clone() / count.clone()).sqrt();
    let unit = count.clone() / trace.clone();
    let scatter = scatter / trace;
    let times = |rows: &Tensor<3>| {
        let [number, length, d] = rows.dims();
        let flat: Tensor<2> = rows.clone().reshape([number * length, d]);
        let product = flat.matmul(scatter.clone().squeeze_dim::<2>(0));
        product.reshape([number, length, d])
    };
    let (own, along) = match products {
        Products::Gram(products) => {
            let along = times(&rows) * rows.clone();
            let along = of_sequence(along) / (count.clone() * size.clone().square());
            (of_sequence(products.square()), along)
        }
        Products::Scatter(products) => {
            let along = of_sequence(products.clone() * scatter.clone());
            (of_sequence(products.square()), along)
        }
    };
    let totals = rows.clone().sum_dim(1) / (count.clone() * size.clone());
    let projections = rows.matmul(totals.clone().swap_dims(1, 2)) / size;
    let own_totals = of_sequence(projections.square()) / count.clone();
    let along_totals = of_sequence(times(&totals) * totals.clone());
    let squares = of_sequence(totals.square());

    // ‖Sₖ + sₖsₖᵀ/(n − nₖ) − nₖP/(n − 1)‖²/n², term by term.
    let shares = counts.clone() / count.clone();
    let rest = or_one(shares.clone().neg() + 1.0);
    let others = (count.clone() - 1.0).clamp_min(1.0) / count.clone();
    let mine = shares.clone() / others.clone();
    let square = total(scatter.clone().square());
    let deviations = own + own_totals * 2.0 / rest.clone() + (squares / rest.clone()).square()
        - mine.clone() * (along + along_totals / rest) * 2.0
        + mine.square() * square;
    let without = or_one(shares.neg() + 1.0 - count.recip());
    let present = counts.greater_scalar(0.0).float();
    let number = total(present.cast(deviations.dtype()));
    let variance = total(deviations / without.square()) * (number.clone() - 1.0)
        / number.clone().clamp_min(1.0);

    let target: Tensor<3> = target.clone().unsqueeze();
    let distance = total((scatter / others - target * unit).square());
    let equal = distance.clone().lower_equal_scalar(0.0);
    let weight = variance / distance.mask_fill(equal.clone(), 1.0);
    let weight = weight.mask_fill(equal, 1.0).clamp(0.0, 1.0);
    let weight = weight.mask_fill(number.lower_scalar(1.5), 1.0);
    weight.reshape([1])
}

/// The weight of the scaled identity by the oracle approximating shrinkage, for n independent
/// Gaussian rows. Shape `[1]`, in [0, 1], without gradient.
///
/// ```text
///   ζ = ((1 − 2/d)·tr S² + (tr S)²)/((n + 1 − 2/d)·(tr S² − (tr S)²/d))        S = P/n
/// ```
///
/// # Shapes
/// - `count`: `[1]`
/// - `scatter`: `[d, d]`, P
///
/// # References
/// Chen, Wiesel, Eldar & Hero, "Shrinkage algorithms for MMSE covariance estimation" (2010), eq. 23.
pub(crate) fn oracle_approximating(count: &Tensor<1>, scatter: &Tensor<2>) -> Tensor<1> {
    let scatter = scatter.clone().without_autodiff();
    let d = scatter.dims()[0] as f64;
    let count: Tensor<2> = count.clone().without_autodiff().unsqueeze();
    let identity = Tensor::<2>::eye(d as usize, &scatter.device()).cast(scatter.dtype());
    let trace = (scatter.clone() * identity.clone()).sum_dim(1).sum_dim(0);
    let nothing = trace.clone().lower_equal_scalar(0.0);
    // Shares of the trace: the weight does not depend on scale.
    let shares = scatter / trace.mask_fill(nothing, 1.0);
    let squares = shares.clone().square().sum_dim(1).sum_dim(0);
    // tr S² − (tr S)²/d as the squared distance to the identity, which is not negative.
    let distance = (shares - identity / d).square().sum_dim(1).sum_dim(0);
    let numerator = squares * (1.0 - 2.0 / d) + 1.0;
    let denominator = (count + (1.0 - 2.0 / d)) * distance;
    let none = denominator.clone().lower_equal_scalar(0.0);
    let weight = numerator / denominator.mask_fill(none.clone(), 1.0);
    weight.mask_fill(none, 1.0).clamp(0.0, 1.0).reshape([1])
}
