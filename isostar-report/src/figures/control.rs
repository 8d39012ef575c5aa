//! Curves of a regularizer that adapts from step to step.

use super::training::ends;
use crate::figure::{
    Axis, Chart, Colour, Dash, Entry, Figure, Kind, LineChart, Point, Series, Style,
};
use crate::group::Group;
use crate::source::{ControlLine, HeldScore, Run};

/// Largest number of points of a line; of longer runs, each point is a mean of consecutive steps.
const POINTS: usize = 150;

/// A number of a step, and the style of its lines.
struct Curve<'a> {
    /// The name in the legend.
    name: &'static str,
    dash: Dash,
    value: &'a dyn Fn(&HeldScore) -> Option<f64>,
}

/// Returns the figures of the scores that are held at targets, and of the weights that hold them.
pub fn held(groups: &[Group<'_>]) -> Vec<Figure> {
    let curve = |name, dash, value| Curve { name, dash, value };
    vec![
        figure(
            groups,
            "control-score",
            "Isotropy held at a target",
            "IsoScore, 0 to 1",
            &[
                curve("target", Dash::Dashed, &|held| held.target),
                curve("score", Dash::Solid, &|held| held.score),
            ],
            "IsoScore of the last batches, about ten of them, without the bias of small batches. \
             The first ten steps have no penalty; then the target moves from the untouched score \
             to its place.",
        ),
        figure(
            groups,
            "control-weight",
            "The weight that holds it",
            "Weight, multiplier λ",
            &[
                curve("acting weight", Dash::Dashed, &|held| held.weight),
                curve("multiplier λ", Dash::Solid, &|held| held.multiplier),
            ],
            "The acting weight is the slope of the penalty in the score, λ and the quadratic term \
             together: above 0 it raises isotropy, below 0 it lowers it.",
        ),
    ]
}

/// Returns the figure of the shrinkage weight ζ that is estimated in each step.
pub fn shrinkage(groups: &[Group<'_>]) -> Vec<Figure> {
    let series = groups.iter().flat_map(|group| {
        group.runs.iter().filter_map(|run| {
            let values = run.steps.iter().map(|line| {
                let shrinkage = line.details.get("shrinkage").copied().flatten();
                (line.step, shrinkage)
            });
            series(
                values,
                group,
                groups,
                None,
                Style::line(group.colour).thin(),
            )
        })
    });
    vec![chart(
        groups,
        "control-shrinkage",
        "Shrinkage estimated from each batch",
        "Shrinkage ζ, 0 to 1",
        series.collect(),
        Vec::new(),
        "The share of the reference in the covariance of a batch.",
    )]
}

fn figure(
    groups: &[Group<'_>],
    id: &str,
    title: &str,
    y: &str,
    curves: &[Curve<'_>],
    caption: &str,
) -> Figure {
    let mut all = Vec::new();
    for curve in curves {
        for group in groups {
            for run in &group.runs {
                for layers in layers(run) {
                    let held = |line: &ControlLine| {
                        let found = line.held.iter().find(|held| held.layers == layers)?;
                        (curve.value)(found)
                    };
                    let values = run.steps.iter().map(|line| (line.step, held(line)));
                    let style = Style::line(group.colour).dashed(curve.dash);
                    let style = if curve.dash == Dash::Solid {
                        style
                    } else {
                        style.thin()
                    };
                    all.extend(series(values, group, groups, Some(layers), style));
                }
            }
        }
    }
    let entry = |curve: &Curve<'_>| {
        let line = Style::line(Colour::Category(5)).dashed(curve.dash);
        let line = if curve.dash == Dash::Solid {
            line
        } else {
            line.thin()
        };
        Entry::line(curve.name, line)
    };
    let key = curves.iter().rev().map(entry).collect();
    chart(groups, id, title, y, all, key, caption)
}

/// The layers of a run that are held.
fn layers(run: &Run) -> Vec<&str> {
    let first = run.steps.iter().find(|line| !line.held.is_empty());
    let held = first.iter().flat_map(|line| &line.held);
    held.map(|held| held.layers.as_str()).collect()
}

/// The points of a line, at most [`POINTS`]. Steps without a value are left out.
pub(super) fn points(values: impl Iterator<Item = (u64, Option<f64>)>) -> Vec<Point> {
    let values: Vec<(u64, f64)> = values
        .filter_map(|(step, value)| Some((step, value?)))
        .collect();
    let each = values.len().div_ceil(POINTS).max(1);
    let mean = |steps: &[(u64, f64)]| {
        steps.iter().map(|(_, value)| value).sum::<f64>() / steps.len() as f64
    };
    values
        .chunks(each)
        .map(|steps| Point::new(steps[steps.len() - 1].0 as f64, Some(mean(steps))))
        .collect()
}

/// A line of a run; `None` without any value.
fn series(
    values: impl Iterator<Item = (u64, Option<f64>)>,
    group: &Group<'_>,
    groups: &[Group<'_>],
    layers: Option<&str>,
    style: Style,
) -> Option<Series> {
    let points = points(values);
    let is_layer = layers.filter(|layers| !matches!(*layers, "all" | "last"));
    let parts = (groups.len() > 1).then(|| group.label.clone());
    let parts = parts
        .into_iter()
        .chain(is_layer.map(|layer| format!("layer {layer}")));
    let label = parts.collect::<Vec<_>>().join(", ");
    let is_labelled = style.dash == Dash::Solid && !label.is_empty();
    (!points.is_empty()).then_some(Series {
        label: is_labelled.then_some(label),
        style,
        points,
    })
}

fn chart(
    groups: &[Group<'_>],
    id: &str,
    title: &str,
    y: &str,
    series: Vec<Series>,
    key: Vec<Entry>,
    caption: &str,
) -> Figure {
    let longest = groups
        .iter()
        .flat_map(|group| &group.runs)
        .map(|run| run.steps.len())
        .max();
    let thinned = if longest > Some(POINTS) {
        " Each point is a mean of consecutive steps."
    } else {
        ""
    };
    Figure {
        id: id.into(),
        title: title.into(),
        description: format!("{y} by step: {}.", ends(&series, groups)),
        caption: format!("{caption}{thinned}"),
        chart: Chart::Lines(LineChart {
            x: Axis::new("Step", Kind::Integer),
            y: Axis::new(y, Kind::Linear),
            series,
            key,
        }),
    }
}
