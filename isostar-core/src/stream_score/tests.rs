use super::*;
use crate::noise::Noise;

/// Batches of 8 sequences of 10 points whose coordinates have the deviations of `scales`; points of
/// a sequence share half of their variance.
fn batch(scales: &[f32], noise: &mut Noise) -> Tensor<2> {
    let (d, device) = (scales.len(), Device::flex());
    let shared = noise.tensor([8, 1, d], &device).expand([8, 10, d]);
    let own: Tensor<3> = noise.tensor([8, 10, d], &device);
    let points: Tensor<2> = ((shared + own) * 0.5f64.sqrt()).reshape([80, d]);
    points * Tensor::<1>::from_floats(scales, &device).unsqueeze::<2>() + 3.0
}

/// The score of diagonal covariances.
fn truth(scales: &[f32]) -> f64 {
    let variances: Vec<f64> = scales
        .iter()
        .map(|scale| f64::from(*scale).powi(2))
        .collect();
    let sum: f64 = variances.iter().sum();
    let squares: f64 = variances.iter().map(|variance| variance * variance).sum();
    (sum * sum / squares - 1.0) / (scales.len() as f64 - 1.0)
}

fn scales(d: usize, power: f32) -> Vec<f32> {
    (1..=d).map(|index| (index as f32).powf(-power)).collect()
}

#[test]
fn a_stream_of_small_batches_has_the_score_of_many_points() {
    let mut noise = Noise(5);
    for power in [0.0, 0.25, 0.5] {
        let scales = scales(96, power);
        let (mut sum, mut plug_in, mut count) = (0.0, 0.0, 0);
        let mut stream = StreamScore::new(0.9);
        for step in 0..330 {
            let moments = Moments::from_points(batch(&scales, &mut noise));
            let (score, next) = stream.score(moments.clone());
            stream.set_past(Some(next));
            if step >= 30 {
                sum += score.into_scalar::<f64>();
                plug_in += isoscore_of_covariance(moments.covariance()).into_scalar::<f64>();
                count += 1;
            }
        }
        let (mean, plug_in) = (sum / f64::from(count), plug_in / f64::from(count));
        let truth = truth(&scales);
        // 30 independent windows of 160 sequences.
        assert!(
            (mean / truth - 1.0).abs() < 0.03,
            "{mean} instead of {truth}"
        );
        assert!(plug_in < 0.7 * truth, "the batches alone: {plug_in}");
    }
}

#[test]
fn the_gradient_is_that_of_the_batch_times_the_memory() {
    let mut noise = Noise(6);
    let scales = scales(12, 0.5);
    let mut stream = StreamScore::new(0.8);
    for _ in 0..12 {
        let (_, next) = stream.score(Moments::from_points(batch(&scales, &mut noise)));
        stream.set_past(Some(next));
    }
    let points = batch(&scales, &mut noise);
    let tracked = Tensor::from_data(points.to_data(), &Device::flex().autodiff()).require_grad();
    let (score, next) = stream.score(Moments::from_points(tracked.clone()));
    let gradient = tracked.grad(&score.backward()).unwrap();
    let value = |points: Tensor<2>| -> f64 {
        let (score, _) = stream.score(Moments::from_points(points));
        score.into_scalar::<f64>()
    };
    // One step along the gradient of all points, as single entries are below the rounding of f32.
    let step = 1e-2 / gradient.clone().square().sum().sqrt().into_scalar::<f64>();
    let moved = |sign: f64| value(points.clone() + gradient.clone() * (sign * step));
    let numeric = (moved(1.0) - moved(-1.0)) / (2.0 * step) * next.weight;
    let analytic: f64 = gradient.square().sum().into_scalar();
    assert!(
        (numeric / analytic - 1.0).abs() < 5e-3,
        "{numeric} and {analytic}"
    );
}

#[test]
fn states_without_variance_have_a_finite_score_and_gradient() {
    let device = Device::flex().autodiff();
    let mut stream = StreamScore::new(0.9);
    for step in 0..3 {
        let points = Tensor::<2>::ones([6, 4], &device).require_grad();
        let (score, next) = stream.score(Moments::from_points(points.clone()));
        stream.set_past(Some(next));
        assert!(score.clone().into_scalar::<f64>().is_finite());
        if step > 0 {
            let gradient = points.grad(&score.backward()).unwrap();
            let largest: f64 = gradient.abs().max().into_scalar();
            assert_eq!(largest, 0.0);
        }
    }
}

#[test]
fn the_score_does_not_depend_on_scale_and_its_gradient_is_inverse_to_it() {
    let scales = scales(16, 0.5);
    let steps = |factor: f64| -> Vec<(f64, Vec<f64>)> {
        let mut noise = Noise(9);
        let mut stream = StreamScore::new(0.9);
        (0..6)
            .map(|step| {
                let points = (batch(&scales, &mut noise) - 3.0) * (0.25 * factor);
                let points = Tensor::from_data(points.into_data(), &Device::flex().autodiff());
                let points: Tensor<2> = points.require_grad();
                let (score, next) = stream.score(Moments::from_points(points.clone()));
                stream.set_past(Some(next));
                // The first score is a constant.
                let gradient = (step > 0).then(|| points.grad(&score.backward()).unwrap());
                let gradient = gradient.map_or(Vec::new(), |gradient| {
                    let entries = gradient.into_data();
                    entries.iter::<f64>().map(|entry| entry * factor).collect()
                });
                (score.into_scalar::<f64>(), gradient)
            })
            .collect()
    };
    let plain = steps(1.0);
    for exponent in [-60, -40, 40, 60] {
        let scaled = steps(2f64.powi(exponent));
        for ((score, gradient), (expected, by_points)) in scaled.iter().zip(&plain) {
            assert!(
                (score / expected - 1.0).abs() < 1e-4,
                "{score} and {expected} at 2^{exponent}"
            );
            let largest = by_points
                .iter()
                .fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
            for (entry, expected) in gradient.iter().zip(by_points) {
                // Not a number is not within the limit.
                let is_near = (entry - expected).abs() <= 1e-4 * largest;
                assert!(is_near, "{entry} and {expected} at 2^{exponent}");
            }
        }
    }
}
