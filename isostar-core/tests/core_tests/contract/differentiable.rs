//! The contract of every differentiable function: measures, measures with settings, and regularizers.

use burn::prelude::*;
use isostar_core::measure::MEASURES;
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Regularizer, Shrinkage, ShrinkageTarget,
    StateSelection, StepContext, Sum, isoscore_interval, isoscore_of_covariance, isoscore_star,
};

use super::{every_measure, odd_points, points};
use crate::common::{devices, differentiate, scalar};

type Differentiable = fn(Tensor<2>) -> Tensor<1>;

/// Differentiable functions that are not in the table: measures with settings, and the
/// regularizers.
const VARIANTS: &[(&str, Differentiable)] = &[
    ("isoscore_of_covariance", |points| {
        isoscore_of_covariance(Moments::from_points(points).covariance())
    }),
    ("isoscore_star towards the reference", |points| {
        let reference =
            Moments::from_points(points.clone().without_autodiff().square()).covariance();
        isoscore_star(
            points,
            &shrinkage(ShrinkageTarget::Reference),
            Some(&reference),
        )
    }),
    ("isoscore_star towards the identity", |points| {
        isoscore_star(points, &shrinkage(ShrinkageTarget::Identity), None)
    }),
    ("isoscore_star towards the scaled identity", |points| {
        isoscore_star(points, &shrinkage(ShrinkageTarget::ScaledIdentity), None)
    }),
    ("IStar", |points| {
        let istar = IStar::new(
            -3.0,
            shrinkage(ShrinkageTarget::Identity),
            StateSelection::default(),
        )
        .expect("valid settings");
        istar
            .penalty(&two_layers(points), &StepContext::default())
            .value
    }),
    ("Sum", |points| {
        let istar = IStar::new(
            -3.0,
            shrinkage(ShrinkageTarget::Identity),
            StateSelection::default(),
        )
        .expect("valid settings");
        Sum(vec![
            Box::new(istar),
            Box::new(CosRegConfig::new().init().expect("valid settings")),
        ])
        .penalty(&two_layers(points), &StepContext::default())
        .value
    }),
    ("CosReg", |points| {
        CosRegConfig::new()
            .init()
            .expect("valid settings")
            .penalty(&two_layers(points), &StepContext::default())
            .value
    }),
];

fn shrinkage(target: ShrinkageTarget) -> Shrinkage {
    Shrinkage::new(0.2, target).expect("a weight in [0, 1]")
}

fn two_layers(points: Tensor<2>) -> HiddenStates {
    HiddenStates::from_vectors(vec![points.clone(), points.square()])
}

/// Runs `check` for every differentiable function, on every device.
fn everywhere(check: impl Fn(&str, Differentiable, &Device)) {
    let of_table = MEASURES
        .iter()
        .filter_map(|measure| Some((measure.name, measure.differentiable?)));
    let all: Vec<_> = of_table.chain(VARIANTS.iter().copied()).collect();
    for (backend, device) in devices() {
        for &(name, measure) in &all {
            check(&format!("{name} on {backend}"), measure, &device);
        }
    }
}

#[test]
fn the_value_is_one_finite_number() {
    everywhere(|what, measure, device| {
        assert!(
            scalar(measure(points().tensor(device))).is_finite(),
            "{what}"
        )
    });
}

#[test]
fn the_gradient_is_finite_and_not_zero() {
    everywhere(|what, measure, device| {
        let (_, gradient) = differentiate(&points(), device, measure);
        assert!(
            gradient.iter().all(|entry| entry.is_finite()),
            "{what}: {gradient:?}"
        );
        assert!(gradient.iter().any(|&entry| entry != 0.0), "{what}");
    });
}

#[test]
fn the_gradient_of_a_measure_is_finite_at_odd_points() {
    every_measure(|what, measure, device| {
        let Some(function) = measure.differentiable else {
            return;
        };
        for (name, points) in odd_points() {
            let (_, gradient) = differentiate(&points, device, function);
            assert!(
                gradient.iter().all(|entry| entry.is_finite()),
                "{what}, {name}: {gradient:?}"
            );
        }
    });
}

#[test]
fn without_autodiff_the_value_is_the_same() {
    everywhere(|what, measure, device| {
        let plain = measure(points().tensor(device));
        assert!(!plain.is_autodiff(), "{what}");
        let (tracked, _) = differentiate(&points(), device, measure);
        assert!(
            (scalar(plain) - tracked).abs() <= 1e-6 * (1.0 + tracked.abs()),
            "{what}"
        );
    });
}

#[test]
fn on_an_autodiff_device_untracked_points_leave_no_graph() {
    everywhere(|what, measure, device| {
        let value = measure(points().tensor(&device.clone().autodiff()));
        assert!(!value.is_tracked(), "{what}");
    });
}

#[test]
fn the_same_points_give_the_same_bits() {
    everywhere(|what, measure, device| {
        let [first, second] = [0, 1].map(|_| differentiate(&points(), device, measure));
        assert_eq!(first, second, "{what}");
    });
}

#[test]
fn the_interval_takes_no_part_in_a_graph() {
    for (backend, device) in devices() {
        let plain = isoscore_interval(points().tensor(&device), 0.9);
        let tracked = isoscore_interval(points().tensor(&device.autodiff()).require_grad(), 0.9);
        assert!(plain.is_some(), "on {backend}");
        assert_eq!(plain, tracked, "on {backend}");
    }
}
