//! Curves of the geometry of layers while a model trains, from the measurements of a monitor.

use super::control::points;
use super::training::ends;
use crate::figure::{Axis, Chart, Colour, Figure, Kind, LineChart, Series, Style};
use crate::group::Group;
use crate::source::{GeometryLine, Run};

/// The measures that are drawn: name in the file, id, title, axis.
const MEASURES: [[&str; 4]; 4] = [
    [
        "isoscore",
        "geometry-isoscore",
        "IsoScore of layers while training",
        "IsoScore, 0 to 1",
    ],
    [
        "effective_rank",
        "geometry-rank",
        "Effective rank of layers while training",
        "Effective rank",
    ],
    [
        "mean_norm",
        "geometry-norm",
        "Norm of states while training",
        "Mean norm",
    ],
    [
        "outlier_share",
        "geometry-outlier",
        "The largest dimension while training",
        "Share of variance, 0 to 1",
    ],
];

/// Returns one figure per measure: a line per layer for a single run, the mean over layers for each of
/// several.
pub fn figures(groups: &[Group<'_>]) -> Vec<Figure> {
    let watched = groups.iter().flat_map(|group| {
        let runs = group.runs.iter().copied();
        runs.filter(|run| !run.geometry.is_empty())
            .map(move |run| (group, run))
    });
    let watched: Vec<(&Group<'_>, &Run)> = watched.collect();
    MEASURES
        .iter()
        .map(|[name, id, title, axis]| {
            let (series, what) = match watched[..] {
                [(_, run)] => (of_layers(run, name), "one line per layer"),
                _ => (
                    of_runs(&watched, name, groups.len()),
                    "the mean over layers",
                ),
            };
            Figure {
                id: (*id).into(),
                title: (*title).into(),
                description: format!("{axis} by step: {}.", ends(&series, groups)),
                caption: format!("On sampled tokens of training batches, {what}."),
                chart: Chart::Lines(LineChart {
                    x: Axis::new("Step", Kind::Integer),
                    y: Axis::new(*axis, Kind::Linear),
                    series,
                    key: Vec::new(),
                }),
            }
        })
        .collect()
}

fn of_layers(run: &Run, name: &str) -> Vec<Series> {
    let depth = run.geometry.iter().map(|line| line.layers.len()).max();
    let layer = |index: usize| {
        let value = |line: &GeometryLine| line.layers.get(index)?.get(name).copied().flatten();
        Series {
            label: Some(format!("layer {}", index + 1)),
            style: Style::line(Colour::Category(index)),
            points: points(run.geometry.iter().map(|line| (line.step, value(line)))),
        }
    };
    (0..depth.unwrap_or(0)).map(layer).collect()
}

fn of_runs(watched: &[(&Group<'_>, &Run)], name: &str, groups: usize) -> Vec<Series> {
    let mean = |line: &GeometryLine| {
        let values = line.layers.iter().filter_map(|layer| *layer.get(name)?);
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let series = watched.iter().map(|(group, run)| Series {
        label: (groups > 1).then(|| group.label.clone()),
        style: Style::line(group.colour),
        points: points(run.geometry.iter().map(|line| (line.step, mean(line)))),
    });
    series.collect()
}
