//! The optimizer and the learning-rate schedule.

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::ParamGroup;
use burn::optim::{AdamWState, AdaptiveMomentumState, ModuleOptimizer, Optimizer};
use burn::prelude::*;
use isostar_kernels::AdamWUpdate;
use serde::{Deserialize, Serialize};

use crate::choice::choice;
/// AdamW with β = (0.9, 0.999). As in transformers' Trainer, weight decay applies to matrices and
/// embeddings, not to biases and norms.
///
/// ```text
///   p ← p·(1 − rate·decay) − rate·m̂/(√v̂ + ε)
/// ```
///
/// ε is added to the bias-corrected √v̂, as in PyTorch. The published code trains with
/// `transformers.AdamW` (by default ε = 1e-6 and no decay; removed in transformers 5), which adds ε
/// to √v before the correction. At step t its effective ε is larger by 1/√(1 − 0.999ᵗ): 32 times at
/// the first step, 1.3 times at the thousandth.
///
/// Numbers and records are those of [`burn::optim::AdamW`]; on flex, a step is one pass over
/// memory ([`isostar_kernels::adamw`]).
pub fn adamw(weight_decay: f64, epsilon: f64) -> ModuleOptimizer {
    let settings = AdamWUpdate {
        rate: 0.0,
        weight_decay: weight_decay as f32,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: epsilon as f32,
        step: 0,
    };
    let undecayed =
        ParamGroup::from_regex(r"(^|\.)(bias|beta|gamma)$").expect("the pattern is valid");
    let without = AdamWUpdate {
        weight_decay: 0.0,
        ..settings
    };
    ModuleOptimizer::from(AdamW { settings }).with_group(
        undecayed,
        AdamW { settings: without },
        None,
    )
}

/// AdamW in one pass; the rate and the number of the step are those of each call.
#[derive(Clone)]
struct AdamW {
    settings: AdamWUpdate,
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let (time, moments) = match state {
            Some(AdamWState { momentum }) => (
                momentum.time + 1,
                Some([momentum.moment_1, momentum.moment_2]),
            ),
            None => (1, None),
        };
        let update = AdamWUpdate {
            rate,
            step: time,
            ..self.settings
        };
        let (parameter, [moment_1, moment_2]) =
            isostar_kernels::adamw(&update, parameter, gradient, moments);
        (
            parameter,
            Some(AdamWState::new(AdaptiveMomentumState::new(
                time, moment_1, moment_2,
            ))),
        )
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamWState::new(state.momentum.to_device(device))
    }
}

choice! {
    /// The learning rate after the warm-up.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Schedule {
        /// Stays constant.
        #[default]
        Constant = "constant",
        /// Decreases linearly to 0 at the last step.
        Linear = "linear",
    }
}

/// Linear warm-up from 0, then a constant or linearly decreasing learning rate, as in transformers'
/// schedules of the same names.
///
/// ```text
///   rate(s) = peak · s/warmup                        s < warmup, s = 0, 1, …
///   rate(s) = peak · (total − s)/(total − warmup)    after it, linear
/// ```
#[derive(Clone, Debug)]
pub struct WarmupLinear {
    peak: f64,
    warmup: usize,
    total: usize,
    schedule: Schedule,
    step: usize,
}

impl WarmupLinear {
    /// Creates a schedule over `total` optimizer steps, with `warmup` steps up to `peak`.
    pub fn new(peak: f64, warmup: usize, total: usize, schedule: Schedule) -> Self {
        Self {
            peak,
            warmup,
            total,
            schedule,
            step: 0,
        }
    }

    /// The learning rate of the step after `step` steps.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        match self.schedule {
            Schedule::Constant => self.peak,
            Schedule::Linear => {
                let left = self.total.saturating_sub(step) as f64;
                self.peak * left / (self.total.saturating_sub(self.warmup)).max(1) as f64
            }
        }
    }
}

impl LrScheduler for WarmupLinear {
    fn step(&mut self) -> f64 {
        let rate = self.rate(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_and_epsilon_are_the_given_ones_and_biases_do_not_decay() {
        use burn::module::Param;
        use burn::nn::Linear;
        use burn::optim::GradientsParams;
        use burn::prelude::*;

        let device = Device::flex().autodiff();
        let two = |shape: &[usize]| TensorData::new(vec![2.0_f32], shape.to_vec());
        let linear = Linear {
            weight: Param::from_data(two(&[1, 1]), &device),
            bias: Some(Param::from_data(two(&[1]), &device)),
        };
        let loss = linear
            .forward(Tensor::<2>::from_floats([[0.5]], &device))
            .sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &linear);
        let linear = adamw(0.1, 0.5).step(0.1, linear, gradients);
        // torch.optim.AdamW(lr=0.1, eps=0.5, weight_decay=0.1): 2 · 0.99 − 0.1 · 0.5/(0.5 + 0.5); without decay, 2 − 0.1 · 1/(1 + 0.5).
        let number = |tensor: Tensor<1>| tensor.into_scalar::<f32>();
        assert!((number(linear.weight.val().reshape([1])) - 1.93).abs() < 1e-6);
        assert!((number(linear.bias.unwrap().val()) - 1.933_333_3).abs() < 1e-6);
    }

    /// Three steps of a classifier's first layer and bias.
    fn trained(mut optimizer: ModuleOptimizer, device: &Device, resume: bool) -> Vec<Vec<f32>> {
        use burn::module::Param;
        use burn::nn::Linear;
        use burn::optim::GradientsParams;

        let numbers = |count: usize| {
            (0..count)
                .map(|at| (at as f32 * 0.7).sin())
                .collect::<Vec<_>>()
        };
        let weight = Param::from_data(TensorData::new(numbers(300 * 70), [300, 70]), device);
        let mut linear = Linear {
            weight,
            bias: Some(Param::from_data(TensorData::new(numbers(70), [70]), device)),
        };
        for step in 1..=3 {
            let points =
                Tensor::<2>::from_data(TensorData::new(numbers(4 * 300), [4, 300]), device)
                    * step as f32;
            let gradients = GradientsParams::from_grads(
                linear.forward(points).square().mean().backward(),
                &linear,
            );
            linear = optimizer.step(1e-2, linear.clone(), gradients);
            if resume {
                optimizer = adamw(0.1, 1e-6)
                    .from_bytes(optimizer.into_bytes().unwrap())
                    .unwrap();
            }
        }
        let bias = linear.bias.unwrap().val().unsqueeze_dim(0);
        [linear.weight.val(), bias]
            .map(|tensor| tensor.into_data().try_into_vec().unwrap())
            .to_vec()
    }

    #[test]
    fn numbers_and_records_are_those_of_burn() {
        use burn::optim::AdamWConfig;

        let burn = || {
            let config = AdamWConfig::new().with_epsilon(1e-6).with_weight_decay(0.1);
            let undecayed = ParamGroup::from_regex(r"(^|\.)bias$").unwrap();
            config
                .init()
                .with_group(undecayed, config.with_weight_decay(0.0).build(), None)
        };
        #[allow(deprecated, reason = "the only second device that every machine has")]
        let other = Device::ndarray();
        for device in [Device::flex(), other].map(Device::autodiff) {
            assert_eq!(
                trained(adamw(0.1, 1e-6), &device, false),
                trained(burn(), &device, false)
            );
        }
        // A record of Burn's continues here, to the same bits.
        let device = Device::flex().autodiff();
        assert_eq!(
            trained(burn(), &device, true),
            trained(burn(), &device, false)
        );
    }

    #[test]
    fn a_resumed_optimizer_continues_to_the_same_bits() {
        let device = Device::flex().autodiff();
        assert_eq!(
            trained(adamw(0.1, 1e-6), &device, true),
            trained(adamw(0.1, 1e-6), &device, false)
        );
    }

    #[test]
    fn the_schedules_match_those_of_transformers() {
        // transformers.get_linear_schedule_with_warmup(optimizer, 2, 6) and get_constant_schedule_with_warmup(optimizer, 2) with lr 0.1.
        let mut linear = WarmupLinear::new(0.1, 2, 6, Schedule::Linear);
        let mut constant = WarmupLinear::new(0.1, 2, 6, Schedule::Constant);
        for (falling, staying) in [
            (0.0, 0.0),
            (0.05, 0.05),
            (0.1, 0.1),
            (0.075, 0.1),
            (0.05, 0.1),
            (0.025, 0.1),
            (0.0, 0.1),
        ] {
            assert!((linear.step() - falling).abs() < 1e-12);
            assert!((constant.step() - staying).abs() < 1e-12);
        }
    }

    #[test]
    fn a_resumed_schedule_continues_where_it_stopped() {
        let mut first = WarmupLinear::new(1.0, 3, 9, Schedule::Linear);
        for _ in 0..4 {
            first.step();
        }
        let mut resumed = WarmupLinear::new(1.0, 3, 9, Schedule::Linear);
        resumed.load_record(first.to_record());
        assert_eq!(first.step(), resumed.step());
    }
}
