//! Batches without an estimate, and layers with scores of their own.

use super::*;

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
            for shape in [[6, 2, 4], [12, 1, 4], [4, 3, 4]] {
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
