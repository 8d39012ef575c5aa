//! The score of a stream of batches whose states change slowly.

use burn::prelude::*;
use burn::tensor::TensorReadError;

use crate::shrinkage::identity_like;
use crate::{Moments, isoscore_of_covariance};

/// IsoScore of a stream of batches with exponentially fading memory, without the bias of few points.
///
/// Batch k has the scatter Sₖ about the mean of the batches before it, and the trace tₖ. With the
/// memory β, older batches fade by β per batch:
///
/// ```text
///   S̄ = Σₖ βᵏ·Sₖ,    F̂ = ‖S̄‖_F² − Σₖ β²ᵏ‖Sₖ‖_F²,    T̂ = (tr S̄)² − Σₖ β²ᵏ tₖ²
///   score = (T̂/F̂ − 1)/(d − 1)
/// ```
///
/// F̂ and T̂ hold products of different batches only. Batches share no sequence, so the covariance
/// within a sequence and the small number of states in a batch add no bias, unlike in the plug-in
/// score, whose F counts the noise of each batch. Batches are weighted by their number of states.
///
/// The gradient reaches the current batch. It is multiplied by Σₖ βᵏ, so that it is the gradient of a
/// stream of which all batches move, and its direction depends on earlier batches alone.
///
/// # References
/// Chen, Zhang & Zhong, "Tests for high-dimensional covariance matrices" (2010), for products of
/// distinct rows; here batches take the place of rows.
#[derive(Clone, Debug)]
pub(crate) struct StreamScore {
    /// The memory β, in [0, 1).
    memory: f64,
    past: Option<Past>,
}

/// Fading sums over batches. All tensors are without autodiff.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// Σₖ βᵏ.
    pub weight: f64,
    /// Fading number of states, the fading mean, S̄ and its trace. Shapes `[1]`, `[d]`, `[d, d]`, `[1]`.
    pub count: Tensor<1>,
    pub mean: Tensor<1>,
    pub scatter: Tensor<2>,
    pub trace: Tensor<1>,
    /// Σₖ β²ᵏ‖Sₖ‖_F² and Σₖ β²ᵏ tₖ², divided by (tr S̄)². Shape `[1]` each.
    pub own_frobenius: Tensor<1>,
    pub own_trace: Tensor<1>,
}

impl StreamScore {
    pub fn new(memory: f64) -> Self {
        Self { memory, past: None }
    }

    pub fn past(&self) -> Option<&Past> {
        self.past.as_ref()
    }

    /// Continues after these batches.
    pub fn set_past(&mut self, past: Option<Past>) {
        self.past = past;
    }

    /// The score with a further batch, shape `[1]`, and the sums that include it; the stream itself
    /// does not change. The first batch has its plug-in score, without a gradient.
    pub fn score(&self, batch: Moments) -> (Tensor<1>, Past) {
        let d = batch.width();
        let Some(past) = &self.past else {
            return first(batch);
        };
        let device = batch.scatter.device().without_autodiff();
        let dtype = batch.scatter.dtype();
        let here = |tensor: &Tensor<1>| tensor.clone().to_device(&device).cast(dtype);
        let (count, mean) = (here(&past.count), here(&past.mean));
        let scatter = past.scatter.clone().to_device(&device).cast(dtype);

        let added = batch.count.clone().without_autodiff();
        let offset = (batch.mean - mean.clone()).unsqueeze::<2>();
        let own = batch.scatter
            + offset.clone().transpose().matmul(offset.clone()) * added.clone().unsqueeze::<2>();
        let before = here(&past.trace) * self.memory;
        let own_trace = trace(&own);
        let total = positive(before.clone() + own_trace.clone().without_autodiff());

        // In units of the trace, so that squares neither overflow nor underflow.
        let unit = total.clone().unsqueeze::<2>();
        let faded = scatter * self.memory / unit.clone();
        let own = own / unit;
        let own_trace = own_trace / total.clone();
        let share = before / total.clone();
        let fade = share.clone().square();
        let own_frobenius = here(&past.own_frobenius) * fade.clone();
        let own_traces = here(&past.own_trace) * fade.clone();
        let cross = sum(faded.clone() * own.clone()) * 2.0;
        let frobenius = sum(faded.clone().square()) - own_frobenius.clone() + cross;
        let squared = fade - own_traces.clone() + share * own_trace.clone() * 2.0;
        // F is at least T/d; less is the noise of too few batches. T is about 1 in these units.
        let least = squared.clone().without_autodiff().clamp_min(1e-6) * (0.5 / d as f64);
        let score = (squared / frobenius.max_pair(least) - 1.0) / (d as f64 - 1.0);

        let weight = self.memory * past.weight + 1.0;
        let own = own.without_autodiff();
        let own_trace = own_trace.without_autodiff();
        let faded_count = count * self.memory + added.clone();
        let towards = added / faded_count.clone().clamp_min(1.0);
        let offset: Tensor<1> = offset.without_autodiff().squeeze_dim(0);
        let next = Past {
            weight,
            mean: mean + offset * towards,
            count: faded_count,
            scatter: (faded + own.clone()) * total.clone().unsqueeze::<2>(),
            trace: total,
            own_frobenius: own_frobenius + sum(own.square()),
            own_trace: own_traces + own_trace.square(),
        };
        let constant = score.clone().without_autodiff() * (weight - 1.0);
        (score * weight - constant, next)
    }
}

impl Past {
    /// The tensors, without the weight.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn to_data(&self) -> Result<[TensorData; 3], TensorReadError> {
        let numbers = [
            &self.count,
            &self.trace,
            &self.own_frobenius,
            &self.own_trace,
        ];
        let numbers = Tensor::cat(numbers.map(Tensor::clone).to_vec(), 0);
        Ok([
            self.mean.clone().try_into_data()?,
            self.scatter.clone().try_into_data()?,
            numbers.try_into_data()?,
        ])
    }

    /// The sums of these tensors on a device.
    pub fn from_data(
        weight: f64,
        [mean, scatter, numbers]: [TensorData; 3],
        device: &Device,
    ) -> Self {
        let device = device.clone().without_autodiff();
        let numbers = Tensor::<1>::from_data(numbers, &device);
        let [count, trace, own_frobenius, own_trace] =
            [0, 1, 2, 3].map(|index| numbers.clone().narrow(0, index, 1));
        Self {
            weight,
            count,
            mean: Tensor::from_data(mean, &device),
            scatter: Tensor::from_data(scatter, &device),
            trace,
            own_frobenius,
            own_trace,
        }
    }
}

fn first(batch: Moments) -> (Tensor<1>, Past) {
    let score = isoscore_of_covariance(batch.covariance()).without_autodiff();
    let scatter = batch.scatter.without_autodiff();
    let total = positive(trace(&scatter));
    let own_frobenius = sum((scatter.clone() / total.clone().unsqueeze::<2>()).square());
    let past = Past {
        weight: 1.0,
        count: batch.count.without_autodiff(),
        mean: batch.mean.without_autodiff(),
        own_trace: Tensor::ones_like(&total),
        scatter,
        trace: total,
        own_frobenius,
    };
    (score, past)
}

/// tr S, shape `[1]`.
fn trace(scatter: &Tensor<2>) -> Tensor<1> {
    sum(scatter.clone() * identity_like(scatter))
}

/// The sum of all entries, rows first: a single long sum loses precision. Shape `[1]`.
fn sum(matrix: Tensor<2>) -> Tensor<1> {
    matrix.sum_dim(1).sum_dim(0).squeeze_dim(0)
}

/// Replaces a trace without an inverse in single precision, that of states without variance, by 1.
fn positive(number: Tensor<1>) -> Tensor<1> {
    let none = number.clone().lower_scalar(f32::MIN_POSITIVE);
    number.mask_fill(none, 1.0)
}

#[cfg(test)]
mod tests;
