//! Measures the isotropy of points with several measures.
//!
//! cargo run -p isostar-examples --example measure_embeddings

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::measure::mean_cosine;
use isostar_core::{Shrinkage, TargetName, isoscore, isoscore_star, isoscore_unbiased};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    device.seed(1);
    let normal =
        |shape: [usize; 2]| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);

    // 256 points in 128 dimensions: a ball, the ball stretched tenfold in one dimension, and the
    // ball shifted far from the origin.
    let ball = normal([256, 128]);
    let stretch = Tensor::<2>::ones([1, 128], &device).slice_fill([0..1, 0..1], 10.0);
    let clouds = [
        ("ball", ball.clone()),
        ("stretched", ball.clone() * stretch),
        ("far away", ball + 10.0),
    ];

    let shrinkage = Shrinkage::new(0.2, TargetName::ScaledIdentity)?;
    println!(
        "{:<10} {:>9} {:>9} {:>9} {:>12}",
        "", "IsoScore", "unbiased", "IsoScore*", "mean cosine"
    );
    for (name, points) in clouds {
        let score: f64 = isoscore(points.clone()).into_scalar();
        let unbiased = isoscore_unbiased(points.clone()).unwrap_or(f64::NAN);
        let star: f64 = isoscore_star(points.clone(), &shrinkage, None).into_scalar();
        let cosine: f64 = mean_cosine(points).into_scalar();
        println!("{name:<10} {score:>9.4} {unbiased:>9.4} {star:>9.4} {cosine:>12.4}");
    }
    println!(
        "\nFew points understate the ball, whose score is 1; the unbiased estimate does not. Cosines mistake distance from the origin for anisotropy."
    );
    Ok(())
}
