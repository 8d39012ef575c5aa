//! Figures of the IsoScore of each layer: after training, and with its confidence interval in an
//! analysis.

use super::model::{Model, Set};
use crate::figure::number::fixed;
use crate::figure::{
    Axis, Chart, Colour, Dash, Entry, Figure, Kind, LineChart, Mark, Point, Series, Style,
};
use crate::group::{Group, Spread};

fn layer_axis() -> Axis {
    Axis::new("Layer", Kind::Integer)
}

/// Draws the scores in `result.json`: one line per group, with bars from the minimum to the maximum
/// over its seeds.
pub fn of_runs(groups: &[Group<'_>]) -> Vec<Figure> {
    let depth = |group: &Group<'_>| {
        group
            .runs
            .iter()
            .filter_map(|run| run.outcome.as_ref())
            .map(|outcome| outcome.isoscore.layers.len())
            .max()
            .unwrap_or(0)
    };
    let series: Vec<Series> = groups
        .iter()
        .map(|group| {
            let point = |at: usize| {
                let spread =
                    group.spread(|run| run.ended()?.isoscore.layers.get(at).copied().flatten());
                let interval = spread.filter(|spread| spread.count > 1).map(
                    |Spread {
                         least, greatest, ..
                     }| [least, greatest],
                );
                Point {
                    x: (at + 1) as f64,
                    y: spread.map(|spread| spread.mean),
                    interval,
                }
            };
            Series {
                label: (groups.len() > 1).then(|| group.label.clone()),
                style: Style::line(group.colour).marked(Mark::Circle),
                points: (0..depth(group)).map(point).collect(),
            }
        })
        .collect();
    let seeds = groups.iter().any(|group| group.runs.len() > 1);
    let bars = if seeds {
        " Lines are means over seeds, bars reach from the least to the greatest."
    } else {
        ""
    };
    vec![Figure {
        id: "layers-runs".into(),
        title: "IsoScore of each layer after training".into(),
        description: format!(
            "IsoScore by layer after training: {}.",
            told(&series, groups.first().map_or("run", |group| &group.label))
        ),
        caption: format!("Token states of the validation rows, padding left out.{bars}"),
        chart: Chart::Lines(LineChart {
            x: layer_axis(),
            y: Axis::new("IsoScore, 0 to 1", Kind::Linear),
            series,
            key: Vec::new(),
        }),
    }]
}

/// Draws the scores of analyses.
///
/// For one model, token states and sentence vectors share a figure; for several models each has its
/// own.
pub fn of_models(models: &[Model<'_>]) -> Vec<Figure> {
    let figure = |sets: &[Set], id: &str, name: &str| {
        let series: Vec<Series> = sets
            .iter()
            .flat_map(|&set| {
                models
                    .iter()
                    .map(move |model| series(model, set, sets.len() > 1))
            })
            .collect();
        let entry = |&set: &Set| Entry::line(set.name(), style(Colour::Category(5), set));
        Figure {
            id: id.into(),
            title: format!("IsoScore of each layer{name}"),
            description: format!("Unbiased IsoScore by layer: {}.", told(&series, "model")),
            caption: "The unbiased estimate, with its 95% confidence interval as a bar where there is one. \
                      Layer 0 is the output of the embeddings."
                .into(),
            chart: Chart::Lines(LineChart {
                x: layer_axis(),
                y: Axis::new("IsoScore, unbiased estimate", Kind::Linear),
                series,
                key: if sets.len() > 1 { sets.iter().map(entry).collect() } else { Vec::new() },
            }),
        }
    };
    match models {
        [] => Vec::new(),
        [_] => vec![figure(&Set::ALL, "layers", "")],
        _ => Set::ALL
            .map(|set| {
                figure(
                    &[set],
                    &format!("layers-{}", set.id()),
                    &format!(", {}", set.name()),
                )
            })
            .into(),
    }
}

fn style(colour: Colour, set: Set) -> Style {
    match set {
        Set::Tokens => Style::line(colour).marked(Mark::Circle),
        Set::Sentences => Style::line(colour)
            .dashed(Dash::Dashed)
            .marked(Mark::HollowSquare),
    }
}

fn series(model: &Model<'_>, set: Set, alone: bool) -> Series {
    let point = |layer: &crate::source::Layer| {
        let geometry = set.of(layer);
        let y = geometry.and_then(|geometry| geometry.value("isoscore_unbiased"));
        Point {
            x: layer.layer as f64,
            y,
            interval: geometry.and_then(|geometry| geometry.isoscore_interval),
        }
    };
    Series {
        label: (!alone).then(|| model.label.clone()),
        style: style(model.colour, set),
        points: model.analysis.layers.iter().map(point).collect(),
    }
}

/// Describes the first and the last value of each line.
fn told(series: &[Series], otherwise: &str) -> String {
    let line = |series: &Series| {
        let mut values = series
            .points
            .iter()
            .filter_map(|point| Some((point.x, point.y?)));
        let (first_layer, first) = values.next()?;
        let (last_layer, last) = values.next_back().unwrap_or((first_layer, first));
        let name = series.label.as_deref().unwrap_or(otherwise);
        Some(format!(
            "{name} from {} in layer {first_layer} to {} in layer {last_layer}",
            fixed(first, 3),
            fixed(last, 3)
        ))
    };
    series
        .iter()
        .filter_map(line)
        .collect::<Vec<_>>()
        .join("; ")
}
