//! The controller against synthetic responses.

use super::*;
use crate::noise::Noise;

/// A score that answers the acting weight as training by AdamW does: the mean of the last weights
/// moves it, at most at a largest speed, and the task moves it as well.
struct Plant {
    score: f64,
    momentum: f64,
    /// Move of the score per step and unit of the acting weight.
    gain: f64,
    /// Largest move per step.
    fastest: f64,
    /// Move per step by the task.
    drift: f64,
    /// Deviation of a batch's score.
    noise: f64,
    /// The score of the last batches.
    smooth: f64,
}

impl Plant {
    fn new(gain: f64) -> Self {
        Self {
            score: 0.2,
            momentum: 0.0,
            gain,
            fastest: 0.01,
            drift: 0.0,
            noise: 0.0,
            smooth: 0.2,
        }
    }

    fn step(&mut self, weight: f64) {
        self.momentum = 0.9 * self.momentum + 0.1 * weight;
        let push = (self.gain * self.momentum).clamp(-self.fastest, self.fastest);
        self.score = (self.score + push + self.drift).clamp(0.0, 1.0);
    }
}

/// Runs a controller on a plant with this task loss by step and score.
fn run(
    controller: &mut Controller,
    plant: &mut Plant,
    steps: usize,
    loss: impl Fn(usize, f64) -> f64,
) -> Vec<ControlStep> {
    let mut noise = Noise(7);
    (0..steps)
        .map(|step| {
            let batch = plant.score + noise.next() * plant.noise;
            let memory = controller.config().memory;
            plant.smooth = memory * plant.smooth + (1.0 - memory) * batch;
            let score = plant.smooth;
            let weight = controller.term().map_or(0.0, |term| term.weight(score));
            plant.step(weight);
            controller.update(score, loss(step, plant.score)).unwrap()
        })
        .collect()
}

fn controller(target: f64, warmup: usize) -> Controller {
    ControlConfig::new(target)
        .with_warmup(warmup)
        .init()
        .unwrap()
}

#[test]
fn plants_of_twentyfold_responses_with_drift_and_noise_are_held() {
    for target in [0.05, 0.15, 0.3, 0.5] {
        for gain in [0.0005, 0.0025, 0.01] {
            // A drift that a weight of 0.2 makes up for.
            for drift in [-0.2 * gain, 0.0, 0.2 * gain] {
                let noise = 0.01;
                let mut plant = Plant {
                    drift,
                    noise,
                    ..Plant::new(gain)
                };
                let mut held = controller(target, 150);
                let steps = run(&mut held, &mut plant, 1000, |_, _| 1.0);
                let late = &steps[400..];
                let near = late.iter().filter(|step| step.error.abs() < 0.02).count();
                let share = near as f64 / late.len() as f64;
                let mean = late.iter().map(|step| step.error).sum::<f64>() / late.len() as f64;
                let what = format!("target {target}, gain {gain}, drift {drift}");
                assert!(share >= 0.95, "{what}: {share} of the steps");
                assert!(mean.abs() < 0.004, "{what}: {mean}");
            }
        }
    }
}

#[test]
fn the_multiplier_stays_within_its_limits_where_the_score_cannot_move() {
    let mut stuck = Plant::new(0.0);
    let mut held = controller(0.21, 0);
    let steps = run(&mut held, &mut stuck, 2000, |_, _| 1.0);
    let limit = held.config().weight_limit;
    let largest = steps.iter().map(|step| step.multiplier).fold(0.0, f64::max);
    assert_eq!(largest, limit);
    assert!(
        steps
            .iter()
            .all(|step| step.weight.abs() <= 2.0 * limit + 1e-9)
    );
}

#[test]
fn the_multiplier_rests_while_the_error_is_beyond_its_limit() {
    let mut held = controller(0.9, 0);
    let steps = run(&mut held, &mut Plant::new(0.0), 300, |_, _| 1.0);
    assert!(steps.iter().all(|step| step.multiplier == 0.0));
    assert!(steps.last().unwrap().weight > 0.0);
}

#[test]
fn a_saturated_plant_overshoots_by_less_than_a_tenth() {
    // The score moves by at most 0.002 a step, so 0.3 takes 150 steps whatever the weight.
    let mut slow = Plant {
        fastest: 0.002,
        ..Plant::new(0.005)
    };
    let mut held = controller(0.5, 0);
    let steps = run(&mut held, &mut slow, 1000, |_, _| 1.0);
    let highest = steps.iter().map(|step| step.score).fold(0.0, f64::max);
    assert!(highest < 0.55, "{highest}");
    let last = steps.last().unwrap();
    assert!(last.error.abs() < 0.005, "{last:?}");
}

#[test]
fn the_held_value_moves_from_the_untouched_score_to_the_target() {
    let mut still = Plant::new(0.0);
    let mut held = controller(0.4, 20);
    let steps = run(&mut held, &mut still, 40, |_, _| 1.0);
    assert!(steps[..UNTOUCHED].iter().all(|step| step.weight == 0.0));
    let targets: Vec<f64> = steps[UNTOUCHED..].iter().map(|step| step.target).collect();
    // Half a cosine: slow at both ends.
    assert!(targets[0] > 0.2 && targets[0] < 0.202, "{}", targets[0]);
    assert!((targets[9] - 0.3).abs() < 1e-12, "{}", targets[9]);
    assert!(targets[18] > 0.398 && targets[19..].iter().all(|target| *target == 0.4));
}

#[test]
fn a_rising_loss_freezes_the_multiplier_until_it_falls_again() {
    // The task fails below a score of 0.12, and recovers after step 400.
    let loss = |step: usize, score: f64| if score < 0.12 && step < 400 { 2.0 } else { 1.0 };
    let mut plant = Plant::new(0.0025);
    let mut held = controller(0.05, 100);
    let steps = run(&mut held, &mut plant, 600, loss);
    let frozen = steps.iter().position(|step| step.frozen).expect("frozen");
    let released = frozen
        + steps[frozen..]
            .iter()
            .position(|step| !step.frozen)
            .expect("released");
    // The score that the controller is given lags that of the plant.
    assert!(
        steps[frozen].score < 0.16 && released > 400,
        "{frozen} to {released}"
    );
    let during = &steps[frozen + 1..released];
    assert!(
        during
            .iter()
            .all(|step| step.multiplier == during[0].multiplier)
    );
    assert_ne!(steps[released + 2].multiplier, during[0].multiplier);
}

#[test]
fn a_patient_controller_leaves_the_score_alone_until_the_task_loss_falls() {
    let patient = |patience| {
        let config = ControlConfig::new(0.05).with_warmup(40);
        config.with_patience(patience).init().unwrap()
    };
    let learned = |step: usize, _| if step < 80 { 1.0 } else { 0.6 };
    let first = |steps: &[ControlStep]| steps.iter().position(|step| step.weight != 0.0);
    let mut held = patient(1000);
    let steps = run(&mut held, &mut Plant::new(0.0025), 300, learned);
    // The smoothed loss is below 0.95 after two steps.
    assert_eq!(first(&steps), Some(82));
    assert_eq!(held.state().begun, Some(82));
    assert!(steps[82].target > 0.199 && steps[122].target == 0.05);
    // Nor does it wait for ever where it does not fall.
    let steps = run(&mut patient(50), &mut Plant::new(0.0025), 300, |_, _| 1.0);
    assert_eq!(first(&steps), Some(UNTOUCHED + 50));
}

#[test]
fn a_score_below_a_falling_held_value_is_pushed_up() {
    let mut held = controller(0.15, 100);
    (0..UNTOUCHED).for_each(|_| assert!(held.update(0.4, 1.0).is_some()));
    for _ in 0..70 {
        let numbers = held.update(0.1, 0.5).unwrap();
        assert!(numbers.weight > 0.0, "{numbers:?}");
    }
}

#[test]
fn a_score_above_the_held_value_is_pushed_half_as_strongly_as_one_below() {
    let mut held = controller(0.5, 0);
    (0..UNTOUCHED).for_each(|_| assert!(held.update(0.5, 1.0).is_some()));
    let term = held.term().unwrap();
    assert_eq!(term.weight(0.2), -2.0 * term.weight(0.8));
    // λ rests beyond both limits.
    for score in [0.2, 0.8, 0.44] {
        let before = held.state().multiplier;
        held.update(score, 1.0).unwrap();
        let rests = held.state().multiplier == before;
        assert_eq!(rests, score != 0.44);
    }
}

#[test]
fn a_rising_loss_at_a_still_score_freezes_nothing() {
    let mut plant = Plant::new(0.0);
    let mut held = controller(0.05, 0);
    let steps = run(&mut held, &mut plant, 300, |step, _| {
        1.0 + step as f64 / 20.0
    });
    assert!(steps.iter().all(|step| !step.frozen));
}

#[test]
fn numbers_that_are_not_finite_change_nothing() {
    let mut held = controller(0.3, 10);
    run(&mut held, &mut Plant::new(0.0025), 30, |_, _| 1.0);
    let before = held.clone();
    for (score, loss) in [(f64::NAN, 1.0), (0.2, f64::INFINITY)] {
        assert_eq!(held.update(score, loss), None);
    }
    assert_eq!(held, before);
}

#[test]
fn a_restored_controller_goes_on_to_the_last_bit() {
    let mut plant = Plant {
        noise: 0.01,
        ..Plant::new(0.0025)
    };
    let mut held = controller(0.3, 100);
    run(&mut held, &mut plant, 73, |step, _| 1.0 / (step + 1) as f64);
    let stored = serde_json::to_string(held.state()).unwrap();
    let mut again = controller(0.3, 100);
    again.restore(serde_json::from_str(&stored).unwrap());
    assert_eq!(again, held);
    for step in 0..200 {
        let score = 0.2 + step as f64 * 1e-3;
        assert_eq!(again.update(score, 0.7), held.update(score, 0.7));
        assert_eq!(again.term(), held.term());
    }
}

#[test]
fn settings_outside_their_range_are_refused() {
    let refused = |config: ControlConfig| config.init().unwrap_err();
    for value in [-0.1, 1.1] {
        assert_eq!(
            refused(ControlConfig::new(value)),
            ConfigError::Target { value }
        );
    }
    assert!(matches!(
        refused(ControlConfig::new(f64::NAN)),
        ConfigError::Target { .. }
    ));
    let config = || ControlConfig::new(0.3);
    for (name, config) in [
        (
            "rate",
            ControlConfig {
                rate: 0.0,
                ..config()
            },
        ),
        (
            "response",
            ControlConfig {
                response: f64::INFINITY,
                ..config()
            },
        ),
        (
            "weight_limit",
            ControlConfig {
                weight_limit: -1.0,
                ..config()
            },
        ),
        (
            "memory",
            ControlConfig {
                memory: 1.0,
                ..config()
            },
        ),
    ] {
        assert!(
            matches!(refused(config), ConfigError::Control { name: found, .. } if found == name)
        );
    }
}
