//! Estimators that group states by sequence, and estimated shrinkage, against
//! `scripts/golden_control.py`.

use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::{
    Estimator, HiddenStates, IStar, IsoScorer, LayerSelection, Regularizer, Scores, Shrinkage,
    ShrinkageTarget, SigRegConfig, SigRegPreset, StateSelection, StepContext, Sum, VicRegConfig,
    isoscore_disjoint, isoscore_unbiased,
};
use serde_json::Value;

use crate::common::{
    Points, assert_within, devices, differentiate_tensor, distance, golden, largest, numbers,
    scalar,
};

/// Absolute difference of a score, and of a gradient relative to its largest entry, in f64; the
/// largest observed are 7e-16 and 2e-8.
const DOUBLE: (f64, f64) = (1e-9, 1e-7);
/// The same in f32; the largest observed are 3e-7 and 2e-6.
const SINGLE: (f64, f64) = (1e-4, 1e-4);

/// Hidden states of a golden case.
struct Case {
    name: String,
    /// Layers, sequences, tokens and width.
    dims: [usize; 4],
    states: Points,
    mask: Vec<bool>,
    reference: Points,
    expected: Value,
}

impl Case {
    fn all() -> Vec<Self> {
        let file = golden("control");
        let cases = file["cases"].as_array().expect("a list of cases").clone();
        assert!(!cases.is_empty());
        cases.into_iter().map(Self::new).collect()
    }

    fn new(case: Value) -> Self {
        let length = |value: &Value| value.as_array().expect("an array").len();
        let layers = &case["layers"];
        let dims = [
            length(layers),
            length(&layers[0]),
            length(&layers[0][0]),
            length(&layers[0][0][0]),
        ];
        let numbers = |value: &Value| numbers(value).expect("numbers");
        let reference = Points::from_json(&case["reference"]);
        Self {
            name: case["name"].as_str().expect("a name").into(),
            dims,
            states: Points::new(dims[0] * dims[1] * dims[2], dims[3], numbers(layers)),
            mask: numbers(&case["mask"])
                .iter()
                .map(|one| *one > 0.5)
                .collect(),
            reference,
            expected: case,
        }
    }

    fn named(name: &str) -> Self {
        let found = Self::all().into_iter().find(|case| case.name == name);
        found.expect("there is such a case")
    }

    /// The states as layers of `rows`, `[layers·sequences·tokens, d]`.
    fn hidden_states(&self, rows: Tensor<2>) -> HiddenStates {
        let [layers, sequences, tokens, d] = self.dims;
        let device = rows.device().without_autodiff();
        let layer = |at: usize| {
            let rows = rows
                .clone()
                .narrow(0, at * sequences * tokens, sequences * tokens);
            rows.reshape([sequences, tokens, d])
        };
        let mask = Tensor::<1, Bool>::from_data(self.mask.as_slice(), &device);
        HiddenStates::from_layers((0..layers).map(layer).collect())
            .with_mask(mask.reshape([sequences, tokens]))
    }

    /// Scores, and the gradient by the states, on a device in a precision.
    fn score(
        &self,
        estimator: Estimator,
        device: &Device,
        dtype: DType,
    ) -> (Scores, f64, Vec<f64>) {
        let scorer = IsoScorer::new(estimator, StateSelection::default());
        let reference = self.reference.tensor_of(device, dtype);
        let context = StepContext::default().with_reference(&reference);
        let score = |rows| scorer.scores(&self.hidden_states(rows), &context);
        let rows = self.states.tensor_of(&device.clone().autodiff(), dtype);
        let (value, gradient) = differentiate_tensor(rows.clone(), |rows| score(rows).mean());
        (score(rows), value, gradient)
    }
}

/// The detail of this name.
fn detail(scores: &Scores, name: &str) -> f64 {
    let found = scores.details.iter().find(|detail| detail.name == name);
    scalar(found.expect("there is such a detail").value.clone())
}

/// Runs `check` for each case, device and precision.
fn each(check: impl Fn(&Case, &Device, DType, (f64, f64), &str)) {
    for case in Case::all() {
        for (backend, device) in devices() {
            for (dtype, tolerance) in [(DType::F64, DOUBLE), (DType::F32, SINGLE)] {
                if device.supports_dtype(dtype) {
                    let what = format!("{} in {dtype:?} on {backend}", case.name);
                    check(&case, &device, dtype, tolerance, &what);
                }
            }
        }
    }
}

fn assert_gradient(ours: &[f64], expected: &Value, tolerance: f64, what: &str) {
    let expected = numbers(expected).expect("a gradient");
    let error = distance(ours, &expected) / largest(&expected);
    assert_within(error, tolerance, format!("{what}, gradient"));
}

#[test]
fn disjoint_scores_and_gradients_match_sums_over_tuples_of_sequences() {
    each(|case, device, dtype, (value, gradient), what| {
        let expected = &case.expected["disjoint"];
        let Some(score) = expected["score"].as_f64() else {
            return;
        };
        let (scores, ours, by_states) = case.score(Estimator::Unbiased, device, dtype);
        assert_eq!(detail(&scores, "estimated"), 1.0, "{what}");
        assert_within((ours - score).abs(), value, what);
        assert_gradient(&by_states, &expected["gradient"], gradient, what);
    });
}

#[test]
fn disjoint_estimates_match_sums_over_tuples_of_sequences() {
    each(|case, device, dtype, (tolerance, _), what| {
        let expected = &case.expected["disjoint"];
        let states = case.hidden_states(case.states.tensor_of(device, dtype));
        let layers = states.layers.clone();
        let mask = states.mask.expect("a mask");
        let estimate = isoscore_disjoint(
            Tensor::cat(layers, 1),
            Some(mask.repeat_dim(1, case.dims[0])),
        );
        assert_eq!(
            estimate.isoscore.is_some(),
            expected["score"].is_number(),
            "{what}"
        );
        for (name, ours) in [
            ("trace_of_square", estimate.trace_of_square),
            ("square_of_trace", estimate.square_of_trace),
        ] {
            let theirs = expected[name].as_f64().unwrap_or(0.0);
            let error = (ours - theirs).abs() / theirs.abs().max(f64::MIN_POSITIVE);
            assert_within(error, tolerance, format!("{name} of {what}"));
        }
    });
}

#[test]
fn ledoit_wolf_weights_match_variances_of_entries_over_sequences() {
    each(|case, device, dtype, (value, gradient), what| {
        let expected = &case.expected["ledoit_wolf"];
        let estimator = Estimator::AutoShrunk(ShrinkageTarget::Reference);
        let (scores, ours, by_states) = case.score(estimator, device, dtype);
        let zeta = expected["zeta"].as_f64().expect("a weight");
        assert_within(
            (detail(&scores, "shrinkage") - zeta).abs(),
            value,
            format!("ζ of {what}"),
        );
        assert_within(
            (ours - expected["score"].as_f64().expect("a score")).abs(),
            value,
            what,
        );
        assert_gradient(&by_states, &expected["gradient"], gradient, what);
    });
}

#[test]
fn weights_of_the_scaled_identity_match_the_published_formula() {
    each(|case, device, dtype, (value, gradient), what| {
        let expected = &case.expected["oas"];
        let estimator = Estimator::AutoShrunk(ShrinkageTarget::ScaledIdentity);
        let (scores, ours, by_states) = case.score(estimator, device, dtype);
        let zeta = expected["zeta"].as_f64().expect("a weight");
        assert_within(
            (detail(&scores, "shrinkage") - zeta).abs(),
            value,
            format!("ζ of {what}"),
        );
        assert_within(
            (ours - expected["score"].as_f64().expect("a score")).abs(),
            value,
            what,
        );
        assert_gradient(&by_states, &expected["gradient"], gradient, what);
    });
}

#[test]
fn with_one_row_a_sequence_the_trace_of_the_square_is_that_of_the_unbiased_score() {
    let case = Case::named("one_row_a_sequence_12x1x1x5");
    let (n, d) = (case.states.n as f64, case.states.d);
    for (backend, device) in devices() {
        let rows = case.states.tensor(&device);
        let estimate = isoscore_disjoint(rows.clone().reshape([12, 1, d]), None);
        // That score has the square of the plug-in trace above F̂.
        let score = isoscore_unbiased(rows.clone()).expect("an estimate");
        let mean = rows.clone().mean_dim(0);
        let trace = scalar((rows - mean).square().sum()) / (n - 1.0);
        let frobenius = trace * trace / (score * (d as f64 - 1.0) + 1.0);
        let error = (estimate.trace_of_square / frobenius - 1.0).abs();
        assert_within(error, 1e-5, backend);
    }
}

#[test]
fn fewer_than_four_sequences_score_zero_with_zero_gradient() {
    let case = Case::named("three_sequences_3x4x1x4");
    for (backend, device) in devices() {
        let (scores, ours, gradient) = case.score(Estimator::Unbiased, &device, DType::F32);
        assert_eq!(detail(&scores, "estimated"), 0.0, "{backend}");
        assert_eq!((ours, largest(&gradient)), (0.0, 0.0), "{backend}");
    }
}

/// Scores and gradients of `[sequences, tokens, 4]` states without a mask.
fn score_of(rows: &Points, shape: [usize; 3], device: &Device) -> (f64, f64, Vec<f64>) {
    let scorer = IsoScorer::new(Estimator::Unbiased, StateSelection::default());
    let scores = |rows: Tensor<2>| {
        let states = HiddenStates::from_layers(vec![rows.reshape(shape)]);
        scorer.scores(&states, &StepContext::default())
    };
    let tensor = rows.tensor(&device.clone().autodiff());
    let exists = detail(&scores(tensor.clone()), "estimated");
    let (value, gradient) = differentiate_tensor(tensor, |rows| scores(rows).mean());
    (exists, value, gradient)
}

#[test]
fn states_without_variance_or_with_one_giant_have_no_disjoint_score() {
    for (backend, device) in devices() {
        let constant = Points::from_fn(12, 4, |_, column| column as f64 + 0.3);
        let mut giant = Points::gaussian(12, 4, 3);
        giant.values[5] = 1e6;
        for (what, rows) in [("constant", constant), ("one giant", giant)] {
            for shape in [[6, 2, 4], [12, 1, 4]] {
                let (exists, value, gradient) = score_of(&rows, shape, &device);
                assert_eq!(exists, 0.0, "{what} on {backend}");
                assert_eq!(
                    (value, largest(&gradient)),
                    (0.0, 0.0),
                    "{what} on {backend}"
                );
            }
        }
        let (exists, value, gradient) = score_of(&Points::gaussian(1, 4, 3), [1, 1, 4], &device);
        assert_eq!(
            (exists, value, largest(&gradient)),
            (0.0, 0.0, 0.0),
            "one token on {backend}"
        );
    }
}

#[test]
fn above_a_score_of_one_the_gradient_stays_bounded() {
    // Few sequences of nearly isotropic states: in many draws F̂ is below T̂/d.
    for (backend, device) in devices() {
        let mut seen = 0;
        for seed in 0..40 {
            let rows = Points::gaussian(10, 4, 100 + seed);
            let (exists, value, gradient) = score_of(&rows, [5, 2, 4], &device);
            if exists == 1.0 && value > 1.0 {
                seen += 1;
                let largest = largest(&gradient);
                assert!(
                    largest > 0.0 && largest < 10.0,
                    "{backend}: {value}, {largest}"
                );
            }
        }
        assert!(seen >= 5, "{backend}: {seen} of 40 draws score above 1");
    }
}

#[test]
fn a_batch_of_one_sequence_is_replaced_by_its_target() {
    for (backend, device) in devices() {
        let scorer = IsoScorer::new(
            Estimator::AutoShrunk(ShrinkageTarget::Identity),
            StateSelection::default(),
        );
        let rows = Points::gaussian(6, 4, 3).tensor(&device.clone().autodiff());
        let states = HiddenStates::from_layers(vec![rows.require_grad().reshape([1, 6, 4])]);
        let scores = scorer.scores(&states, &StepContext::default());
        assert_eq!(detail(&scores, "shrinkage"), 1.0, "{backend}");
        assert_eq!(scalar(scores.mean()), 1.0, "{backend}");
    }
}

#[test]
fn layers_of_their_own_score_as_each_layer_alone() {
    let case = Case::named("unequal_lengths_7x5x2x6");
    let device = Device::flex();
    let states = case.hidden_states(case.states.tensor(&device));
    let reference = case.reference.tensor(&device);
    let both = Tensor::cat(vec![reference.clone(), reference.clone() * 2.0], 0);
    let estimators = [
        || Estimator::Unbiased,
        || Estimator::AutoShrunk(ShrinkageTarget::Reference),
        || Estimator::Shrunk(Shrinkage::new(0.3, ShrinkageTarget::Reference).expect("valid")),
    ];
    for estimator in estimators {
        let scorer = |layers| {
            let selection = StateSelection {
                layers,
                ..StateSelection::default()
            };
            IsoScorer::new(estimator(), selection)
        };
        let context = StepContext::default().with_reference(&both);
        let selection: LayerSelection = "1:0.5,2:-2".parse().expect("layers");
        let weighted = scorer(selection).scores(&states, &context);
        let alone = |layer: usize, reference: Tensor<2>| {
            let context = StepContext::default().with_reference(&reference);
            let scores = scorer(LayerSelection::Only(vec![layer])).scores(&states, &context);
            scalar(scores.mean())
        };
        let expected = [
            alone(1, reference.clone()),
            alone(2, reference.clone() * 2.0),
        ];
        for (at, expected) in expected.iter().enumerate() {
            let value = scalar(weighted.values[at].clone());
            assert_within((value - expected).abs(), 1e-6, format!("layer {}", at + 1));
            let logged = detail(&weighted, &format!("isoscore {}", at + 1));
            assert_eq!(logged, value);
        }
        let defect = 0.5 * (1.0 - expected[0]) - 2.0 * (1.0 - expected[1]);
        assert_within((scalar(weighted.defect()) - defect).abs(), 1e-5, "penalty");
        let mean = (0.5 * expected[0] + 2.0 * expected[1]) / 2.5;
        assert_within((scalar(weighted.mean()) - mean).abs(), 1e-6, "measure");
    }
}

#[test]
fn only_a_reference_needs_calibration() {
    let needs = |estimator| {
        let scorer = IsoScorer::new(estimator, StateSelection::default());
        let istar = IStar::with_scorer(1.0, scorer).expect("a finite weight");
        istar.reference_states().is_some()
    };
    assert!(!needs(Estimator::Unbiased));
    assert!(needs(Estimator::AutoShrunk(ShrinkageTarget::Reference)));
    assert!(!needs(Estimator::AutoShrunk(
        ShrinkageTarget::ScaledIdentity
    )));
}

/// Compares value and gradient of a penalty with weight 1 with those under `key`.
fn assert_penalty(key: &str, regularizer: &dyn Regularizer) {
    each(|case, device, dtype, (value, gradient), what| {
        let expected = &case.expected[key];
        let Some(exact) = expected["value"].as_f64() else {
            return;
        };
        let what = format!("{key} of {what}");
        let context = StepContext::default().with_step(12);
        let rows = case.states.tensor_of(&device.clone().autodiff(), dtype);
        let (ours, by_states) = differentiate_tensor(rows.clone(), |rows| {
            regularizer
                .penalty(&case.hidden_states(rows), &context)
                .value
        });
        assert_within((ours - exact).abs() / exact.abs().max(1.0), value, &what);
        assert_gradient(&by_states, &expected["gradient"], gradient, &what);
        let measure = regularizer
            .penalty(&case.hidden_states(rows), &context)
            .measure;
        let error = (scalar(measure) - ours).abs() / exact.abs().max(1.0);
        assert_within(error, value, format!("measure of {what}"));
    });
}

#[test]
fn vicreg_matches_the_published_terms() {
    assert_penalty("vicreg", &VicRegConfig::new().init().expect("valid"));
}

#[test]
fn sigreg_matches_both_published_forms() {
    let settings = || {
        SigRegConfig::new()
            .with_weight(1.0)
            .with_slices(7)
            .with_seed(5)
    };
    assert_penalty("sigreg_paper", &settings().init().expect("valid"));
    let minimal = settings().with_preset(SigRegPreset::Minimal);
    assert_penalty("sigreg_minimal", &minimal.init().expect("valid"));
}

#[test]
fn sigreg_draws_new_directions_in_every_step_and_the_same_ones_again() {
    let device = Device::flex();
    let states = HiddenStates::from_vectors(vec![Points::gaussian(20, 6, 3).tensor(&device)]);
    let regularizer = SigRegConfig::new().with_slices(4).init().expect("valid");
    let at = |step| {
        let context = StepContext::default().with_step(step);
        scalar(regularizer.penalty(&states, &context).value)
    };
    assert_eq!(at(3), at(3));
    assert_ne!(at(3), at(4));
}

#[test]
fn sigreg_logs_the_variance_of_projections_which_is_1_over_d_for_unit_norms() {
    let points = Points::gaussian(200, 64, 8);
    let norm = |row: usize| points.row(row).iter().map(|x| x * x).sum::<f64>().sqrt();
    let unit = Points::from_fn(200, 64, |row, column| points.row(row)[column] / norm(row));
    let regularizer = SigRegConfig::new().init().expect("valid");
    for (points, expected) in [(&points, 1.0), (&unit, 1.0 / 64.0)] {
        let states = HiddenStates::from_vectors(vec![points.tensor(&Device::flex())]);
        let penalty = regularizer.penalty(&states, &StepContext::default());
        let variance = penalty
            .details
            .iter()
            .find(|detail| detail.name == "sigreg variance");
        let ratio = scalar(variance.expect("is logged").value.clone()) / expected;
        assert!((ratio - 1.0).abs() < 0.1, "{ratio} times 1/d");
    }
}

#[test]
fn other_penalties_add_up_with_istar() {
    let device = Device::flex();
    let states = HiddenStates::from_vectors(vec![Points::gaussian(20, 6, 3).tensor(&device)]);
    let parts = || -> Vec<Box<dyn Regularizer>> {
        let scorer = IsoScorer::new(Estimator::Unbiased, StateSelection::default());
        vec![
            Box::new(IStar::with_scorer(-0.3, scorer).expect("valid")),
            Box::new(VicRegConfig::new().with_weight(0.1).init().expect("valid")),
            Box::new(SigRegConfig::new().init().expect("valid")),
        ]
    };
    let context = StepContext::default();
    let sum = Sum(parts()).penalty(&states, &context);
    let alone: f64 = parts()
        .iter()
        .map(|part| scalar(part.penalty(&states, &context).value))
        .sum();
    assert_within((scalar(sum.value) - alone).abs(), 1e-5, "sum");
    let names: Vec<&str> = sum
        .details
        .iter()
        .map(|detail| detail.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "estimated",
            "vicreg variance",
            "vicreg covariance",
            "sigreg variance"
        ]
    );
}

/// Mean of numbers, and its standard error.
fn mean_and_error(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

#[test]
fn samples_of_states_estimate_the_score_and_its_gradient() {
    let device = Device::flex();
    let (sequences, tokens, d) = (12, 8, 6);
    let layer = |seed| {
        let points = Points::gaussian(sequences * tokens, d, seed);
        points.map(|column, value| value * (2.0 - 0.3 * column as f64))
    };
    let lengths: Vec<usize> = (0..sequences).map(|at| 3 + at % 6).collect();
    let mask: Vec<bool> = (0..sequences * tokens)
        .map(|at| at % tokens < lengths[at / tokens])
        .collect();
    let rows = Points::concat(&[layer(4), layer(5)]);
    let case = Case {
        name: "sampled".into(),
        dims: [2, sequences, tokens, d],
        states: rows.clone(),
        mask,
        reference: Points::from_fn(d, d, |row, column| if row == column { 1.0 } else { 0.0 }),
        expected: Value::Null,
    };
    let reference = case.reference.tensor(&device);
    let estimators = [
        Estimator::Unbiased,
        Estimator::Shrunk(Shrinkage::new(0.0, ShrinkageTarget::Reference).expect("valid")),
        Estimator::Shrunk(Shrinkage::new(0.3, ShrinkageTarget::Reference).expect("valid")),
        Estimator::Shrunk(Shrinkage::new(0.3, ShrinkageTarget::ScaledIdentity).expect("valid")),
    ];
    for estimator in estimators {
        let score = |scorer: &IsoScorer, step| {
            let context = StepContext::default()
                .with_reference(&reference)
                .with_step(step);
            differentiate_tensor(rows.tensor(&device.clone().autodiff()), |rows| {
                scorer.scores(&case.hidden_states(rows), &context).mean()
            })
        };
        let whole = IsoScorer::new(estimator.clone(), StateSelection::default());
        let (exact, exact_gradient) = score(&whole, 0);
        let sampled = whole.with_sample(96, 7);
        let draws: Vec<(f64, Vec<f64>)> = (0..300).map(|step| score(&sampled, step)).collect();
        let values: Vec<f64> = draws.iter().map(|(value, _)| *value).collect();
        let (mean, error) = mean_and_error(&values);
        // The ratio of two unbiased sums has a bias of about its relative variance.
        let bias = error * error * draws.len() as f64;
        let what = format!("{estimator:?}: {mean} ± {error} for {exact}");
        assert!((mean - exact).abs() <= 4.0 * error + 2.0 * bias, "{what}");
        assert!(error * 300f64.sqrt() > 1e-3, "a sample varies: {what}");
        // The mean gradient, as the slope along the exact one.
        let square: f64 = exact_gradient.iter().map(|entry| entry * entry).sum();
        let slopes: Vec<f64> = draws
            .iter()
            .map(|(_, gradient)| {
                gradient
                    .iter()
                    .zip(&exact_gradient)
                    .map(|(a, b)| a * b)
                    .sum::<f64>()
                    / square
            })
            .collect();
        let (slope, error) = mean_and_error(&slopes);
        assert!(
            (slope - 1.0).abs() <= 4.0 * error + 0.05,
            "gradient of {estimator:?}: {slope} ± {error}"
        );
    }
}

#[test]
fn a_sample_of_at_least_all_states_is_all_states() {
    let case = Case::named("unequal_lengths_7x5x2x6");
    let device = Device::flex();
    let states = case.hidden_states(case.states.tensor(&device));
    let scorer = IsoScorer::new(Estimator::Unbiased, StateSelection::default());
    let score = |scorer: &IsoScorer| scalar(scorer.scores(&states, &StepContext::default()).mean());
    assert_eq!(score(&scorer.clone().with_sample(70, 1)), score(&scorer));
    assert_eq!(score(&scorer.clone().with_sample(0, 1)), score(&scorer));
    assert_ne!(score(&scorer.clone().with_sample(60, 1)), score(&scorer));
}
