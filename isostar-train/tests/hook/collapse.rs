//! When a collapse of the states is told.

use burn::prelude::*;
use burn::train::metric::Metric;
use isostar_core::{HiddenStates, IStarConfig, Padding, StateSelection};
use isostar_train::hook::{HookConfig, HookEvent};
use isostar_train::metric::{MeasureInput, StateCount};

use super::common;
use super::{Events, metadata};

/// Events for batches with these scores and numbers of states, of width 4, in two layers.
fn collapses(batches: &[(f32, usize)]) -> Vec<HookEvent> {
    collapses_with(Padding::Mask, batches)
}

/// Same as `collapses`, for a given treatment of padding.
fn collapses_with(padding: Padding, batches: &[(f32, usize)]) -> Vec<HookEvent> {
    let device = Device::flex();
    let states = StateSelection {
        padding,
        ..StateSelection::default()
    };
    let events = Events::default();
    let heard = events.clone();
    let observer = move |event: &HookEvent| heard.lock().unwrap().push(event.clone());
    let hook = HookConfig::<common::Batch>::new()
        .with_observer(observer)
        .init(IStarConfig::new(0.1).with_states(states).init().unwrap());
    let mut metric = hook.measure_metric();
    for (score, states) in batches {
        // Twice as many positions; every second one is padding.
        let layer = Tensor::zeros([1, *states, 4], &device);
        let mask = Tensor::from_data(
            TensorData::new((0..*states).map(|at| at % 2 == 0).collect(), [1, *states]),
            &device,
        );
        let states = StateCount::of(
            &StateSelection::default(),
            &HiddenStates::from_layers(vec![layer.clone(), layer]).with_mask(mask),
        );
        let input = MeasureInput {
            measure: Some(Tensor::from_floats([*score], &device)),
            states: Some(states),
        };
        metric.update(&input, &metadata()).unwrap();
    }
    let events = events.lock().unwrap();
    events.clone()
}

#[test]
fn a_collapse_is_told_once() {
    let events = collapses(&[(0.5, 8), (0.019, 8), (0.001, 8)]);
    assert!(
        matches!(events[..], [HookEvent::Collapsed { score, threshold: 0.02 }] if (score - 0.019).abs() < 1e-6),
        "{events:?}"
    );
}

#[test]
fn where_padding_counts_the_scores_of_the_published_runs_are_no_collapse() {
    assert_eq!(collapses_with(Padding::Keep, &[(0.0184, 8)]), []);
    assert_eq!(collapses_with(Padding::Keep, &[(0.0029, 8)]).len(), 1);
}

#[test]
fn a_batch_of_fewer_states_than_twice_their_width_tells_no_collapse() {
    assert_eq!(collapses(&[(0.001, 6), (0.001, 2)]), []);
    assert_eq!(collapses(&[(0.001, 8)]).len(), 1);
}

#[test]
fn a_score_that_is_no_number_is_a_collapse() {
    let events = collapses(&[(f32::NAN, 2)]);
    assert!(
        matches!(events[..], [HookEvent::Collapsed { score, .. }] if score.is_nan()),
        "{events:?}"
    );
}
