//! The unbiased estimator over pairs of different sequences.

use burn::prelude::*;

use super::rows::{CentredRows, Products, SequenceRows, or_one, total};
use crate::unbiased::LEAST_SHARE;

/// A score with gradient, and 1 where the estimate exists, otherwise 0. Shape `[1]` each.
#[derive(Clone, Debug)]
pub(crate) struct DisjointScore {
    pub score: Tensor<1>,
    pub exists: Tensor<1>,
}

/// IsoScore from U-statistics of tr Σ² and (tr Σ)² over tuples of different sequences.
///
/// With the rows xᵢ about their mean, Sₖ = Σ xᵢxᵢᵀ, sₖ = Σ xᵢ, tₖ = tr Sₖ, aₖ = ‖sₖ‖² over the nₖ
/// rows of sequence k, and sums over tuples of different sequences:
///
/// ```text
///   F̂ = Σ ⟨Sₖ, Sₗ⟩/N₂ − 2 Σ sₖᵀSₗsₘ/N₃ + Σ (sₖᵀsₗ)(sₘᵀsₒ)/N₄        N₂ = Σ nₖnₗ, N₃ = Σ nₖnₗnₘ, …
///   T̂ = Σ tₖtₗ/N₂     − 2 Σ tₗsₖᵀsₘ/N₃ + Σ (sₖᵀsₗ)(sₘᵀsₒ)/N₄
///   score = (T̂/F̂ − 1)/(d − 1)
/// ```
///
/// Because Σ sₖ = 0, the sums reduce to those over one sequence:
///
/// ```text
///   Σ ⟨Sₖ, Sₗ⟩ = ‖P‖² − Σ ‖Sₖ‖²           P = Σ Sₖ,  V = Σ sₖsₖᵀ,  A = tr V
///   Σ sₖᵀSₗsₘ  = 2 Σ sₖᵀSₖsₖ − ⟨P, V⟩
///   Σ (sₖᵀsₗ)(sₘᵀsₒ) = A² + 2‖V‖² − 6 Σ aₖ²
///   Σ tₖtₗ = (tr P)² − Σ tₖ²,  Σ tₗsₖᵀsₘ = 2 Σ tₖaₖ − A·tr P
/// ```
///
/// ‖Sₖ‖² and sₖᵀSₖsₖ come from the Gram matrix of a sequence, or from its d×d scatter where it has
/// more than d/2 rows. The gradient is in closed form, so the tape keeps one tensor of the size of the
/// rows. Where F̂ is below T̂/d, which no covariance reaches, the gradient is taken at F̂ = T̂/d, so
/// that it stays bounded.
///
/// With fewer than four sequences, or if F̂ or T̂ is at most 2⁻¹⁶ of the sum of its absolute terms,
/// there is no estimate: the score is 0 with zero gradient.
///
/// # Panics
/// If `d < 2`.
pub(crate) fn disjoint_isoscore(sequences: &SequenceRows) -> DisjointScore {
    let d = sequences.dims()[2];
    assert!(d >= 2, "a score needs at least two dimensions, got {d}");
    let sums = Sums::new(sequences.centred());
    let estimate = sums.estimate(d);
    let value = estimate.score.clone().reshape([1]);
    let exists = estimate.exists.clone().reshape([1]);
    let score = match sequences.is_tracked() {
        true => sequences.with_gradient(value, sums.gradient(&estimate)),
        false => value,
    };
    DisjointScore { score, exists }
}

/// The unbiased estimates of tr Σ² and (tr Σ)² over tuples of different sequences, and the IsoScore
/// that follows from them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DisjointEstimate {
    /// Estimate F̂ of tr Σ²; 0 with fewer than four sequences.
    pub trace_of_square: f64,
    /// Estimate T̂ of (tr Σ)²; 0 with fewer than four sequences.
    pub square_of_trace: f64,
    /// (T̂/F̂ − 1)/(d − 1); `None` with fewer than four sequences, or if F̂ or T̂ is at most 2⁻¹⁶ of
    /// the sum of its absolute terms. It may lie outside [0, 1].
    pub isoscore: Option<f64>,
}

/// Estimates tr Σ², (tr Σ)² and IsoScore without the bias of dependent states.
///
/// The states of one sequence depend on each other, so the estimates are means over pairs, triples
/// and quadruples of states of *different* sequences, in time n·d² and without a d×d matrix per
/// sequence unless a sequence has more than d/2 states. If all sequences have the same number of
/// states, both estimates are unbiased; otherwise their bias is of the order 1/K² of K sequences,
/// because the mean of all states is subtracted. The score is a ratio of the two, and its bias is of
/// the order of the relative variance of F̂. Not differentiable; see
/// [`Estimator::Unbiased`](crate::Estimator::Unbiased) for training.
///
/// # Shapes
/// - `states`: `[sequences, states, d]`, `d ≥ 2`
/// - `mask`: `[sequences, states]`, true at the states that count; `None` counts all
///
/// # Panics
/// If `d < 2`, or the shape of the mask does not match the states.
///
/// # References
/// Chen, Zhang & Zhong, "Tests for high-dimensional covariance matrices" (JASA 2010), with sequences
/// in the place of rows.
pub fn isoscore_disjoint(states: Tensor<3>, mask: Option<Tensor<2, Bool>>) -> DisjointEstimate {
    let sequences = SequenceRows::from_layers(vec![states.without_autodiff()], mask);
    let d = sequences.dims()[2];
    assert!(d >= 2, "a score needs at least two dimensions, got {d}");
    let sums = Sums::new(sequences.centred());
    let estimate = sums.estimate(d);
    let number = |tensor: Tensor<3>| tensor.into_scalar::<f64>();
    // σ²d, by which the sums are divided once for each factor of Σ.
    let unit = number(sums.size).powi(2);
    let count = number(sums.present) >= 4.0;
    let sum = |tensor: Tensor<3>| {
        if count {
            number(tensor) * unit * unit
        } else {
            0.0
        }
    };
    DisjointEstimate {
        trace_of_square: sum(estimate.frobenius),
        square_of_trace: sum(estimate.trace),
        isoscore: (number(estimate.exists) > 0.5).then(|| number(estimate.score)),
    }
}

/// The sums, for rows y = (x − m)/(σ√d) in units of the root mean square deviation, and divided by
/// the number n of rows, so that tr P = 1.
struct Sums {
    /// x − m, or 0 where a row does not count. Shape `[K, R, d]`.
    rows: Tensor<3>,
    weights: Tensor<3>,
    /// n and σ√d. Shape `[1, 1, 1]`.
    count: Tensor<3>,
    size: Tensor<3>,
    /// P/n. Shape `[1, d, d]`.
    scatter: Tensor<3>,
    products: Products,
    /// sₖ/n. Shape `[K, 1, d]`.
    totals: Tensor<3>,
    /// V/n². Shape `[1, d, d]`.
    spread: Tensor<3>,
    /// yᵢᵀsₖ/n. Shape `[K, R, 1]`.
    projections: Tensor<3>,
    /// tₖ/n and aₖ/n². Shape `[K, 1, 1]`.
    traces: Tensor<3>,
    squares: Tensor<3>,
    /// Number of sequences with rows. Shape `[1, 1, 1]`.
    present: Tensor<3>,
    /// nₖ/n. Shape `[K, 1, 1]`.
    shares: Tensor<3>,
    /// N₂/n², N₃/n³, N₄/n⁴. Shape `[1, 1, 1]`.
    pairs: [Tensor<3>; 3],
}

/// The estimate, and the derivatives of the score by T̂ and F̂. Shape `[1, 1, 1]` each.
struct Estimate {
    score: Tensor<3>,
    exists: Tensor<3>,
    /// F̂ and T̂.
    frobenius: Tensor<3>,
    trace: Tensor<3>,
    by_trace: Tensor<3>,
    by_frobenius: Tensor<3>,
}

/// Σ over tuples of 2, 3 and 4 different entries of the shares, `[K, 1, 1]`, by elementary symmetric
/// polynomials, whose terms are all positive.
fn tuples(shares: &Tensor<3>) -> [Tensor<3>; 3] {
    let mut last = shares.clone();
    [2.0, 6.0, 24.0].map(|orders| {
        // Sums over the entries before each one.
        last = (last.clone().cumsum(0) - last.clone()).clamp_min(0.0) * shares.clone();
        last.clone().sum_dim(0) * orders
    })
}

impl Sums {
    fn new(centred: CentredRows) -> Self {
        let CentredRows {
            rows,
            weights,
            counts,
            count,
            products,
            scatter,
            trace,
            varies,
        } = centred;
        let size = (trace.clone() / count.clone()).sqrt();
        let unit = size.clone() * count.clone();
        let totals = rows.clone().sum_dim(1) / unit;
        let flat: Tensor<2> = totals.clone().squeeze_dim(1);
        let spread = flat.clone().transpose().matmul(flat);
        let projections = match &products {
            Products::Gram(gram) => gram.clone().sum_dim(2),
            Products::Scatter(_) => {
                rows.clone().matmul(totals.clone().swap_dims(1, 2)) / size.clone()
            }
        };
        // tr Sₖ is that of either product.
        let traces = match &products {
            Products::Gram(products) | Products::Scatter(products) => {
                let [_, n, _] = products.dims();
                let diagonal = Tensor::<2>::eye(n, &products.device()).cast(products.dtype());
                (products.clone() * diagonal.unsqueeze())
                    .sum_dim(2)
                    .sum_dim(1)
            }
        };
        // States without variance have no estimate, as if there were no sequences.
        let present = counts.clone().greater_scalar(0.0).float().sum_dim(0) * varies.float();
        let shares = counts / count.clone();
        Self {
            traces,
            squares: totals.clone().square().sum_dim(2),
            present,
            pairs: tuples(&shares),
            shares,
            scatter: scatter / trace,
            rows,
            weights,
            count,
            size,
            products,
            totals,
            spread: spread.unsqueeze(),
            projections,
        }
    }

    fn estimate(&self, d: usize) -> Estimate {
        let own = match &self.products {
            Products::Gram(products) | Products::Scatter(products) => {
                total(products.clone().square())
            }
        };
        let cubes = total(self.projections.clone().square()) / self.count.clone();
        let between = total(self.squares.clone());
        let across = total(self.scatter.clone() * self.spread.clone());
        let mixed = total(self.traces.clone() * self.squares.clone());
        let fourth = between.clone().square() + total(self.spread.clone().square()) * 2.0
            - total(self.squares.clone().square()) * 6.0;
        let fourth_size = between.clone().square()
            + total(self.spread.clone().square()) * 2.0
            + total(self.squares.clone().square()) * 6.0;
        let frobenius = total(self.scatter.clone().square());
        let own_traces = total(self.traces.clone().square());
        let trace = total(self.traces.clone());
        let trace_squared = trace.clone().square();
        let [pairs, triples, quadruples] = self.pairs.clone().map(or_one);

        let combine = |second: Tensor<3>, third: Tensor<3>, fourth: Tensor<3>| {
            second / pairs.clone() - third * 2.0 / triples.clone() + fourth / quadruples.clone()
        };
        let size =
            |second: Tensor<3>, third: Tensor<3>| combine(second, third.neg(), fourth_size.clone());
        let f = combine(
            frobenius.clone() - own.clone(),
            cubes.clone() * 2.0 - across.clone(),
            fourth.clone(),
        );
        let f_size = size(frobenius + own, cubes * 2.0 + across);
        let t = combine(
            trace_squared.clone() - own_traces.clone(),
            mixed.clone() * 2.0 - between.clone() * trace.clone(),
            fourth,
        );
        let t_size = size(trace_squared + own_traces, mixed * 2.0 + between * trace);

        let exists = self.present.clone().greater_equal_scalar(4.0).float()
            * f.clone().greater(f_size * LEAST_SHARE).float()
            * t.clone().greater(t_size * LEAST_SHARE).float();
        let exists = exists.cast(f.dtype());
        let none = exists.clone().lower_scalar(0.5);
        let (frobenius, trace) = (f.clone(), t.clone());
        let [f, t] = [f, t].map(|sum| sum.mask_fill(none.clone(), 1.0));
        let others = (d - 1) as f64;
        let score = (t.clone() / f.clone() - 1.0) * exists.clone() / others;
        let bounded = f.max_pair(t.clone() / d as f64);
        Estimate {
            score,
            frobenius,
            trace,
            by_trace: exists.clone() / (bounded.clone() * others),
            by_frobenius: exists.clone().neg() * t / (bounded.square() * others),
            exists,
        }
    }

    /// ∂score/∂x. Shape `[K, R, d]`.
    fn gradient(&self, estimate: &Estimate) -> Tensor<3> {
        let [pairs, triples, quadruples] = self.pairs.clone().map(or_one);
        let (alpha, beta) = (estimate.by_trace.clone(), estimate.by_frobenius.clone());
        let between = total(self.squares.clone());
        let trace = total(self.traces.clone());

        // Terms that are the same for all rows of a sequence, [K, 1, d].
        let totals = self.totals.clone();
        let own = match &self.products {
            Products::Gram(_) => {
                let weighted = self.projections.clone().swap_dims(1, 2);
                weighted.matmul(self.rows.clone()) / (self.count.clone() * self.size.clone())
            }
            Products::Scatter(scatter) => totals.clone().matmul(scatter.clone()),
        };
        let fourth = (totals.clone() * between.clone() + times(&totals, &self.spread) * 2.0
            - totals.clone() * self.squares.clone() * 6.0)
            * 4.0
            / quadruples;
        let third = (own.clone() * 2.0 - times(&totals, &self.scatter)) * -4.0 / triples.clone();
        let third_trace =
            totals.clone() * (self.traces.clone() * 2.0 - trace.clone()) * -4.0 / triples.clone();
        let constant =
            (third + fourth.clone()) * beta.clone() + (third_trace + fourth) * alpha.clone();

        // Terms in the row itself, [K, 1, 1], [1, d, d] and [1, 1, 1].
        let factor = ((trace - self.traces.clone()) / pairs.clone()
            + (between - self.squares.clone() * 2.0) / triples.clone())
            * alpha
            * 4.0;
        let matrix = (self.scatter.clone() / pairs.clone() + self.spread.clone() / triples.clone())
            * (beta.clone() * 4.0);
        let own_factor = beta.clone() * -4.0 / pairs;
        let along = beta * -8.0 / triples;

        // The mean of the rows moves with each of them: the mean gradient is subtracted. Σ yᵢ = 0, so
        // that the matrix has no part in it.
        let sum = totals.clone() * factor.clone()
            + own.clone() * own_factor.clone()
            + totals.clone() * self.squares.clone() * along.clone()
            + constant.clone() * self.shares.clone();
        let constant = constant - sum.sum_dim(0);

        let unit = self.size.clone();
        let matrix = matrix / unit.clone();
        let own_factor = own_factor / unit.clone();
        let product = match &self.products {
            Products::Gram(gram) => {
                times(&self.rows, &matrix) + gram.clone().matmul(self.rows.clone()) * own_factor
            }
            Products::Scatter(scatter) => self
                .rows
                .clone()
                .matmul(scatter.clone() * own_factor + matrix),
        };
        // The terms along sₖ and the constant ones, as one product of rank two.
        let left = Tensor::cat(
            vec![self.projections.clone() * along, self.weights.clone()],
            2,
        );
        let right = Tensor::cat(vec![totals, constant], 1);
        let scale = (self.count.clone() * unit.clone()).recip();
        self.rows.clone() * (factor / unit * scale.clone()) + (product + left.matmul(right)) * scale
    }
}

/// Rows `[K, R, d]` times one matrix `[1, d, d]`, as a single product.
fn times(rows: &Tensor<3>, matrix: &Tensor<3>) -> Tensor<3> {
    let [sequences, length, d] = rows.dims();
    let flat: Tensor<2> = rows.clone().reshape([sequences * length, d]);
    let matrix: Tensor<2> = matrix.clone().squeeze_dim(0);
    flat.matmul(matrix).reshape([sequences, length, d])
}
