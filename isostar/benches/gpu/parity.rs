//! Losses and scores of a small BERT beside flex.

use std::time::Instant;

use burn::prelude::*;
use isostar_core::{IStarConfig, Regularizer};
use isostar_models::{PretrainedModel, SequenceClassifier};
use isostar_train::experiment::adamw;
use serde_json::json;

use crate::model::{Shape, step};
use crate::{Arguments, seconds, tell};

/// Largest relative difference of a loss or score that counts as agreement. In f32 it is about 1e-5 after a dozen steps; TF32 products give
/// a few 1e-4.
const AGREEMENT: f64 = 1e-3;

pub fn run(target: &Device, arguments: &Arguments) {
    let steps = arguments.number("steps", 8);
    let shape = Shape {
        layers: 4,
        width: 256,
        vocabulary: 2_000,
        rows: 16,
        tokens: arguments.number("tokens", 48),
        dropout: 0.0,
    };
    let mut record: Option<burn::store::ModuleRecord> = None;
    let mut curves: Vec<Vec<[f64; 2]>> = Vec::new();
    for device in [Device::flex(), target.clone()] {
        let device = device.autodiff();
        device.seed(1);
        let fresh =
            SequenceClassifier::new(&shape.config(), &device).expect("the configuration is valid");
        let mut model = match &record {
            None => {
                record = Some(fresh.clone().into_record());
                fresh
            }
            Some(record) => fresh.load_record(record.clone()),
        };
        let mut optimizer = adamw(0.01, 1e-8);
        let istar = IStarConfig::new(-0.1)
            .init()
            .expect("the settings are valid");
        let reference = Tensor::<2>::eye(shape.width, &device.clone().without_autodiff());
        let mut curve = Vec::new();
        for at in 0..steps {
            let start = Instant::now();
            let batch = shape.batch(at, &device);
            let (next, loss, score) = step(
                model,
                &mut optimizer,
                batch,
                Some((&istar as &dyn Regularizer, &reference)),
                arguments.precision(),
            );
            model = next;
            let read = [
                loss.into_scalar::<f64>(),
                score.expect("there is a regularizer").into_scalar::<f64>(),
            ];
            curve.push(read);
            tell(
                "parity",
                json!({ "side": curves.len(), "step": at, "loss": read[0], "score": read[1], "s": seconds(start) }),
            );
        }
        curves.push(curve);
    }
    let worst = |part: usize| {
        let pairs = curves[0].iter().zip(&curves[1]);
        pairs
            .map(|(flex, found)| ((found[part] - flex[part]) / flex[part]).abs())
            .fold(0.0, f64::max)
    };
    let (loss, score) = (worst(0), worst(1));
    tell(
        "parity",
        json!({ "worst_loss": loss, "worst_score": score, "agrees": loss < AGREEMENT && score < AGREEMENT }),
    );
}
