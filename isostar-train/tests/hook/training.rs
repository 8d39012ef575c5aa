//! Tests of trainings that the hook creates, of errors in their set-up, and of their metrics.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::optim::AdamWConfig;
use burn::prelude::*;
use burn::train::metric::{
    Adaptor, BleuInput, CerInput, CharErrorRate, ConfusionStatsInput, HammingScore,
    HammingScoreInput, LossInput, LossMetric, Metric, Numeric, PerplexityInput, RougeLInput,
    TopKAccuracyInput, WerInput, WordErrorRate,
};
use burn::train::{
    InferenceStep, Learner, LearningResult, MultiLabelClassificationOutput, SequenceOutput,
    SupervisedTraining,
};
use isostar_core::{
    HiddenStates, IStarConfig, Penalty, Regularizer, RunningMoments, StateSelection, StepContext,
    Sum,
};
use isostar_train::hook::{
    HiddenStateModel, Hook, HookConfig, HookEvent, Regularized, RegularizedOutput,
};
use isostar_train::metric::MomentsInput;

use super::common::{Batch, Batches, Perceptron};
use super::{hook, metadata};

pub fn model() -> Perceptron {
    Perceptron::new(0.0, &Device::flex().autodiff())
}

pub fn batches(count: usize, seed: u64) -> Batches {
    Batches::random(count, 8, seed, &Device::flex())
}

/// Trains as shown in the documentation.
fn train(
    hook: &Hook<Batch>,
    folder: &Path,
    epochs: usize,
) -> LearningResult<Regularized<Perceptron>> {
    let training = hook
        .training(folder, Arc::new(batches(4, 1)), Arc::new(batches(3, 2)))
        .metrics((LossMetric::new(),))
        .with_application_logger(None)
        .num_epochs(epochs);
    training.launch(Learner::new(
        hook.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ))
}

/// Burn's logs of an epoch, by metric name.
fn logs(folder: &Path, split: &str, epoch: usize) -> Vec<(String, String)> {
    let folder = folder.join(split).join(format!("epoch-{epoch}"));
    let mut logs: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            (
                path.file_stem().unwrap().to_str().unwrap().to_string(),
                std::fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    logs.sort();
    logs
}

fn names(logs: &[(String, String)]) -> Vec<&str> {
    logs.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn one_call_taps_the_loader_sets_the_interrupter_and_registers_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, events) = hook(0.1);
    assert!(train(&hook, folder.path(), 2).error.is_none());
    let finished = events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event, HookEvent::CalibrationFinished { .. }))
        .count();
    assert_eq!(finished, 2, "a reference an epoch");
    for epoch in [1, 2] {
        let (train, valid) = (
            logs(folder.path(), "train", epoch),
            logs(folder.path(), "valid", epoch),
        );
        assert_eq!(names(&train), ["IsoScore_star", "Loss", "Penalty"]);
        assert_eq!(names(&valid), ["IsoScore", "Loss"]);
        assert!(
            train
                .iter()
                .chain(&valid)
                .all(|(_, lines)| !lines.contains("NaN")),
            "{train:?} {valid:?}"
        );
        assert_eq!(
            valid[0].1.lines().count(),
            1,
            "the score is known at the end of the split: {}",
            valid[0].1
        );
    }

    hook.interrupter().stop(Some("enough"));
    let training = hook.training::<Perceptron>(
        folder.path(),
        Arc::new(batches(1, 1)),
        Arc::new(batches(1, 2)),
    );
    assert!(
        training.interrupter().should_stop(),
        "the training has the hook's interrupter"
    );
}

/// Trains with each metric registered by itself.
fn train_with_separate_metrics(hook: &Hook<Batch>, folder: &Path) {
    let training = SupervisedTraining::new(
        folder,
        hook.tap(Arc::new(batches(2, 1))),
        Arc::new(batches(2, 2)),
    )
    .metrics((
        LossMetric::new(),
        hook.penalty_metric(),
        hook.measure_metric(),
    ))
    .with_application_logger(None);
    training.launch(Learner::new(
        hook.wrap(model()),
        AdamWConfig::new().init(),
        1e-3,
    ));
}

#[test]
fn metrics_without_a_regularizer_log_nothing() {
    let hook = Hook::<Batch>::without_regularizer();
    let folder = tempfile::tempdir().unwrap();
    assert!(train(&hook, folder.path(), 1).error.is_none());
    assert_eq!(names(&logs(folder.path(), "train", 1)), ["Loss"]);
    assert_eq!(
        names(&logs(folder.path(), "valid", 1)),
        ["IsoScore", "Loss"]
    );

    // Registers each metric separately, including for the split without a penalty.
    let folder = tempfile::tempdir().unwrap();
    train_with_separate_metrics(&hook, folder.path());
    assert_eq!(names(&logs(folder.path(), "train", 1)), ["Loss"]);
    assert_eq!(names(&logs(folder.path(), "valid", 1)), ["Loss"]);
}

#[test]
fn a_split_without_a_penalty_logs_none() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, _) = hook(0.1);
    train_with_separate_metrics(&hook, folder.path());
    assert_eq!(
        names(&logs(folder.path(), "train", 1)),
        ["IsoScore_star", "Loss", "Penalty"]
    );
    assert_eq!(names(&logs(folder.path(), "valid", 1)), ["Loss"]);
}

#[test]
fn validation_computes_moments_only_if_a_metric_wants_them() {
    let hook = Hook::new(IStarConfig::new(0.1).init().unwrap());
    let wrapped = hook.wrap(model()).valid();
    let has_moments = || {
        let batch = batches(1, 3).iter().next().unwrap().unwrap();
        let input: MomentsInput = InferenceStep::step(&wrapped, batch).adapt();
        input.0.is_some()
    };
    assert!(!has_moments());
    let _others = (hook.penalty_metric(), hook.measure_metric());
    assert!(!has_moments());
    let _metric = hook.isoscore_metric();
    assert!(has_moments());
}

/// Compares the score of a long split with the one from moments summed in f64 on the host.
#[test]
fn the_score_of_a_long_split_is_that_of_moments_added_up_on_the_host() {
    let hook = Hook::<Batch>::without_regularizer();
    let mut metric = hook.isoscore_metric();
    let wrapped = hook.wrap(model()).valid();
    let split = batches(300, 6);
    let mut host = RunningMoments::new(super::common::WIDTH);
    for batch in split.iter().map(Result::unwrap) {
        host.update(
            &StateSelection::default().moments(&wrapped.inner().hidden_states(batch.clone())),
        )
        .unwrap();
        metric
            .update(&InferenceStep::step(&wrapped, batch).adapt(), &metadata())
            .unwrap();
        assert!(metric.value().is_none(), "nothing is read before the end");
    }
    metric.compute().unwrap();
    let (score, expected) = (metric.final_value().current(), host.isoscore().unwrap());
    assert!(
        (score - expected).abs() <= 1e-12 * expected,
        "{score} {expected}"
    );
    metric.clear();
    assert!(
        metric.final_value().current().is_nan(),
        "the next split starts with nothing"
    );
}

/// Regularizer that pulls the mean square of the last layer towards 1.
#[derive(Debug)]
struct UnitSquare;

impl Regularizer for UnitSquare {
    fn measure_name(&self) -> &str {
        "Mean square"
    }

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let measure = states.layer(states.depth()).clone().square().mean();
        Penalty::new((measure.clone() - 1.0).square(), measure)
    }
}

#[test]
fn a_sum_and_a_boxed_regularizer_train_like_any_other() {
    let istar = || IStarConfig::new(0.1).init().unwrap();
    let sum = Sum(vec![Box::new(UnitSquare), Box::new(istar())]);
    let boxed: Box<dyn Regularizer> = Box::new(istar());
    for (hook, measure) in [
        (Hook::new(sum), "Mean_square"),
        (HookConfig::new().init(boxed), "IsoScore_star"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(train(&hook, folder.path(), 1).error.is_none());
        let logs = logs(folder.path(), "train", 1);
        assert!(
            logs.iter()
                .any(|(name, lines)| name == measure && !lines.contains("NaN")),
            "{logs:?}"
        );
    }
}

fn output<O>(output: O) -> RegularizedOutput<O> {
    let task_loss = Tensor::zeros([1], &Device::flex());
    RegularizedOutput {
        task_loss,
        penalty: None,
        states: None,
        moments: None,
        output,
    }
}

/// Custom task output that Burn's metrics do not support.
struct Text;

impl Adaptor<BleuInput> for Text {
    fn adapt(&self) -> BleuInput {
        BleuInput::new(
            Tensor::zeros([1, 2], &Device::flex()),
            Tensor::zeros([1, 2], &Device::flex()),
        )
    }
}

impl Adaptor<RougeLInput> for Text {
    fn adapt(&self) -> RougeLInput {
        RougeLInput::new(
            Tensor::zeros([1, 2], &Device::flex()),
            Tensor::zeros([1, 2], &Device::flex()),
        )
    }
}

/// Value of a metric for one output.
fn value<M: Metric + Numeric>(mut metric: M, output: &impl Adaptor<M::Input>) -> f64 {
    metric.update(&output.adapt(), &metadata()).unwrap();
    metric.value().unwrap().current()
}

#[test]
fn the_metrics_of_burn_s_outputs_take_the_regularized_output() {
    let device = Device::flex();
    let labels = || {
        let scores = Tensor::from_floats([[0.9, 0.1], [0.2, 0.8]], &device);
        MultiLabelClassificationOutput::new(
            Tensor::zeros([1], &device),
            scores,
            Tensor::from_ints([[1, 0], [1, 1]], &device),
        )
    };
    assert_eq!(value(HammingScore::new(), &labels()), 75.0);
    assert_eq!(value(HammingScore::new(), &output(labels())), 75.0);

    let tokens = || {
        let predicted = Tensor::from_ints([[1, 2, 3, 4]], &device);
        let targets = Tensor::from_ints([[1, 2, 4, 4]], &device);
        SequenceOutput::new(
            Tensor::zeros([1], &device),
            Tensor::zeros([1, 4, 5], &device),
            Some(predicted),
            targets,
        )
    };
    assert_eq!(
        value(CharErrorRate::new(), &output(tokens())),
        value(CharErrorRate::new(), &tokens())
    );
    assert_eq!(value(WordErrorRate::new(), &output(tokens())), 25.0);

    fn takes<I>(_: &impl Adaptor<I>) {}
    takes::<HammingScoreInput>(&output(labels()));
    takes::<ConfusionStatsInput>(&output(labels()));
    takes::<CerInput>(&output(tokens()));
    takes::<WerInput>(&output(tokens()));
    takes::<LossInput>(&output(tokens()));
    takes::<PerplexityInput>(&output(tokens()));
    takes::<TopKAccuracyInput>(&output(tokens()));
    takes::<BleuInput>(&output(Text));
    takes::<RougeLInput>(&output(Text));
}
