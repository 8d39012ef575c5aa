//! Figures of the eigenvalues of each layer's covariance, on logarithmic axes.

use super::model::{Model, Set, highlighted};
use crate::figure::number::fixed;
use crate::figure::{Axis, Chart, Colour, Figure, Kind, LineChart, Point, Series, Style};
use crate::source::Geometry;

/// Minimum share of the variance that is drawn.
///
/// Smaller shares are rounding errors of f32 states or lie beyond the rank of n points; they would
/// stretch the axis.
const FLOOR: f64 = 1e-8;

/// Maximum number of points per line; a logarithmic axis cannot show more.
const POINTS: usize = 160;

/// Returns one figure per model and set of points.
pub fn figures(models: &[Model<'_>]) -> Vec<Figure> {
    let sets = models
        .iter()
        .flat_map(|model| Set::ALL.map(|set| (model, set)));
    sets.enumerate()
        .map(|(at, (model, set))| figure(model, set, at, models.len() > 1))
        .collect()
}

fn figure(model: &Model<'_>, set: Set, at: usize, several: bool) -> Figure {
    let layers = &model.analysis.layers;
    let chosen = highlighted(layers);
    let of_layer = |at: usize| set.of(&layers[at]).map_or(Vec::new(), points);
    let behind = (0..layers.len()).filter(|at| !chosen.contains(at));
    let pale = behind.map(|at| Series {
        label: None,
        style: Style::line(Colour::Pale).thin(),
        points: of_layer(at),
    });
    let named = chosen.iter().enumerate().map(|(rank, &at)| Series {
        label: Some(format!("layer {}", layers[at].layer)),
        style: Style::line(Colour::Category(rank)),
        points: of_layer(at),
    });
    let series: Vec<Series> = pale.chain(named).collect();
    let first = |&at: &usize| {
        let share = set.of(&layers[at]).map(shares)?.first().copied()?;
        Some(format!("{} in layer {}", fixed(share, 3), layers[at].layer))
    };
    let of_model = if several {
        format!(", {}", model.label)
    } else {
        String::new()
    };
    Figure {
        id: format!("spectrum-{}-{}", set.id(), at / 2 + 1),
        title: format!("Spectrum of {}{of_model}", set.name()),
        description: format!(
            "Share of the variance by principal component, logarithmic. The first component carries {}.",
            chosen
                .iter()
                .filter_map(first)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        caption:
            "Eigenvalues of the covariance, as shares of their sum. A flat line is isotropic. \
                  Other layers are pale; shares below 10⁻⁸ are left out."
                .into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("Principal component (rank)", Kind::Rank),
            y: Axis::new("Share of the variance", Kind::Log),
            series,
            key: Vec::new(),
        }),
    }
}

fn shares(geometry: &Geometry) -> Vec<f64> {
    let sum: f64 = geometry.spectrum.iter().filter(|value| **value > 0.0).sum();
    geometry
        .spectrum
        .iter()
        .map(|value| value / sum)
        .filter(|share| *share >= FLOOR)
        .collect()
}

fn points(geometry: &Geometry) -> Vec<Point> {
    let shares = shares(geometry);
    let ratio = (shares.len() as f64).powf(1.0 / POINTS as f64);
    let mut points = Vec::new();
    let mut next = 1.0;
    for (at, &share) in shares.iter().enumerate() {
        let rank = (at + 1) as f64;
        if rank + 1e-9 >= next || at + 1 == shares.len() {
            points.push(Point::new(rank, Some(share)));
            next = (rank * ratio).max(rank + 1.0);
        }
    }
    points
}
