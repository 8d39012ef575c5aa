//! Values and gradients against the authors' code.

mod cosines;
mod moments;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{
    Points, assert_within, devices, differentiate, distance, golden, largest, numbers, scalar,
    values,
};
use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::measure::{MEASURES, Needs};
use isostar_core::{
    HiddenStates, IStar, Padding, Shrinkage, ShrinkageTarget, StateSelection, StepContext,
    isoscore, isoscore_of_covariance, isoscore_star,
};
use serde_json::Value;

/// Absolute difference of scores in f32; the largest observed is 1.2e-7.
const SCORE: f64 = 1e-5;
/// Largest error of a gradient relative to its largest entry; the largest observed is 2e-5, at a
/// mean of 50σ.
const GRADIENT: f64 = 1e-4;

/// Cases in which f32 cannot keep four digits of a gradient: name, ζ, the absolute difference
/// allowed, and the reason.
const LOOSER: &[(&str, f64, f64, &str)] = &[
    (
        "line_10x3",
        0.0,
        1e-8,
        "the exact gradient is 0, that of rounding 5e-10 where coordinates are about 10",
    ),
    (
        "two_points_2x3",
        0.0,
        2e-6,
        "the exact gradient is 0, that of rounding 5e-7 where coordinates are about 1",
    ),
    (
        "near_isotropic_32x4",
        0.0,
        5e-8,
        "the exact gradient is 2e-9, that of rounding 9e-9 where coordinates are about 1",
    ),
    ("near_isotropic_32x4", 0.2, 5e-8, "as without shrinkage"),
    (
        "tiny_scale_12x4",
        0.2,
        2e-10,
        "Σ is 0.2·I + 1e-6, of which f32 keeps one digit; the exact gradient is 3e-9, the difference 4e-11",
    ),
];

/// Tolerance of a gradient; `scale` is the largest entry of the exact gradient.
fn gradient_tolerance(name: &str, zeta: f64, scale: f64) -> f64 {
    let looser = LOOSER.iter().find(|case| case.0 == name && case.1 == zeta);
    looser.map_or(GRADIENT * scale, |case| case.2)
}

fn shrinkage(weight: f64, target: impl Into<ShrinkageTarget>) -> Shrinkage {
    Shrinkage::new(weight, target).expect("a weight in [0, 1]")
}

fn cases(file: &Value, key: &str) -> Vec<Value> {
    let cases = file[key].as_array().expect("a list of cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

#[test]
fn scores_of_points_match_the_authors() {
    for case in cases(&golden("isoscore"), "cases") {
        let points = Points::from_json(&case["points"]);
        for (backend, device) in devices() {
            for key in ["isoscore", "isoscore_v1"] {
                let Some(expected) = case[key].as_f64() else {
                    continue;
                };
                let ours = scalar(isoscore(points.tensor(&device)));
                assert_within(
                    (ours - expected).abs(),
                    SCORE,
                    format!("{} {key} on {backend}", name(&case)),
                );
            }
        }
    }
}

#[test]
fn shrunk_scores_and_their_gradients_match_the_authors() {
    for case in cases(&golden("isoscore"), "cases") {
        let points = Points::from_json(&case["points"]);
        for row in cases(&case, "star") {
            let (Some(expected), Some(gradient)) =
                (row["isoscore_star"].as_f64(), numbers(&row["grad_points"]))
            else {
                continue;
            };
            let zeta = row["zeta"].as_f64().expect("a weight");
            for (backend, device) in devices() {
                let target = match case["c0"].as_str() {
                    Some(_) => ShrinkageTarget::Identity,
                    None => ShrinkageTarget::Matrix(Points::from_json(&case["c0"]).tensor(&device)),
                };
                let shrinkage = shrinkage(zeta, target);
                let (ours, our_gradient) = differentiate(&points, &device, |points| {
                    isoscore_star(points, &shrinkage, None)
                });
                let what = format!("{} ζ = {zeta} on {backend}", name(&case));
                assert_within((ours - expected).abs(), SCORE, &what);
                assert_within(
                    distance(&our_gradient, &gradient),
                    gradient_tolerance(name(&case), zeta, largest(&gradient)),
                    format!("{what}, gradient"),
                );
            }
        }
    }
}

#[test]
fn scores_of_covariances_match_the_authors() {
    for case in cases(&golden("isoscore"), "covariances") {
        let expected = case["isoscore_star"].as_f64().expect("a score");
        for (backend, device) in devices() {
            let ours = scalar(isoscore_of_covariance(
                Points::from_json(&case["covariance"]).tensor(&device),
            ));
            assert_within(
                (ours - expected).abs(),
                SCORE,
                format!("{} on {backend}", name(&case)),
            );
        }
    }
}

#[test]
fn where_the_authors_have_no_value_the_outcome_is_the_documented_one() {
    let file = golden("isoscore");
    let named = |wanted: &str| {
        cases(&file, "cases")
            .into_iter()
            .find(|case| name(case) == wanted)
            .expect(wanted)
    };
    for (backend, device) in devices() {
        for wanted in ["constant_points_6x3", "one_point_1x3"] {
            let case = named(wanted);
            assert!(case["isoscore"].is_null());
            let points = Points::from_json(&case["points"]);
            let (score, gradient) = differentiate(&points, &device, isoscore);
            assert_eq!(score, 0.0, "{wanted} on {backend}");
            assert!(
                gradient.iter().all(|&entry| entry == 0.0),
                "{wanted} on {backend}: {gradient:?}"
            );

            // Shrinking a zero covariance towards the identity gives a multiple of the identity.
            let shrinkage = shrinkage(0.2, ShrinkageTarget::Identity);
            let (score, gradient) = differentiate(&points, &device, |points| {
                isoscore_star(points, &shrinkage, None)
            });
            assert_within(
                (score - 1.0).abs(),
                SCORE,
                format!("{wanted} shrunk on {backend}"),
            );
            assert!(
                gradient.iter().all(|&entry| entry == 0.0),
                "{wanted} shrunk on {backend}: {gradient:?}"
            );
        }

        let case = named("one_dim_8x1");
        assert!(case["isoscore"].is_null());
        let points = Points::from_json(&case["points"]).tensor(&device);
        let panic = catch_unwind(AssertUnwindSafe(|| isoscore(points)))
            .expect_err("one dimension has no isotropy");
        let message = panic
            .downcast_ref::<String>()
            .expect("a panic with a message");
        assert!(
            message.contains("needs at least two dimensions, got 1"),
            "{message} on {backend}"
        );
    }
}

#[test]
fn selections_of_layers_and_padding_match_the_authors() {
    let file = golden("layers");
    let [layers, sequences, tokens, d] = [4, 2, 4, 6];
    let hidden = numbers(&file["hidden_states"]).expect("hidden states");
    let mask: Vec<bool> = numbers(&file["attention_mask"])
        .expect("a mask")
        .iter()
        .map(|&entry| entry == 1.0)
        .collect();
    assert_eq!(hidden.len(), layers * sequences * tokens * d);
    assert_eq!(
        mask.iter().filter(|&&entry| !entry).count(),
        2,
        "there is padding to be left out"
    );
    let zeta = file["zeta"].as_f64().expect("a weight");

    for (backend, device) in devices() {
        let autodiff = device.clone().autodiff();
        let reference = Points::from_json(&file["c0"]).tensor(&device);
        for row in cases(&file, "expected") {
            let states: Vec<Tensor<3>> = hidden
                .chunks(sequences * tokens * d)
                .map(|layer| {
                    let data = TensorData::new(layer.to_vec(), [sequences, tokens, d])
                        .convert_dtype(DType::F32);
                    Tensor::from_data(data, (&autodiff, DType::F32)).require_grad()
                })
                .collect();
            let hidden_states = HiddenStates {
                embedding_output: Some(states[0].clone()),
                layers: states[1..].to_vec(),
                mask: Some(Tensor::from_data(
                    TensorData::new(mask.clone(), [sequences, tokens]),
                    &autodiff,
                )),
            };
            let (selected, padding) = (
                row["layers"].as_str().expect("layers"),
                row["padding"].as_str().expect("padding"),
            );
            let selection = StateSelection {
                layers: selected.parse().expect("a selection"),
                padding: if padding == "included" {
                    Padding::Keep
                } else {
                    Padding::Mask
                },
            };
            let count = selection.moments(&hidden_states).count.into_scalar::<f64>();
            assert_eq!(count, row["n_points"].as_f64().expect("a count"));

            let istar = IStar::new(1.0, shrinkage(zeta, ShrinkageTarget::Reference), selection)
                .expect("valid settings");
            let score = istar.score(
                &hidden_states,
                &StepContext::default().with_reference(&reference),
            );
            let gradients = score.backward();
            let what = format!("layers {selected}, padding {padding} on {backend}");
            let expected = row["isoscore_star"].as_f64().expect("a score");
            assert_within((scalar(score) - expected).abs(), SCORE, &what);

            let gradient = numbers(&row["grad_hidden_states"]).expect("a gradient");
            let nothing = vec![0.0; sequences * tokens * d];
            let ours: Vec<f64> = states
                .iter()
                .flat_map(|state| {
                    state
                        .grad(&gradients)
                        .map_or(nothing.clone(), |gradient| values(&gradient))
                })
                .collect();
            assert_within(
                distance(&ours, &gradient),
                GRADIENT * largest(&gradient),
                format!("{what}, gradient"),
            );
        }
    }
}

/// Relative difference of values from products in f32 and in float64; the largest observed is
/// 3.3e-6, for a score of 0.009.
const MEASURED: f64 = 1e-5;

#[test]
fn every_measure_has_the_value_of_its_definition() {
    for case in cases(&golden("measures"), "cases") {
        let points = Points::from_json(&case["points"]);
        for measure in MEASURES
            .iter()
            .filter(|measure| measure.needs != Needs::Reference)
        {
            let expected = case["measures"][measure.name]
                .as_f64()
                .unwrap_or_else(|| panic!("{} has no golden value", measure.name));
            for (backend, device) in devices() {
                let value = measure
                    .of(points.tensor(&device))
                    .unwrap_or_else(|| panic!("{} has no value", measure.name));
                let what = format!(
                    "{} of {} on {backend}: {value} and {expected}",
                    measure.name,
                    name(&case)
                );
                assert_within(
                    (value - expected).abs() / (1e-3 + expected.abs()),
                    MEASURED,
                    what,
                );
            }
        }
    }
}
