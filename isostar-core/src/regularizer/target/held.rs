//! The score that a target holds: that of the states without dropout.

use burn::prelude::*;
use burn::tensor::TensorReadError;

use crate::Moments;
use crate::stream_score::{Past, StreamScore};

/// The memory of the streams with and without dropout: about three of their batches.
const MEMORY: f64 = 0.6;

/// The streams of a hold.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Of every step, with dropout.
    stream: StreamScore,
    /// Of the batches that are measured twice: with dropout, and without.
    pair: [StreamScore; 2],
    /// What dropout adds to the score.
    offset: f64,
}

/// What the streams become with a step.
#[derive(Clone, Debug)]
pub(super) struct Next {
    stream: Past,
    pair: Option<[Past; 2]>,
}

/// The numbers of a step.
pub(super) struct Scored {
    /// The score without dropout, with gradient. Shape `[1]`.
    pub score: Tensor<1>,
    /// What dropout adds to it, of a batch that was measured twice. Shape `[1]`.
    pub offset: Option<Tensor<1>>,
    pub next: Next,
}

impl Held {
    pub fn new(memory: f64) -> Self {
        Self {
            stream: StreamScore::new(memory),
            pair: [(); 2].map(|()| StreamScore::new(MEMORY)),
            offset: 0.0,
        }
    }

    /// The score with a further batch, and its moments without dropout if they were measured.
    pub fn score(&self, batch: Moments, plain: Option<Moments>) -> Scored {
        let pair = plain.map(|plain| {
            let noisy = Moments {
                count: batch.count.clone().without_autodiff(),
                mean: batch.mean.clone().without_autodiff(),
                scatter: batch.scatter.clone().without_autodiff(),
            };
            let [noisy_stream, plain_stream] = &self.pair;
            let (noisy, noisy_past) = noisy_stream.score(noisy);
            let (plain, plain_past) = plain_stream.score(plain);
            let offset = noisy - plain.to_device(&batch.scatter.device().without_autodiff());
            (offset, [noisy_past, plain_past])
        });
        // Of a single batch, the score is biased.
        let is_known = self.pair[0].past().is_some();
        let (offset, pair) = pair.unzip();
        let (score, stream) = self.stream.score(batch);
        Scored {
            score: score - self.offset,
            offset: offset.filter(|_| is_known),
            next: Next { stream, pair },
        }
    }

    /// Takes a step, with the offset if it was measured.
    pub fn advance(&mut self, next: Next, offset: Option<f64>) {
        self.stream.set_past(Some(next.stream));
        if let Some(pasts) = next.pair {
            let streams = self.pair.iter_mut().zip(pasts);
            streams.for_each(|(stream, past)| stream.set_past(Some(past)));
        }
        if let Some(offset) = offset.filter(|offset| offset.is_finite()) {
            self.offset = offset;
        }
    }

    fn streams(&self) -> [&StreamScore; 3] {
        let [noisy, plain] = &self.pair;
        [&self.stream, noisy, plain]
    }

    /// Adds the weights of the streams, negative for an empty one, and the offset; and the tensors.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn save(
        &self,
        numbers: &mut Vec<f64>,
        tensors: &mut Vec<TensorData>,
    ) -> Result<(), TensorReadError> {
        for stream in self.streams() {
            numbers.push(stream.past().map_or(-1.0, |past| past.weight));
            if let Some(past) = stream.past() {
                tensors.extend(past.to_data()?);
            }
        }
        numbers.push(self.offset);
        Ok(())
    }

    /// Continues from what [`save`](Self::save) has added.
    pub fn restore(
        &mut self,
        numbers: &mut impl Iterator<Item = f64>,
        tensors: &mut impl Iterator<Item = TensorData>,
        device: &Device,
    ) {
        let mut past = || {
            let weight = numbers.next().filter(|weight| *weight > 0.0)?;
            let data = [tensors.next()?, tensors.next()?, tensors.next()?];
            Some(Past::from_data(weight, data, device))
        };
        let [noisy, plain] = &mut self.pair;
        for stream in [&mut self.stream, noisy, plain] {
            stream.set_past(past());
        }
        self.offset = numbers.next().unwrap_or(0.0);
    }
}
