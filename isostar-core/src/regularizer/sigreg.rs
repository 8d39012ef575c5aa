use burn::config::Config;
use burn::prelude::*;
use burn::tensor::TensorData;
use isostar_kernels::sum_of_rows;
use serde::{Deserialize, Serialize};

use super::estimate::ANOTHER;
use super::scorer::STATES;
use super::{
    Detail, Penalty, PooledRegularizer, Regularizer, Scores, Statistic, Statistics, StepContext,
};
use crate::sequences::{SequenceRows, sample};
use crate::stream::Stream;
use crate::{ConfigError, HiddenStates, LayerGroup, StateSelection};

/// The purpose of the stream of directions.
const DIRECTIONS: u64 = 1;

/// The published forms of the Epps–Pulley statistic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SigRegPreset {
    /// The paper: 17 points from −5 to 5, the trapezoidal rule.
    #[default]
    Paper,
    /// The authors' minimal example: 17 points from 0 to 3, doubled for the negative half.
    Minimal,
}

impl SigRegPreset {
    /// The points t ≥ 0 of the integral, with the weights of t and −t together, without e^(−t²/2).
    fn knots(self) -> Vec<(f64, f64)> {
        match self {
            // Symmetric in t: 8 points above 0 count twice, and 0 once.
            Self::Paper => {
                let step = 10.0 / 16.0;
                let weight = |at: usize| if at == 0 || at == 8 { step } else { 2.0 * step };
                (0..=8).map(|at| (at as f64 * step, weight(at))).collect()
            }
            Self::Minimal => {
                let step = 3.0 / 16.0;
                let weight = |at: usize| {
                    if at == 0 || at == 16 {
                        step
                    } else {
                        2.0 * step
                    }
                };
                (0..=16).map(|at| (at as f64 * step, weight(at))).collect()
            }
        }
    }
}

/// Settings of [`SigReg`].
#[derive(Config, Debug)]
pub struct SigRegConfig {
    /// The weight, any finite number. The default is 0.02, as in the authors' minimal example.
    #[config(default = 0.02)]
    pub weight: f64,
    /// The published form. The default is that of the paper.
    #[config(default = "SigRegPreset::Paper")]
    pub preset: SigRegPreset,
    /// The number M of random directions. The default is 256.
    #[config(default = 256)]
    pub slices: usize,
    /// The seed of the directions, which differ in every step.
    #[config(default = 1)]
    pub seed: u64,
    /// The number of states that a step draws, as by
    /// [`IsoScorer::with_sample`](super::IsoScorer::with_sample). The default 0 keeps all.
    #[config(default = 0)]
    pub tokens: usize,
    /// The states that are penalized. By default all layers except the embedding output, without
    /// padding.
    #[config(default = "StateSelection::default()")]
    pub states: StateSelection,
}

impl SigRegConfig {
    /// Creates the regularizer.
    ///
    /// # Errors
    /// If the weight is not finite or there is no direction.
    pub fn init(&self) -> Result<SigReg, ConfigError> {
        if !self.weight.is_finite() {
            return Err(ConfigError::Weight { value: self.weight });
        }
        if self.slices == 0 {
            return Err(ConfigError::NoSlices);
        }
        Ok(SigReg {
            settings: self.clone(),
        })
    }
}

/// Sketched isotropic Gaussian regularization: the projections of the states onto random directions
/// are to be standard normal.
///
/// ```text
///   penalty = weight·(1/M)·Σₘ T(aₘᵀx₁ … aₘᵀxₙ)        aₘ uniform on the unit sphere
///   T(y₁ … yₙ) = n·∫ |(1/n)·Σᵢ e^(itxᵢ) − e^(−t²/2)|²·e^(−t²/2) dt
/// ```
///
/// T is the Epps–Pulley statistic, by the trapezoidal rule of a [preset](SigRegPreset). Time O(n·d·M);
/// no tensor of the size of the points times M is kept for the backward pass beyond one. T grows with
/// n, so the weight means something else for another batch size.
///
/// The states are compared with *unit* variance in every direction. Where a layer normalizes its
/// states to unit norm, projections have a variance of 1/d, which the norm does not allow to change:
/// T stays near n·0.3 and its gradient near 0. `sigreg variance`, the mean variance of the
/// projections, is logged; below about 0.1, the penalty stalls.
///
/// # References
/// Balestriero & LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics" (2025), arXiv 2511.08544, Algorithm 1; Epps & Pulley, "A test for normality based on the empirical characteristic function" (1983).
#[derive(Clone, Debug)]
pub struct SigReg {
    settings: SigRegConfig,
}

impl SigReg {
    /// Unit vectors as columns, the same on every device. Shape `[d, M]`.
    fn directions(&self, d: usize, step: u64, like: &Tensor<2>) -> Tensor<2> {
        let slices = self.settings.slices;
        let numbers = Stream::new(self.settings.seed, step, DIRECTIONS).normal(d * slices);
        let options = (&like.device().without_autodiff(), like.dtype());
        let data = TensorData::new(numbers, [d, slices]).convert_dtype(like.dtype());
        let directions = Tensor::<2>::from_data(data, options);
        let norms = directions.clone().square().sum_dim(0).sqrt();
        directions / norms
    }

    /// Mean of T over the directions, with gradient, and the mean square of the projections. Shape
    /// `[1]` each.
    ///
    /// # Shapes
    /// - `points`: `[n, d]`
    /// - `weights`: `[n, 1]`, 1 where a point counts and 0 elsewhere
    fn statistic(&self, points: Tensor<2>, weights: Tensor<2>, step: u64) -> [Tensor<1>; 2] {
        let directions = self.directions(points.dims()[1], step, &points);
        let plain = points.clone().without_autodiff();
        let projections = plain.matmul(directions.clone());
        let count = weights.clone().sum_dim(0).clamp_min(1.0);
        let row = weights.clone().transpose() / count.clone();
        let mean = |values: Tensor<2>| sum_of_rows(row.clone(), values);

        let is_tracked = points.is_tracked();
        let mut statistic = None;
        let mut gradient = None;
        for (t, weight) in self.settings.preset.knots() {
            let normal = (-t * t / 2.0).exp();
            let angles = projections.clone() * t;
            let (cosine, sine) = (angles.clone().cos(), angles.sin());
            let real = mean(cosine.clone()) - normal;
            let imaginary = mean(sine.clone());
            let error = real.clone().square() + imaginary.clone().square();
            add(&mut statistic, error * (weight * normal));
            if is_tracked && t > 0.0 {
                let slope = cosine * imaginary - sine * real;
                add(&mut gradient, slope * (2.0 * t * weight * normal));
            }
        }
        let statistic = statistic.expect("there are knots") * count;
        let slices = self.settings.slices as f64;
        let value: Tensor<1> = (statistic.sum_dim(1) / slices).squeeze_dim(0);
        let squares = mean(projections.square()).sum_dim(1) / slices;
        let value = match gradient {
            // n·(1/n): the factor of the statistic and that of the mean cancel.
            Some(slope) => {
                let by_points = (slope * weights).matmul(directions.transpose()) / slices;
                let linear = (points * by_points).sum();
                value + (linear.clone() - linear.without_autodiff())
            }
            None => value,
        };
        [value, squares.squeeze_dim(0)]
    }
}

fn add(sum: &mut Option<Tensor<2>>, term: Tensor<2>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + term,
        None => term,
    });
}

impl Regularizer for SigReg {
    fn measure_name(&self) -> &str {
        "SIGReg"
    }

    fn states(&self) -> Option<&StateSelection> {
        Some(&self.settings.states)
    }

    fn pooled(&self) -> Option<&dyn PooledRegularizer> {
        Some(self)
    }

    fn penalty(&self, states: &HiddenStates, context: &StepContext) -> Penalty {
        let groups = self.settings.states.groups(states).into_iter();
        let groups = groups.map(|(group, _)| group).collect();
        self.penalty_of_groups(groups, self.rows(states, context), context)
    }
}

impl PooledRegularizer for SigReg {
    /// The states of each group of layers, or a sample of them.
    fn statistics(&self, states: &HiddenStates, context: &StepContext) -> Statistics {
        let rows = self.rows(states, context).into_iter();
        Statistics(
            rows.map(|rows| Statistic::States(rows.to_states()))
                .collect(),
        )
    }

    fn penalty_of(&self, statistics: &Statistics, context: &StepContext) -> Penalty {
        let rows = statistics.0.iter().map(|statistic| match statistic {
            Statistic::States(states) => SequenceRows::from_states(states),
            _ => panic!("{ANOTHER}"),
        });
        let rows: Vec<SequenceRows> = rows.collect();
        let groups = self.settings.states.layers.groups_of(rows.len());
        self.penalty_of_groups(groups, rows, context)
    }

    fn draws(&self) -> bool {
        self.settings.tokens > 0
    }
}

impl SigReg {
    /// The states of each group of layers, or a sample of them.
    fn rows(&self, states: &HiddenStates, context: &StepContext) -> Vec<SequenceRows> {
        let mask = self.settings.states.mask(states);
        let groups = self.settings.states.groups(states);
        let (number, tokens) = (groups.len(), self.settings.tokens);
        let rows = |(at, (_, layers)): (usize, (LayerGroup, Vec<&Tensor<3>>))| {
            let layers: Vec<Tensor<3>> = layers.into_iter().cloned().collect();
            let stream = Stream::new(self.settings.seed, context.step, STATES + at as u64);
            let drawn = (tokens > 0).then(|| (tokens / number).max(1));
            let drawn = drawn.and_then(|count| sample(&layers, mask, count, stream, context));
            let rows = drawn.map(|drawn| drawn.rows);
            rows.unwrap_or_else(|| SequenceRows::from_layers(layers, mask.cloned()))
        };
        groups.into_iter().enumerate().map(rows).collect()
    }

    fn penalty_of_groups(
        &self,
        groups: Vec<LayerGroup>,
        rows: Vec<SequenceRows>,
        context: &StepContext,
    ) -> Penalty {
        let statistics = rows.into_iter().map(|rows| {
            let (points, weights) = rows.flat();
            self.statistic(points, weights, context.step).into()
        });
        let (values, variances): (Vec<Tensor<1>>, Vec<Tensor<1>>) = statistics.unzip();
        let measures = Scores {
            groups,
            values,
            details: Vec::new(),
        };
        let variance = Tensor::cat(variances, 0).mean();
        Penalty::new(
            measures.weighted_sum() * self.settings.weight,
            measures.mean(),
        )
        .with_details([Detail::new("sigreg variance", variance)])
    }
}
