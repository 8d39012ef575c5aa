//! The time of a training step, plain and with I-STAR.

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::prelude::*;
use isostar_core::{IStarConfig, Regularizer, StepContext};
use isostar_models::{PretrainedModel, SequenceClassifier};
use isostar_train::experiment::adamw;
use isostar_train::hook::HiddenStateModel;
use serde_json::json;

use crate::model::{Shape, step};
use crate::{Arguments, median, memory, seconds, sync, tell};

pub fn run(device: &Device, arguments: &Arguments) {
    let shape = Shape {
        layers: arguments.number("layers", 12),
        width: arguments.number("width", 768),
        vocabulary: 30_522,
        rows: arguments.number("rows", 32),
        tokens: arguments.number("tokens", 128),
        dropout: 0.1,
    };
    let count = arguments.number("steps", 20);
    let precision = arguments.precision();
    let device = device.clone().autodiff();
    device.seed(1);
    let mut model =
        SequenceClassifier::new(&shape.config(), &device).expect("the configuration is valid");
    let mut optimizer = adamw(0.01, 1e-8);
    let istar = IStarConfig::new(-0.1)
        .init()
        .expect("the settings are valid");
    let reference = Tensor::<2>::eye(shape.width, &device.clone().without_autodiff());
    let name = format!(
        "{}x{} {}x{} {precision:?}",
        shape.layers, shape.width, shape.rows, shape.tokens
    );
    let penalty = |with: bool| with.then_some((&istar as &dyn Regularizer, &reference));

    for (what, with) in [("plain", false), ("istar", true)] {
        for at in 0..3 {
            let start = Instant::now();
            let (next, loss, _) = step(
                model,
                &mut optimizer,
                shape.batch(at, &device),
                penalty(with),
                precision,
            );
            model = next;
            let enqueued = seconds(start);
            let loss: f64 = loss.into_scalar();
            sync(&device);
            tell(
                "step",
                json!({ "shape": name, "what": what, "warm_up": at, "enqueued_s": enqueued, "s": seconds(start), "loss": loss }),
            );
        }
    }
    // Turns alternate, so that a drifting clock affects both. A turn is a run of steps that do not read the device.
    let batches: Vec<_> = (0..4).map(|at| shape.batch(at, &device)).collect();
    let mut found: [Vec<[f64; 2]>; 2] = [Vec::new(), Vec::new()];
    for turn in 0..6 {
        let with = turn % 2 == 1;
        sync(&device);
        let start = Instant::now();
        for at in 0..count {
            let (next, _, _) = step(
                model,
                &mut optimizer,
                batches[at % 4].clone(),
                penalty(with),
                precision,
            );
            model = next;
        }
        let host = seconds(start);
        sync(&device);
        found[usize::from(with)].push([host, seconds(start)].map(|time| time / count as f64 * 1e3));
    }
    for (what, turns) in ["plain", "istar"].iter().zip(found) {
        let host = median(turns.iter().map(|turn| turn[0]).collect());
        let all = median(turns.iter().map(|turn| turn[1]).collect());
        tell(
            "step",
            json!({ "shape": name, "what": what, "host_ms": host, "ms": all, "turns": turns, "memory": memory(&device) }),
        );
    }

    // The parts of a step, with a sync after each.
    let mut parts = [const { Vec::new() }; 4];
    for at in 0..count.min(8) {
        let mut start = Instant::now();
        let mut part = |index: usize| {
            sync(&device);
            parts[index].push(seconds(start) * 1e3);
            start = Instant::now();
        };
        let forward = precision.scope(|| model.forward_step(batches[at % 4].clone()));
        part(0);
        let score = istar.penalty(
            &forward.hidden_states,
            &StepContext::default().with_reference(&reference),
        );
        let loss = forward.task_loss + score.value;
        drop(forward.hidden_states);
        part(1);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        part(2);
        model = optimizer.step(1e-4, model, gradients);
        part(3);
    }
    let [forward, penalty, backward, optimizer] = parts.map(median);
    tell(
        "step",
        json!({ "shape": name, "parts_ms": { "forward": forward, "penalty": penalty, "backward": backward, "optimizer": optimizer } }),
    );
}

/// As many steps as there are lengths, and more: how much of the time goes into kernels and tuning for shapes that are new.
pub fn lengths(device: &Device, arguments: &Arguments) {
    let (multiple, count) = (
        arguments.number("multiple", 1),
        arguments.number("steps", 60),
    );
    let device = device.clone().autodiff();
    let shape = Shape {
        layers: 6,
        width: 384,
        vocabulary: 30_522,
        rows: arguments.number("rows", 32),
        tokens: 64,
        dropout: 0.1,
    };
    let mut model =
        SequenceClassifier::new(&shape.config(), &device).expect("the configuration is valid");
    let mut optimizer = adamw(0.01, 1e-8);
    let istar = IStarConfig::new(-0.1)
        .init()
        .expect("the settings are valid");
    let reference = Tensor::<2>::eye(shape.width, &device.clone().without_autodiff());
    let start = Instant::now();
    let mut times = Vec::new();
    for at in 0..count {
        let length = 8 + at * 37 % 57;
        let shape = Shape {
            tokens: length.next_multiple_of(multiple),
            ..shape
        };
        let begun = Instant::now();
        let batch = shape.batch(at, &device);
        let (next, loss, _) = step(
            model,
            &mut optimizer,
            batch,
            Some((&istar as &dyn Regularizer, &reference)),
            arguments.precision(),
        );
        model = next;
        let _: f64 = loss.into_scalar();
        sync(&device);
        times.push(seconds(begun));
        tell(
            "lengths",
            json!({ "multiple": multiple, "step": at, "tokens": shape.tokens, "s": times[at] }),
        );
    }
    let first_half: f64 = times[..count / 2].iter().sum();
    let late = median(times[count / 2..].to_vec());
    tell(
        "lengths",
        json!({ "multiple": multiple, "total_s": seconds(start), "late_median_s": late, "first_half_s": first_half }),
    );
}
