//! The geometry of hidden states while a model trains, on sampled tokens.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::prelude::*;
use burn::tensor::{DType, TensorReadError};
use isostar_core::{HiddenStates, Stream, isoscore_disjoint};
use serde::{Deserialize, Serialize};

/// Settings of [`Hook::monitor`](super::Hook::monitor).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Number of steps from one measurement to the next; the first step of a training is measured.
    /// 50 by default.
    pub every: u64,
    /// Largest number of states per layer, drawn from the tokens of the batch, the same in every
    /// layer. 256 by default.
    pub states: usize,
    /// Seed of the draws, which also follow from the step. 0 by default.
    pub seed: u64,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            every: 50,
            states: 256,
            seed: 0,
        }
    }
}

/// The geometry of the layers in one training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepGeometry {
    /// Step of the training, from 1.
    pub step: u64,
    /// The layers, first to last, without the embedding output.
    pub layers: Vec<LayerGeometry>,
}

/// The geometry of the sampled states x of a layer. With Σ their sample covariance:
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerGeometry {
    /// Number of states.
    pub states: usize,
    /// tr Σ.
    pub trace: f64,
    /// ‖Σ‖_F².
    pub frobenius_squared: f64,
    /// Mean of ‖x‖.
    pub mean_norm: f64,
    /// IsoScore from states of different sequences, see [`isoscore_disjoint`]: the likeness of the
    /// tokens of a sequence does not bias it, and it may leave [0, 1]. `None` if no estimate exists.
    pub isoscore: Option<f64>,
    /// Effective rank of Σ, at most the number of states less one; `None` without variance, or
    /// without the feature `experiment`.
    pub effective_rank: Option<f64>,
    /// Dimension of the largest variance, from 0.
    pub outlier_dimension: usize,
    /// Its share of the variance; 0 without variance.
    pub outlier_share: f64,
}

/// Receives each measurement.
pub(super) type Sink = Box<dyn Fn(&StepGeometry) + Send + Sync>;

/// Keeps the draws apart from those of a regularizer with the same seed.
const GEOMETRY: u64 = u64::MAX;

/// Measures every few steps, and passes the result on.
pub(super) struct Monitor {
    config: MonitorConfig,
    sink: Sink,
    is_skip_reported: AtomicBool,
}

impl Monitor {
    pub fn new(config: MonitorConfig, sink: Sink) -> Self {
        Self {
            config,
            sink,
            is_skip_reported: AtomicBool::new(false),
        }
    }

    /// Notes that a step of several devices is not measured; returns whether it is the first.
    pub fn skip(&self) -> bool {
        !self.is_skip_reported.swap(true, Ordering::SeqCst)
    }

    /// Measures the states of a step if it is due. `step` is the number of steps before it.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn step(&self, step: u64, states: &HiddenStates) -> Result<(), TensorReadError> {
        if !step.is_multiple_of(self.config.every.max(1)) {
            return Ok(());
        }
        let places = self.draw(step, states)?;
        if places.len() < 2 {
            return Ok(());
        }
        let layers = states.layers.iter();
        let layers = layers.map(|layer| LayerGeometry::of(layer, &places));
        let layers = layers.collect::<Result<_, _>>()?;
        let step = step + 1;
        (self.sink)(&StepGeometry { step, layers });
        Ok(())
    }

    /// Draws positions of tokens, in ascending order, each counted over sequences and tokens.
    fn draw(&self, step: u64, states: &HiddenStates) -> Result<Vec<usize>, TensorReadError> {
        let tokens: Vec<usize> = match (&states.mask, states.layers.first()) {
            (Some(mask), _) => {
                let mask = mask.clone().int().try_into_data()?;
                let is_token = mask
                    .iter::<i64>()
                    .enumerate()
                    .filter(|(_, token)| *token != 0);
                is_token.map(|(place, _)| place).collect()
            }
            (None, Some(layer)) => (0..layer.dims()[0] * layer.dims()[1]).collect(),
            (None, None) => Vec::new(),
        };
        let stream = Stream::new(self.config.seed, step, GEOMETRY);
        let drawn = stream.sample(tokens.len(), self.config.states);
        Ok(drawn.into_iter().map(|place| tokens[place]).collect())
    }
}

impl LayerGeometry {
    /// Measures the states at these places of a layer, shape `[sequences, tokens, d]`.
    fn of(layer: &Tensor<3>, places: &[usize]) -> Result<Self, TensorReadError> {
        let [sequences, tokens, d] = layer.dims();
        let device = layer.device().without_autodiff();
        let indices: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &device);
        let layer = layer.clone().without_autodiff();
        let points: Tensor<2> = layer.reshape([sequences * tokens, d]).select(0, indices);
        let points = match points.dtype() {
            DType::F64 => points,
            _ => points.cast(DType::F32),
        };
        let read = |tensor: Tensor<1>| tensor.try_into_vec_as::<f64>();
        let n = places.len();
        let norms = read(points.clone().square().sum_dim(1).sqrt().reshape([n]))?;
        let centred = points.clone() - points.clone().mean_dim(0);
        let squares = read(centred.clone().square().sum_dim(0).reshape([d]))?;
        let products = centred.clone().matmul(centred.clone().transpose());
        let products = products.try_into_data()?;

        let of_sequence: Vec<usize> = places.iter().map(|place| place / tokens).collect();
        let degrees = n as f64 - 1.0;
        let total: f64 = squares.iter().sum();
        let frobenius: f64 = products
            .iter::<f64>()
            .map(|product| product * product)
            .sum();
        let outlier_dimension = largest(&squares);
        let has_variance = total > 0.0;
        Ok(Self {
            states: n,
            trace: total / degrees,
            frobenius_squared: frobenius / degrees / degrees,
            mean_norm: norms.iter().sum::<f64>() / n as f64,
            isoscore: isoscore(points, &of_sequence),
            effective_rank: effective_rank(centred),
            outlier_dimension,
            outlier_share: if has_variance {
                squares[outlier_dimension] / total
            } else {
                0.0
            },
        })
    }
}

/// Index of the first of the largest numbers.
fn largest(numbers: &[f64]) -> usize {
    let mut at = 0;
    for (index, number) in numbers.iter().enumerate() {
        if *number > numbers[at] {
            at = index;
        }
    }
    at
}

/// IsoScore from the sampled states of different sequences. `of_sequence` holds the sequence of each
/// point, in ascending order.
fn isoscore(points: Tensor<2>, of_sequence: &[usize]) -> Option<f64> {
    let sequences = of_sequence.chunk_by(|one, other| one == other);
    let lengths: Vec<usize> = sequences.map(<[usize]>::len).collect();
    let (device, [_, d]) = (points.device(), points.dims());
    let shape = [lengths.len(), lengths.iter().copied().max()?];
    if d < 2 {
        return None;
    }
    // Point 0 stands in for the places that are left empty.
    let (mut indices, mut is_filled) = (Vec::new(), Vec::new());
    let mut first = 0;
    for length in lengths {
        for place in 0..shape[1] {
            let index = if place < length { first + place } else { 0 };
            indices.push(index as i64);
            is_filled.push(place < length);
        }
        first += length;
    }
    let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &device);
    let states = points.select(0, indices).reshape([shape[0], shape[1], d]);
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(is_filled, shape), &device);
    isoscore_disjoint(states, Some(mask)).isoscore
}

#[cfg(feature = "experiment")]
fn effective_rank(points: Tensor<2>) -> Option<f64> {
    use isostar_core::measure::{Spectrum, effective_rank};
    effective_rank(&Spectrum::from_points(points))
}

#[cfg(not(feature = "experiment"))]
fn effective_rank(_points: Tensor<2>) -> Option<f64> {
    None
}

#[cfg(all(test, feature = "experiment"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use burn::tensor::Distribution;

    use super::*;

    fn measured(states: &HiddenStates, config: MonitorConfig, steps: u64) -> Vec<StepGeometry> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let sink = found.clone();
        let sink = move |geometry: &StepGeometry| sink.lock().unwrap().push(geometry.clone());
        let monitor = Monitor::new(config, Box::new(sink));
        (0..steps).for_each(|step| monitor.step(step, states).unwrap());
        let found = found.lock().unwrap();
        found.clone()
    }

    /// 40 sequences of 5 tokens, of which the last two are padding far away.
    fn states() -> HiddenStates {
        let device = Device::flex();
        let layer = |scale: f64| {
            let normal = Distribution::Normal(2.0, 1.0);
            let points = Tensor::<3>::random([40, 5, 6], normal, &device);
            let scales = Tensor::<1>::from_floats([scale as f32, 1., 1., 1., 1., 1.], &device);
            let padding = Tensor::<3>::full([40, 2, 6], 1e4, &device);
            (points * scales.unsqueeze::<3>()).slice_assign([0..40, 3..5, 0..6], padding)
        };
        let mask = Tensor::<2>::ones([40, 5], &device);
        let mask = mask.slice_assign([0..40, 3..5], Tensor::zeros([40, 2], &device));
        HiddenStates::from_layers(vec![layer(1.0), layer(4.0)]).with_mask(mask.greater_elem(0.5))
    }

    #[test]
    fn all_tokens_have_the_geometry_of_the_whole_layer() {
        let states = states();
        let config = MonitorConfig {
            states: 1000,
            ..Default::default()
        };
        let [geometry] = &measured(&states, config, 1)[..] else {
            panic!("one step")
        };
        for (layer, found) in states.layers.iter().zip(&geometry.layers) {
            let tokens = layer.clone().slice([0..40, 0..3, 0..6]).reshape([120, 6]);
            let centred = tokens.clone() - tokens.clone().mean_dim(0);
            let covariance = centred.clone().transpose().matmul(centred) / 119.0;
            let near = |found: f64, expected: Tensor<1>, what: &str| {
                let expected: f64 = expected.into_scalar();
                assert!(
                    (found / expected - 1.0).abs() < 1e-4,
                    "{what}: {found}, {expected}"
                );
            };
            assert_eq!(found.states, 120);
            let trace = (covariance.clone() * Tensor::eye(6, &Device::flex())).sum();
            near(found.trace, trace, "trace");
            near(found.frobenius_squared, covariance.square().sum(), "F");
            near(
                found.mean_norm,
                tokens.clone().square().sum_dim(1).sqrt().mean(),
                "norm",
            );
            let whole = isoscore_disjoint(layer.clone(), states.mask.clone()).isoscore;
            let difference = found.isoscore.unwrap() - whole.unwrap();
            assert!(difference.abs() < 1e-5, "{found:?}, {whole:?}");
            let plug_in: f64 = isostar_core::isoscore(tokens).into_scalar();
            assert!((whole.unwrap() - plug_in).abs() < 0.1, "{plug_in}");
        }
        let wide = &geometry.layers[1];
        assert_eq!(wide.outlier_dimension, 0);
        assert!(wide.outlier_share > 0.6 && geometry.layers[0].outlier_share < 0.4);
        let ranks = geometry
            .layers
            .iter()
            .map(|layer| layer.effective_rank.unwrap());
        let ranks: Vec<f64> = ranks.collect();
        assert!(ranks[0] > 5.0 && ranks[1] < 4.0, "{ranks:?}");
    }

    #[test]
    fn every_few_steps_other_tokens_are_drawn() {
        let config = MonitorConfig {
            every: 10,
            states: 30,
            seed: 1,
        };
        let states = states();
        let found = measured(&states, config, 25);
        let steps: Vec<u64> = found.iter().map(|geometry| geometry.step).collect();
        assert_eq!(steps, [1, 11, 21]);
        assert!(found.iter().all(|geometry| geometry.layers[0].states == 30));
        assert!(
            found
                .iter()
                .all(|geometry| geometry.layers[0].mean_norm < 100.0),
            "no padding"
        );
        assert_ne!(found[0].layers, found[1].layers);
        assert_eq!(measured(&states, config, 25), found);
    }

    #[test]
    fn states_without_variance_have_no_score() {
        let states = HiddenStates::from_layers(vec![Tensor::ones([4, 3, 5], &Device::flex())]);
        let found = measured(&states, MonitorConfig::default(), 1);
        let layer = &found[0].layers[0];
        assert_eq!(
            (layer.trace, layer.isoscore, layer.effective_rank),
            (0.0, None, None)
        );
        assert_eq!(layer.outlier_share, 0.0);
    }
}
