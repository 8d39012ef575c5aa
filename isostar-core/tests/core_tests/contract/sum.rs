//! A sum of regularizers is a regularizer.

use burn::prelude::*;
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, IStarConfig, LayerSelection, Regularizer, StateSelection,
    StepContext, Sum,
};

use crate::common::{
    Points, assert_within, devices, differentiate_tensor, distance, largest, scalar,
};

/// I-STAR on `layers`, shrunk towards a reference of the same layers.
fn istar(weight: f64, layers: LayerSelection) -> IStar {
    let states = StateSelection {
        layers,
        ..StateSelection::default()
    };
    IStarConfig::new(weight)
        .with_states(states)
        .init()
        .expect("valid")
}

#[test]
fn the_penalty_of_a_sum_is_the_sum_of_the_penalties_and_its_measure_the_first_one_s() {
    let cosine = || CosRegConfig::new().with_weight(0.4).init().expect("valid");
    let sum = Sum(vec![
        Box::new(istar(0.7, LayerSelection::All)),
        Box::new(cosine()),
    ]);
    let first = istar(0.7, LayerSelection::All);
    assert_eq!(sum.measure_name(), first.measure_name());
    assert_eq!(
        (sum.states(), sum.collapsed_below()),
        (first.states(), first.collapsed_below())
    );
    assert_eq!(sum.reference_states(), first.reference_states());
    let reversed = Sum(vec![
        Box::new(cosine()),
        Box::new(istar(0.7, LayerSelection::All)),
    ]);
    assert_eq!(
        (reversed.measure_name(), reversed.reference_states()),
        ("CosReg", first.reference_states())
    );

    let points = Points::gaussian(24, 5, 3).map(|column, value| value + column as f64);
    for (backend, device) in devices() {
        let reference = Tensor::<2>::eye(5, &device);
        let of = |regularizer: &dyn Regularizer| {
            differentiate_tensor(points.tensor(&device.clone().autodiff()), |rows| {
                regularizer
                    .penalty(
                        &HiddenStates::from_layers(vec![rows.unsqueeze()]),
                        &StepContext::default().with_reference(&reference),
                    )
                    .value
            })
        };
        let ((value, gradient), (one, its), (two, others)) = (of(&sum), of(&first), of(&cosine()));
        assert_within(
            (value - one - two).abs(),
            3e-6,
            format!("penalty on {backend}"),
        );
        let expected: Vec<f64> = its
            .iter()
            .zip(&others)
            .map(|(its, others)| its + others)
            .collect();
        assert_within(
            distance(&gradient, &expected) / largest(&expected),
            1e-6,
            format!("gradient on {backend}"),
        );

        let states = HiddenStates::from_layers(vec![points.tensor(&device).unsqueeze()]);
        let [ours, theirs] = [&sum as &dyn Regularizer, &first].map(|part| {
            scalar(
                part.penalty(&states, &StepContext::default().with_reference(&reference))
                    .measure,
            )
        });
        assert_eq!(ours, theirs, "measure on {backend}");
    }
}

#[test]
#[should_panic(expected = "the parts share one reference but want it of different states")]
fn a_sum_of_parts_that_want_references_of_different_states_is_refused() {
    let parts: Vec<Box<dyn Regularizer>> = vec![
        Box::new(istar(0.7, LayerSelection::All)),
        Box::new(istar(0.7, LayerSelection::Last)),
    ];
    Sum(parts).reference_states();
}

#[test]
fn a_sum_and_a_box_of_any_regularizer_are_regularizers() {
    fn name(regularizer: impl Regularizer + 'static) -> String {
        regularizer.measure_name().to_string()
    }
    let boxed: Box<dyn Regularizer> = Box::new(istar(0.7, LayerSelection::All));
    let nested = Sum(vec![Box::new(Sum(vec![boxed]))]);
    assert_eq!(nested.reference_states(), Some(&StateSelection::default()));
    assert_eq!(
        name(Box::new(nested) as Box<dyn Regularizer>),
        "IsoScore star"
    );
}
