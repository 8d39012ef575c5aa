//! Estimators that group states by sequence, estimated shrinkage, and other penalties, against
//! `scripts/golden_control.py`.

mod edges;
mod golden;
mod penalties;
mod sampled;
mod scales;

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
