//! VICReg and SIGReg.

use super::*;

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
