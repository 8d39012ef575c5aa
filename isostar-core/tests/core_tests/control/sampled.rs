//! Scores of a sample of the states.

use super::*;

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
