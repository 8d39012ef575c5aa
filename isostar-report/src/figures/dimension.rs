//! Figures of the intrinsic dimension of each layer.

use super::model::{Model, Set};
use crate::figure::number::number;
use crate::figure::{
    Axis, Chart, Colour, Dash, Entry, Figure, Kind, LineChart, Mark, Point, Series, Style,
};

/// The measures that are drawn: label in the figure, and name in the file.
const ESTIMATES: [(&str, &str); 2] = [("TwoNN", "twonn"), ("MLE", "mle")];

/// Returns one figure for token states and one for sentence vectors.
pub fn figures(models: &[Model<'_>]) -> Vec<Figure> {
    Set::ALL.map(|set| figure(models, set)).into()
}

fn figure(models: &[Model<'_>], set: Set) -> Figure {
    let series: Vec<Series> = models
        .iter()
        .flat_map(|model| {
            ESTIMATES
                .into_iter()
                .enumerate()
                .map(move |(at, (_, measure))| Series {
                    label: (at == 0 && models.len() > 1).then(|| model.label.clone()),
                    style: style(model.colour, at),
                    points: model
                        .analysis
                        .layers
                        .iter()
                        .map(|layer| {
                            Point::new(
                                layer.layer as f64,
                                set.of(layer).and_then(|geometry| geometry.value(measure)),
                            )
                        })
                        .collect(),
                })
        })
        .collect();
    let told = |model: &Model<'_>| {
        let values: Vec<f64> = model
            .analysis
            .layers
            .iter()
            .filter_map(|layer| set.of(layer)?.value("twonn"))
            .collect();
        let (least, greatest) = (
            values.iter().copied().reduce(f64::min)?,
            values.iter().copied().reduce(f64::max)?,
        );
        Some(format!(
            "{} from {} to {}",
            model.label,
            number(least),
            number(greatest)
        ))
    };
    Figure {
        id: format!("dimension-{}", set.id()),
        title: format!("Intrinsic dimension of {}", set.name()),
        description: format!("Intrinsic dimension by layer; TwoNN of {}.", models.iter().filter_map(told).collect::<Vec<_>>().join("; ")),
        caption: "From distances to nearest neighbours: TwoNN by its linear fit, and the maximum-likelihood estimate of Levina and \
                  Bickel. Both fall short where the dimension is high and points are few."
            .into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("Layer", Kind::Integer),
            y: Axis::new("Intrinsic dimension", Kind::Linear),
            series,
            key: ESTIMATES.iter().enumerate().map(|(at, (name, _))| Entry::line(*name, style(Colour::Category(5), at))).collect(),
        }),
    }
}

fn style(colour: Colour, estimate: usize) -> Style {
    match estimate {
        0 => Style::line(colour).marked(Mark::Circle),
        _ => Style::line(colour)
            .dashed(Dash::Dashed)
            .marked(Mark::HollowCircle),
    }
}
