use burn::prelude::*;
use isostar_kernels::moments;

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

/// The rows about their mean, zero where they do not count, without gradient.
pub(crate) struct CentredRows {
    /// x − m, or 0. Shape `[sequences, rows, d]`.
    pub rows: Tensor<3>,
    /// 1 or 0. Shape `[sequences, rows, 1]`.
    pub weights: Tensor<3>,
    /// Number nₖ of rows of each sequence. Shape `[sequences, 1, 1]`.
    pub counts: Tensor<3>,
    /// Number of all rows, at least 1. Shape `[1, 1, 1]`.
    pub count: Tensor<3>,
    /// Scatter about the mean, Σᵢ (xᵢ − m)(xᵢ − m)ᵀ. Shape `[d, d]`.
    pub scatter: Tensor<2>,
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
        let rows: Vec<Tensor<3>> = self.parts.clone();
        let rows = match rows.len() {
            1 => rows.into_iter().next().expect("one part"),
            _ => Tensor::cat(rows, 1),
        };
        Moments::from_sequences(rows, self.mask.clone())
    }

    /// All rows, with gradient, and 1 where a row counts, otherwise 0. Shapes `[n, d]` and `[n, 1]`.
    pub fn flat(&self) -> (Tensor<2>, Tensor<2>) {
        let [sequences, rows, d] = self.dims();
        let n = sequences * rows;
        let points = Tensor::cat(self.parts.clone(), 1).reshape([n, d]);
        let options = (&points.device().without_autodiff(), points.dtype());
        let weights: Tensor<2> = match &self.mask {
            Some(mask) => mask.clone().float().cast(options.1).reshape([n, 1]),
            None => Tensor::ones([n, 1], options),
        };
        (points, weights)
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
    pub fn centred(&self) -> CentredRows {
        let [sequences, rows, d] = self.dims();
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
        let flat = points.clone().reshape([sequences * rows, d]);
        let mask = self
            .mask
            .clone()
            .map(|mask| mask.reshape([sequences * rows]));
        let (count, mean, scatter) = moments(vec![flat], mask);
        let count: Tensor<3> = count.clamp_min(1.0).unsqueeze();
        let centred = points - mean.unsqueeze();
        let centred = match self.mask {
            Some(_) => centred * weights.clone(),
            None => centred,
        };
        CentredRows {
            rows: centred,
            counts: weights.clone().sum_dim(1),
            weights,
            count,
            scatter,
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
