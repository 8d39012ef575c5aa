use super::*;
use crate::Padding;
use crate::noise::Noise;

/// Two layers of 4 sequences of 6 states of width 8; `spread` scales the first coordinate.
fn states(spread: f64, noise: &mut Noise) -> HiddenStates {
    let device = Device::flex().autodiff();
    let mut layer = || {
        let states: Tensor<3> = noise.tensor([4, 6, 8], &device);
        let scales =
            Tensor::<1>::from_floats([spread as f32, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], &device);
        (states * scales.unsqueeze::<3>()).require_grad()
    };
    HiddenStates::from_layers(vec![layer(), layer()])
}

fn number(tensor: &Tensor<1>) -> f64 {
    tensor.clone().into_scalar()
}

/// The numbers of a step with this penalty.
fn numbers(step: u64, penalty: &Penalty) -> StepNumbers {
    let details = penalty.details.iter();
    StepNumbers {
        step,
        task_loss: 1.0,
        details: details
            .map(|detail| (detail.name.clone(), number(&detail.value)))
            .collect(),
    }
}

fn per_layer() -> Target {
    let holds = [(1, 0.4), (2, 0.9)]
        .map(|(layer, target)| Hold::new(LayerSelection::Only(vec![layer]), target));
    Target::new(holds.into(), Padding::Mask).unwrap()
}

/// Takes `steps` steps.
fn train(target: &Target, steps: u64, noise: &mut Noise) -> Vec<HeldStep> {
    (0..steps)
        .flat_map(|step| {
            let penalty = target.penalty(&states(3.0, noise), &StepContext::default());
            target.after_step(&numbers(step, &penalty))
        })
        .collect()
}

#[test]
fn the_first_steps_have_no_penalty_and_later_ones_pull_towards_the_target() {
    let mut noise = Noise(1);
    let target = Target::new(vec![Hold::new(LayerSelection::All, 0.95)], Padding::Mask).unwrap();
    assert_eq!(target.states().unwrap(), &StateSelection::default());
    for step in 0..30 {
        let batch = states(3.0, &mut noise);
        let penalty = target.penalty(&batch, &StepContext::default());
        let held = target.after_step(&numbers(step, &penalty));
        if step < 10 {
            assert_eq!((number(&penalty.value), held[0].numbers.weight), (0.0, 0.0));
            continue;
        }
        // A step against the gradient raises the score, which is below the target.
        let layer = batch.layer(1);
        let gradient = layer.grad(&penalty.value.backward()).unwrap();
        let wide: f64 = gradient
            .slice([0..4, 0..6, 0..1])
            .mul(layer.clone().without_autodiff().slice([0..4, 0..6, 0..1]))
            .sum()
            .into_scalar();
        assert!(wide > 0.0, "the widest direction shrinks: {wide}");
        assert!(
            held[0].numbers.error > 0.0 && held[0].numbers.weight > 0.0,
            "{held:?}"
        );
    }
}

#[test]
fn the_slope_of_the_penalty_is_the_acting_weight() {
    let device = Device::flex().autodiff();
    let term = ControlTerm {
        multiplier: 0.7,
        penalty: 10.0,
        target: 0.5,
        error_limit: 0.1,
        fall_limit: 0.05,
    };
    for score in [0.1, 0.39, 0.45, 0.5, 0.58, 0.9] {
        let tensor = Tensor::<1>::from_floats([score as f32], &device).require_grad();
        let value = penalty(term, tensor.clone());
        let slope = number(&tensor.grad(&value.backward()).unwrap());
        assert!(
            (slope + term.weight(score)).abs() < 1e-5,
            "{score}: {slope}"
        );
    }
}

#[test]
fn each_layer_is_held_at_its_own_target() {
    let mut noise = Noise(2);
    let target = per_layer();
    assert_eq!(
        target.states().unwrap().layers,
        LayerSelection::Only(vec![1, 2])
    );
    let held = train(&target, 12, &mut noise);
    let last = &held[held.len() - 2..];
    assert_eq!([&last[0].layers, &last[1].layers], ["1", "2"]);
    assert_eq!([last[0].numbers.target, last[1].numbers.target], [0.4, 0.9]);
    assert_ne!(last[0].numbers.score, last[1].numbers.score);
}

#[test]
fn a_restored_target_goes_on_with_the_same_bits() {
    let mut noise = Noise(3);
    let target = per_layer();
    for step in 0..3 {
        let batch = states(2.0, &mut noise);
        target.note_plain(&target.statistics(&batch, &StepContext::default()));
        let penalty = target.penalty(&states(3.0, &mut noise), &StepContext::default());
        target.after_step(&numbers(step, &penalty));
    }
    train(&target, 15, &mut noise);
    let (rest, tensors) = target.state().unwrap().split();
    let stored = serde_json::to_string(&rest).unwrap();
    let rest: RegularizerState = serde_json::from_str(&stored).unwrap();
    let again = per_layer();
    again.restore(rest.join(tensors).unwrap(), &Device::flex().autodiff());
    let go_on = |target: &Target| train(target, 5, &mut Noise(4));
    assert_eq!(go_on(&target), go_on(&again));
    assert_eq!(target.state().unwrap(), again.state().unwrap());
}

/// The same target, with and without measurements of states that vary less than those of the steps.
#[test]
fn the_held_score_is_that_of_the_states_without_dropout() {
    let target = || Target::new(vec![Hold::new(LayerSelection::All, 0.5)], Padding::Mask).unwrap();
    let (plain, noisy) = (target(), target());
    let (mut numbers_of, mut last) = (Noise(8), [0.0; 2]);
    let mut noise = Noise(9);
    for step in 0..60 {
        let batch = states(6.0, &mut numbers_of);
        let added =
            |layer: &Tensor<3>| layer.clone() + noise.tensor::<3>([4, 6, 8], &Device::flex()) * 2.0;
        let layers = batch.layers.iter().map(added).collect();
        let with_dropout = HiddenStates::from_layers(layers);
        let context = StepContext::default();
        if plain.wants_plain(step) {
            plain.note_plain(&plain.statistics(&batch, &context));
        }
        last = [&plain, &noisy].map(|target| {
            let penalty = target.penalty(&with_dropout, &context);
            target.after_step(&numbers(step, &penalty));
            number(&penalty.details[0].value)
        });
    }
    // One variance of 36 and seven of 1; with the noise, of 40 and 5.
    let truth = |large: f64, small: f64| {
        let [sum, squares] = [1, 2].map(|power| large.powi(power) + 7.0 * small.powi(power));
        (sum * sum / squares - 1.0) / 7.0
    };
    let [held, measured] = last;
    assert!((held - truth(36.0, 1.0)).abs() < 0.05, "{held}");
    assert!((measured - truth(40.0, 5.0)).abs() < 0.1, "{measured}");
    assert!(measured > held + 0.1, "{measured} and {held}");
}

#[test]
fn a_discarded_step_leaves_no_trace() {
    let mut noise = Noise(5);
    let target = per_layer();
    train(&target, 12, &mut noise);
    let before = target.state().unwrap();
    target.penalty(&states(f64::NAN, &mut noise), &StepContext::default());
    target.discard_step();
    assert_eq!(target.state().unwrap(), before);
    assert_eq!(train(&target, 1, &mut noise).len(), 2);
}

#[test]
fn no_target_is_refused() {
    assert_eq!(
        Target::new(Vec::new(), Padding::Mask).unwrap_err(),
        ConfigError::NoLayers
    );
    let hold = Hold::new(LayerSelection::All, 1.5);
    assert_eq!(
        Target::new(vec![hold], Padding::Mask).unwrap_err(),
        ConfigError::Target { value: 1.5 }
    );
}
