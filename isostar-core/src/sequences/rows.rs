use burn::prelude::*;
use burn::tensor::DType;
use isostar_kernels::{moments, sum_of_rows};

use super::states::SequenceStates;
use crate::moments::{Moments, widen};

/// The states of a group of layers, sequence by sequence.
///
/// The states of all layers of a sequence belong together, because they depend on each other.
#[derive(Clone, Debug)]
pub(crate) struct SequenceRows {
    /// Shape `[sequences, rows of the part, d]` each, in f32 or f64.
    parts: Vec<Tensor<3>>,
    /// True at the rows that count. Shape `[sequences, rows]`.
    mask: Option<Tensor<2, Bool>>,
}

/// The rows about their mean, zero where they do not count, and their products, without gradient.
pub(crate) struct CentredRows {
    /// x − m, or 0. Shape `[sequences, rows, d]`.
    pub rows: Tensor<3>,
    /// 1 or 0. Shape `[sequences, rows, 1]`.
    pub weights: Tensor<3>,
    /// Number nₖ of rows of each sequence. Shape `[sequences, 1, 1]`.
    pub counts: Tensor<3>,
    /// Number of all rows, at least 1. Shape `[1, 1, 1]`.
    pub count: Tensor<3>,
    /// Products of the rows of each sequence.
    pub products: Products,
    /// Scatter P about the mean, Σᵢ (xᵢ − m)(xᵢ − m)ᵀ. Shape `[1, d, d]`.
    pub scatter: Tensor<3>,
    /// tr P, or 1 if it is 0. Shape `[1, 1, 1]`.
    pub trace: Tensor<3>,
    /// Whether the rows vary by more than the rounding of their mean. Shape `[1, 1, 1]`.
    pub varies: Tensor<3, Bool>,
}

/// The products of the rows of each sequence, divided by tr P.
pub(crate) enum Products {
    /// XₖXₖᵀ/tr P, shape `[K, R, R]`.
    Gram(Tensor<3>),
    /// Sₖ/tr P = XₖᵀXₖ/tr P, shape `[K, d, d]`.
    Scatter(Tensor<3>),
}

/// Σ over everything, row sums first: a single long f32 sum loses precision. Shape `[1, 1, 1]`.
pub(super) fn total(tensor: Tensor<3>) -> Tensor<3> {
    tensor.sum_dim(2).sum_dim(1).sum_dim(0)
}

/// `tensor` where it is positive, otherwise 1.
pub(super) fn or_one(tensor: Tensor<3>) -> Tensor<3> {
    let none = tensor.clone().lower_equal_scalar(0.0);
    tensor.mask_fill(none, 1.0)
}

impl SequenceRows {
    /// All states of these layers.
    ///
    /// # Shapes
    /// - `layers`: `[sequences, tokens, d]` each
    /// - `mask`: `[sequences, tokens]`, true at the states that count
    ///
    /// # Panics
    /// If there is no layer, or the shapes differ.
    pub fn from_layers(layers: Vec<Tensor<3>>, mask: Option<Tensor<2, Bool>>) -> Self {
        let count = layers.len();
        let mask = mask.map(|mask| match count {
            1 => mask,
            count => mask.repeat_dim(1, count),
        });
        Self::from_parts(layers, mask)
    }

    /// Rows of several parts, of which `mask` says which ones count.
    ///
    /// # Shapes
    /// - `parts`: `[sequences, rows of the part, d]` each
    /// - `mask`: `[sequences, rows of all parts]`
    ///
    /// # Panics
    /// If there is no part, or the shapes differ.
    pub fn from_parts(parts: Vec<Tensor<3>>, mask: Option<Tensor<2, Bool>>) -> Self {
        let [sequences, _, d] = parts.first().expect("at least one part").dims();
        for part in &parts {
            let [n, _, width] = part.dims();
            assert_eq!([n, width], [sequences, d], "parts of different shapes");
        }
        let rows: usize = parts.iter().map(|part| part.dims()[1]).sum();
        if let Some(mask) = &mask {
            assert_eq!(
                mask.dims(),
                [sequences, rows],
                "the mask must be [sequences, rows]"
            );
        }
        Self {
            parts: parts.into_iter().map(widen).collect(),
            mask: mask.map(Tensor::without_autodiff),
        }
    }

    /// These states; at least one sequence.
    pub fn from_states(states: &SequenceStates) -> Self {
        let mask = states.counted.clone().greater_scalar(0.5);
        Self::from_parts(vec![states.states.clone()], Some(mask))
    }

    /// All rows in one tensor, with gradient.
    pub fn to_states(&self) -> SequenceStates {
        let [sequences, rows, _] = self.dims();
        let states = match &self.parts[..] {
            [part] => part.clone(),
            parts => Tensor::cat(parts.to_vec(), 1),
        };
        let options = (&states.device().without_autodiff(), states.dtype());
        let counted: Tensor<2> = match &self.mask {
            Some(mask) => mask.clone().float().cast(options.1),
            None => Tensor::ones([sequences, rows], options),
        };
        SequenceStates { states, counted }
    }

    /// The number of sequences, rows per sequence, and the width.
    pub fn dims(&self) -> [usize; 3] {
        let [sequences, _, d] = self.parts[0].dims();
        let rows = self.parts.iter().map(|part| part.dims()[1]).sum();
        [sequences, rows, d]
    }

    /// Whether a part has a gradient.
    pub fn is_tracked(&self) -> bool {
        self.parts.iter().any(|part| part.is_tracked())
    }

    /// The moments of the rows that count, with gradient.
    pub fn moments(&self) -> Moments {
        Moments::from_sequences(self.to_states().states, self.mask.clone())
    }

    /// All rows, with gradient, and 1 where a row counts, otherwise 0. Shapes `[n, d]` and `[n, 1]`.
    pub fn flat(&self) -> (Tensor<2>, Tensor<2>) {
        let [sequences, rows, d] = self.dims();
        let n = sequences * rows;
        let SequenceStates { states, counted } = self.to_states();
        (states.reshape([n, d]), counted.reshape([n, 1]))
    }

    /// ‖xᵢ − m‖² of the rows that count, 0 of the others, with gradient. Shape `[sequences, rows]`.
    ///
    /// Shape of `mean`: `[d]`.
    pub fn squared_norms(&self, mean: Tensor<1>) -> Tensor<2> {
        let parts = self.parts.iter().map(|part| {
            let offsets = part.clone() - mean.clone().unsqueeze();
            offsets.square().sum_dim(2).squeeze_dim(2)
        });
        let norms: Tensor<2> = Tensor::cat(parts.collect(), 1);
        match &self.mask {
            Some(mask) => norms.mask_fill(mask.clone().bool_not(), 0.0),
            None => norms,
        }
    }

    /// The rows about their mean.
    ///
    /// Sequences of more than d/2 rows have d×d products, whose sum is P: with at most twice as many
    /// numbers as the rows, they save the products with P and with the Gram matrices. Other sequences
    /// have Gram matrices, smaller than the rows.
    pub fn centred(&self) -> CentredRows {
        let [sequences, rows, d] = self.dims();
        let n = sequences * rows;
        let parts: Vec<Tensor<3>> = self
            .parts
            .iter()
            .map(|part| part.clone().without_autodiff())
            .collect();
        let points = match parts.len() {
            1 => parts.into_iter().next().expect("one part"),
            _ => Tensor::cat(parts, 1),
        };
        let options = (&points.device(), points.dtype());
        let weights: Tensor<3> = match &self.mask {
            Some(mask) => mask.clone().float().cast(options.1).unsqueeze_dim(2),
            None => Tensor::ones([sequences, rows, 1], options),
        };
        let flat = points.clone().reshape([n, d]);
        let counts = weights.clone().sum_dim(1);
        let count = counts.clone().sum_dim(0).clamp_min(1.0);
        let centre = |points: Tensor<3>, mean: Tensor<3>| {
            let centred = points - mean;
            match self.mask {
                Some(_) => centred * weights.clone(),
                None => centred,
            }
        };
        let transposed = |rows: &Tensor<3>| rows.clone().swap_dims(1, 2);
        let diagonal: Tensor<3> = Tensor::<2>::eye(d, &points.device())
            .cast(options.1)
            .unsqueeze();
        let trace_of = |scatter: &Tensor<3>| or_one(total(scatter.clone() * diagonal.clone()));
        let (rows, products, scatter, trace, noise) = if 2 * rows > d {
            let row: Tensor<2> = weights.clone().reshape([1, n]);
            let mean: Tensor<3> = sum_of_rows(row, flat).unsqueeze_dim::<3>(0) / count.clone();
            // Rows that are all equal differ from their mean by its rounding.
            let rounding = if options.1 == DType::F64 {
                2f64.powi(-49)
            } else {
                2f64.powi(-20)
            };
            let noise = total((mean.clone() * rounding).square()) * count.clone();
            let rows = centre(points, mean);
            let products = transposed(&rows).matmul(rows.clone());
            let scatter = products.clone().sum_dim(0);
            let trace = trace_of(&scatter);
            let products = Products::Scatter(products / trace.clone());
            (rows, products, scatter, trace, noise)
        } else {
            let mask = self.mask.clone().map(|mask| mask.reshape([n]));
            let (_, mean, scatter) = moments(vec![flat], mask);
            let rows = centre(points, mean.unsqueeze());
            let scatter: Tensor<3> = scatter.unsqueeze();
            let trace = trace_of(&scatter);
            let products = Products::Gram(rows.clone().matmul(transposed(&rows)) / trace.clone());
            let noise = trace.zeros_like();
            (rows, products, scatter, trace, noise)
        };
        CentredRows {
            rows,
            counts,
            weights,
            count,
            products,
            scatter,
            varies: trace.clone().greater(noise),
            trace,
        }
    }

    /// `value` as a function of the rows with this gradient, which is exact for the first
    /// derivative.
    ///
    /// # Shapes
    /// - `value`: `[1]`, without gradient
    /// - `gradient`: `[sequences, rows, d]`
    pub fn with_gradient(&self, value: Tensor<1>, gradient: Tensor<3>) -> Tensor<1> {
        let mut start = 0;
        let mut score = value;
        for part in &self.parts {
            let rows = part.dims()[1];
            let share = gradient.clone().narrow(1, start, rows);
            start += rows;
            if part.is_tracked() {
                let linear = (part.clone() * share).sum();
                score = score + (linear.clone() - linear.without_autodiff());
            }
        }
        score
    }
}
