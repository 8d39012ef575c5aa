//! A forward pass with the moments of every layer, and a whole run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burn::prelude::*;
use isostar_core::{Moments, RunningMoments};
use isostar_models::{PretrainedModel, SequenceClassifier};
use isostar_train::experiment::{Experiment, RunFolder, TrainOptions, TrainSettings};
use isostar_train::hook::HiddenStateModel;
use isostar_train::progress::Silent;
use serde_json::json;

use crate::model::Shape;
use crate::{Arguments, seconds, tell, timed};

pub fn run(device: &Device, arguments: &Arguments) {
    let (rows, tokens) = (arguments.number("rows", 64), arguments.number("tokens", 64));
    let shape = Shape {
        layers: 12,
        width: 768,
        vocabulary: 30_522,
        rows,
        tokens,
        dropout: 0.0,
    };
    let model = SequenceClassifier::new(&shape.config(), &device.clone().autodiff())
        .expect("the configuration is valid")
        .valid();
    let batch = shape.batch(0, device);
    let (first, forward) = timed(device, 10, || model.forward_step(batch.clone()).task_loss);
    let mut running: Vec<RunningMoments> = (0..shape.layers)
        .map(|_| RunningMoments::new(shape.width))
        .collect();
    let (_, all) = timed(device, 5, || {
        let states = model.forward_step(batch.clone()).hidden_states;
        for (layer, running) in running.iter_mut().enumerate() {
            let moments =
                Moments::from_sequences(states.layer(layer + 1).clone(), states.mask.clone());
            running.update(&moments).expect("the device can be read");
        }
    });
    tell(
        "evaluate",
        json!({ "rows": rows, "tokens": tokens, "first_ms": first, "forward_ms": forward, "with_moments_of_each_layer_ms": all }),
    );
}

pub fn train(device: &str, arguments: &Arguments) {
    let options = TrainOptions {
        model: arguments.text("model").map(Into::into),
        task: arguments.text("task").map(Into::into),
        data: arguments.text("data").map(Into::into),
        limit: arguments
            .text("limit")
            .map(|limit| limit.parse().expect("limit= is a whole number")),
        epochs: Some(arguments.number("epochs", 1)),
        device: Some(device.into()),
        ..TrainOptions::default()
    };
    let start = Instant::now();
    let experiment = Experiment::prepare(TrainSettings::resolve(options), &Silent)
        .unwrap_or_else(|error| panic!("{error}"));
    tell("train", json!({ "prepared_s": seconds(start) }));
    let folder = RunFolder::at(PathBuf::from(arguments.text("out").unwrap_or("run")));
    let lock = folder
        .lock(&Silent)
        .unwrap_or_else(|error| panic!("{error}"));
    let result = experiment
        .run(&lock, Arc::new(Silent))
        .unwrap_or_else(|error| panic!("{error}"));
    tell(
        "train",
        json!({ "run_s": seconds(start), "result": serde_json::to_value(&result).expect("the result is plain data") }),
    );
}
