//! Values and gradients against sums over tuples of sequences and over entries of a covariance.

use super::*;

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

/// Compares the estimated ζ, and the score and the gradient with it, with those under `name`.
fn assert_estimated(target: &ShrinkageTarget, name: &str) {
    each(|case, device, dtype, (value, gradient), what| {
        let expected = &case.expected[name];
        let estimator = Estimator::AutoShrunk(target.clone());
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
fn ledoit_wolf_weights_match_variances_of_entries_over_sequences() {
    assert_estimated(&ShrinkageTarget::Reference, "ledoit_wolf");
}

#[test]
fn weights_of_the_scaled_identity_match_the_published_formula() {
    assert_estimated(&ShrinkageTarget::ScaledIdentity, "oas");
}
