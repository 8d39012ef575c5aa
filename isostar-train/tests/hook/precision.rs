//! Tests of models in half precision.

use std::sync::Arc;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn::tensor::DType;
use burn::train::TrainStep;

use super::common::{Batch, Batches, Perceptron};
use super::hook;

/// Casts every parameter.
struct Cast(DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let device = tensor.device();
            Tensor::from_data(tensor.into_data(), (&device, self.0)).require_grad()
        })
    }
}

/// Data type and values of all parameters, which share one data type.
struct Numbers(DType, Vec<f32>);

impl ModuleVisitor for Numbers {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        assert_eq!(param.val().dtype(), self.0);
        self.1.extend(param.val().into_data().iter::<f32>());
    }
}

fn numbers(model: &Perceptron, dtype: DType) -> Vec<f32> {
    let mut numbers = Numbers(dtype, Vec::new());
    model.visit(&mut numbers);
    numbers.1
}

#[test]
fn a_model_in_half_precision_takes_a_step_with_a_finite_loss_of_its_own_type() {
    let device = Device::flex().autodiff();
    for dtype in [DType::F16, DType::BF16] {
        let model = Perceptron::new(0.0, &device).map(&mut Cast(dtype));
        let before = numbers(&model, dtype);
        let (hook, _) = hook(0.5);
        let half = |batch: Batch| Batch {
            points: batch.points.cast(dtype),
            ..batch
        };
        let batches = Batches::random(3, 8, 1, &device);
        let batches = Batches {
            batches: Arc::new(batches.batches.iter().cloned().map(half).collect()),
            ..batches
        };
        let tapped = hook.tap(Arc::new(batches));
        let batch = tapped.iter().next().unwrap().unwrap();

        let output = TrainStep::step(&hook.wrap(model.clone()), batch);
        assert_eq!(output.item.task_loss.dtype(), dtype);
        let penalty: f32 = output
            .item
            .penalty
            .expect("the hook has a regularizer")
            .value
            .into_scalar();
        let loss: f32 = output.item.task_loss.into_scalar();
        assert!(
            (loss + penalty).is_finite() && penalty > 0.0,
            "{dtype:?}: {loss} {penalty}"
        );
        let after = numbers(
            &SgdConfig::new().init().step(0.1, model, output.grads),
            dtype,
        );
        assert!(
            after != before && after.iter().all(|number| number.is_finite()),
            "{dtype:?}: {before:?} {after:?}"
        );
    }
}
