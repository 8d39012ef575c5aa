//! Models and batches that are the same on every device, and a training step.

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use isostar_core::{Regularizer, StepContext};
use isostar_models::{BertConfig, ModelConfig, Precision, SequenceClassifier, TokenBatch};
use isostar_train::data::{SequenceBatch, Targets};
use isostar_train::hook::HiddenStateModel;

#[derive(Clone, Copy)]
pub struct Shape {
    pub layers: usize,
    pub width: usize,
    pub vocabulary: usize,
    pub rows: usize,
    pub tokens: usize,
    pub dropout: f64,
}

impl Shape {
    pub fn config(&self) -> ModelConfig {
        ModelConfig::Bert(BertConfig {
            vocab_size: self.vocabulary,
            hidden_size: self.width,
            num_hidden_layers: self.layers,
            num_attention_heads: (self.width / 64).max(1),
            intermediate_size: 4 * self.width,
            hidden_dropout_prob: self.dropout,
            attention_probs_dropout_prob: self.dropout,
            ..BertConfig::default()
        })
    }

    /// Random tokens, a third of them padding.
    pub fn batch(&self, seed: usize, device: &Device) -> SequenceBatch {
        let mut state = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let shortest = self.tokens.div_ceil(3);
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for row in 0..self.rows {
            let length = if row == 0 {
                self.tokens
            } else {
                shortest + draw(self.tokens - shortest + 1)
            };
            for token in 0..self.tokens {
                mask.push(token < length);
                ids.push(if token < length {
                    1 + draw(self.vocabulary - 1) as i32
                } else {
                    0
                });
            }
        }
        let classes: Vec<i32> = (0..self.rows).map(|_| draw(2) as i32).collect();
        let shape = [self.rows, self.tokens];
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device);
        SequenceBatch {
            input: TokenBatch {
                type_ids: ids.zeros_like(),
                ids,
                mask: Tensor::from_data(TensorData::new(mask, shape), device),
            },
            targets: Targets::Classes(Tensor::from_data(
                TensorData::new(classes, [self.rows]),
                device,
            )),
            rows: (0..self.rows as u32).collect(),
        }
    }
}

/// A step as the hook makes it: the task's loss, and with a regularizer the score.
pub fn step(
    model: SequenceClassifier,
    optimizer: &mut ModuleOptimizer,
    batch: SequenceBatch,
    regularizer: Option<(&dyn Regularizer, &Tensor<2>)>,
    precision: Precision,
) -> (SequenceClassifier, Tensor<1>, Option<Tensor<1>>) {
    let step = precision.scope(|| model.forward_step(batch));
    let penalty = regularizer.map(|(regularizer, reference)| {
        regularizer.penalty(
            &step.hidden_states,
            &StepContext::default().with_reference(reference),
        )
    });
    drop(step.hidden_states);
    let loss = match &penalty {
        Some(penalty) => step.task_loss.clone() + penalty.value.clone(),
        None => step.task_loss.clone(),
    };
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    (
        optimizer.step(1e-4, model, gradients),
        step.task_loss.without_autodiff(),
        penalty.map(|penalty| penalty.measure),
    )
}
