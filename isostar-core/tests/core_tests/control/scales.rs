//! Scores do not depend on the scale of the states, and gradients are inverse to it.

use super::*;

/// Exponents of the scales. Powers of two are exact, so only underflow and overflow make a difference.
const EXPONENTS: [i32; 4] = [-60, -40, 40, 60];

/// Difference of a score, and of its gradient times the scale relative to the largest entry. At 2^60,
/// derivatives by a scatter are subnormal numbers of f32, with half of their digits.
const TOLERANCE: (f64, f64) = (1e-6, 1e-4);

const DIMS: [usize; 4] = [2, 12, 4, 6];

/// Two layers whose states vary by different amounts in different directions, about a mean. At 2^60,
/// the sum of their squares is still a number of f32.
fn states() -> Points {
    let [layers, sequences, tokens, d] = DIMS;
    let points = Points::gaussian(layers * sequences * tokens, d, 21);
    points.map(|column, value| 0.25 * value * (1.0 - 0.12 * column as f64) + 0.1 * column as f64)
}

fn case(exponent: i32) -> Case {
    let [_, sequences, tokens, d] = DIMS;
    let scale = 2f64.powi(exponent);
    let lengths = [4, 2, 3, 4, 1, 4, 3, 2, 4, 4, 3, 4];
    let mask = (0..sequences * tokens).map(|at| at % tokens < lengths[at / tokens]);
    Case {
        name: format!("scale 2^{exponent}"),
        dims: DIMS,
        states: states().map(|_, value| value * scale),
        mask: mask.collect(),
        reference: Points::from_fn(2 * d, d, |row, column| {
            let entry = if row % d == column { 0.08 } else { 0.01 };
            entry * scale * scale
        }),
        expected: Value::Null,
    }
}

fn estimators() -> Vec<(&'static str, Estimator)> {
    let shrunk = |zeta, target| Estimator::Shrunk(Shrinkage::new(zeta, target).expect("valid"));
    vec![
        ("plain", shrunk(0.0, ShrinkageTarget::Reference)),
        ("shrunk", shrunk(0.3, ShrinkageTarget::Reference)),
        (
            "scaled identity",
            shrunk(0.3, ShrinkageTarget::ScaledIdentity),
        ),
        ("auto", Estimator::AutoShrunk(ShrinkageTarget::Reference)),
        (
            "auto, scaled identity",
            Estimator::AutoShrunk(ShrinkageTarget::ScaledIdentity),
        ),
        ("unbiased", Estimator::Unbiased),
    ]
}

/// The weighted sum of the scores, and its gradient times the scale.
fn score(
    estimator: &Estimator,
    layers: &str,
    sample: usize,
    exponent: i32,
    device: &Device,
) -> (f64, Vec<f64>) {
    let case = case(exponent);
    let selection = StateSelection {
        layers: layers.parse().expect("a selection"),
        ..StateSelection::default()
    };
    let scorer = IsoScorer::new(estimator.clone(), selection).with_sample(sample, 3);
    let groups = if layers == "all" { 1 } else { 2 };
    let reference = case.reference.tensor(device);
    let reference = reference.narrow(0, 0, groups * DIMS[3]);
    let context = StepContext::default().with_reference(&reference);
    let rows = case.states.tensor(&device.clone().autodiff());
    let (value, gradient) = differentiate_tensor(rows, |rows| {
        let states = case.hidden_states(rows);
        scorer.scores(&states, &context).weighted_sum()
    });
    let scale = 2f64.powi(exponent);
    (value, gradient.iter().map(|entry| entry * scale).collect())
}

#[test]
fn scores_do_not_depend_on_scale_and_gradients_are_inverse_to_it() {
    for (backend, device) in devices() {
        for (name, estimator) in estimators() {
            for layers in ["all", "each", "1:0.5,2:2"] {
                for sample in [0, 60] {
                    let (expected, by_states) = score(&estimator, layers, sample, 0, &device);
                    assert!(
                        largest(&by_states) > 1e-4,
                        "a gradient of zero tests nothing"
                    );
                    for exponent in EXPONENTS {
                        // GPUs may replace subnormal numbers by zero.
                        if backend == "wgpu" && exponent.abs() > 40 {
                            continue;
                        }
                        let what = format!(
                            "{name} of {layers}, {sample} states, at 2^{exponent} on {backend}"
                        );
                        let (value, gradient) =
                            score(&estimator, layers, sample, exponent, &device);
                        let apart = distance(&gradient, &by_states) / largest(&by_states);
                        assert_within((value - expected).abs(), TOLERANCE.0, &what);
                        assert_within(apart, TOLERANCE.1, format!("{what}, gradient"));
                    }
                }
            }
        }
    }
}
