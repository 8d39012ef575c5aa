//! What every measure owes: a new one joins by one line.

mod common;

use burn::prelude::*;
use common::{Points, devices, differentiate, scalar};
use isostar_core::measure::{cosreg, mean_cosine, mle, twonn};
use isostar_core::{
    CosRegConfig, HiddenStates, IStar, Moments, Regularizer, Shrinkage, ShrinkageTarget, StateSelection, isoscore, isoscore_of_covariance,
    isoscore_star, isoscore_unbiased, nearest_neighbours,
};

type Measure = fn(Tensor<2>) -> Tensor<1>;

const MEASURES: &[(&str, Measure)] = &[
    ("isoscore", isoscore),
    ("isoscore_of_covariance", |points| isoscore_of_covariance(Moments::of_points(points).covariance())),
    ("isoscore_star towards the reference", |points| {
        let reference = Moments::of_points(points.clone().without_autodiff().square()).covariance();
        isoscore_star(points, &shrinkage(ShrinkageTarget::Reference), Some(&reference))
    }),
    ("isoscore_star towards the identity", |points| isoscore_star(points, &shrinkage(ShrinkageTarget::Identity), None)),
    ("isoscore_star towards the scaled identity", |points| isoscore_star(points, &shrinkage(ShrinkageTarget::ScaledIdentity), None)),
    ("cosreg", cosreg),
    ("mean_cosine", mean_cosine),
    ("IStar", |points| {
        let istar = IStar::new(-3.0, shrinkage(ShrinkageTarget::Identity), StateSelection::default()).expect("valid settings");
        istar.penalty(&two_layers(points), None).value
    }),
    ("CosReg", |points| CosRegConfig::new().init().expect("valid settings").penalty(&two_layers(points), None).value),
];

fn shrinkage(target: ShrinkageTarget) -> Shrinkage {
    Shrinkage::new(0.2, target).expect("a weight in [0, 1]")
}

fn two_layers(points: Tensor<2>) -> HiddenStates {
    HiddenStates::of_vectors(vec![points.clone(), points.square()])
}

fn points() -> Points {
    Points::gaussian(37, 6, 1).map(|column, value| 0.3 + value * (1.0 + column as f64))
}

/// Runs `check` for every measure on every device.
fn everywhere(check: impl Fn(&str, Measure, &Device)) {
    for (backend, device) in devices() {
        for &(name, measure) in MEASURES {
            check(&format!("{name} on {backend}"), measure, &device);
        }
    }
}

#[test]
fn the_value_is_one_finite_number() {
    everywhere(|what, measure, device| assert!(scalar(measure(points().tensor(device))).is_finite(), "{what}"));
}

#[test]
fn the_gradient_is_finite_and_not_zero() {
    everywhere(|what, measure, device| {
        let (_, gradient) = differentiate(&points(), device, measure);
        assert!(gradient.iter().all(|entry| entry.is_finite()), "{what}: {gradient:?}");
        assert!(gradient.iter().any(|&entry| entry != 0.0), "{what}");
    });
}

#[test]
fn without_autodiff_the_value_is_the_same() {
    everywhere(|what, measure, device| {
        let plain = measure(points().tensor(device));
        assert!(!plain.is_autodiff(), "{what}");
        let (tracked, _) = differentiate(&points(), device, measure);
        assert!((scalar(plain) - tracked).abs() <= 1e-6 * (1.0 + tracked.abs()), "{what}");
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
fn the_unbiased_estimate_takes_no_part_in_a_graph() {
    for (backend, device) in devices() {
        let plain = isoscore_unbiased(points().tensor(&device));
        let tracked = isoscore_unbiased(points().tensor(&device.autodiff()).require_grad());
        assert!(plain.is_some_and(f64::is_finite), "on {backend}");
        assert_eq!(plain, tracked, "on {backend}");
    }
}

#[test]
fn the_intrinsic_dimension_takes_no_part_in_a_graph() {
    let of = |points| {
        let neighbours = nearest_neighbours(points, 4, &|_| ());
        (twonn(&neighbours).expect("points that differ"), mle(&neighbours).expect("points that differ"))
    };
    for (backend, device) in devices() {
        let plain = of(points().tensor(&device));
        assert!(plain.0.linear > 0.0 && plain.0.maximum_likelihood > 0.0 && plain.1 > 0.0, "on {backend}");
        assert_eq!(plain, of(points().tensor(&device.autodiff()).require_grad()), "on {backend}");
    }
}
