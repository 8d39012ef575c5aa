//! Training curves, one line per run.

use super::metric::{main_metric, title_case};
use crate::figure::{
    Axis, Chart, Colour, Dash, Entry, Figure, Kind, LineChart, Mark, Point, Series, Style,
};
use crate::group::Group;
use crate::source::Run;

/// With more runs than this, lines are thin.
const MANY: usize = 6;

/// A metric of a split, and the style of its lines.
struct Curve {
    split: &'static str,
    metric: String,
    /// The name in the legend.
    name: &'static str,
    dash: Dash,
}

/// Returns the figures of the loss, the task metric and isotropy per epoch.
pub fn figures(groups: &[Group<'_>]) -> Vec<Figure> {
    let curve = |split, metric: &str, name, dash| Curve {
        split,
        metric: metric.into(),
        name,
        dash,
    };
    let metric = main_metric(groups).unwrap_or_else(|| "accuracy".into());
    let title = title_case(&metric);
    vec![
        figure(
            groups,
            "training-loss",
            "Task loss",
            "Task loss, mean of a row (nats)",
            &[
                curve("train", "task_loss", "training", Dash::Dashed),
                curve("valid", "task_loss", "validation", Dash::Solid),
            ],
            "The task's loss alone, without the penalty. The training loss is a mean over the epoch, with dropout; \
             the validation loss is taken at its end.",
        ),
        figure(
            groups,
            "training-metric",
            &format!("{title} while training"),
            &title,
            &[
                curve("train", &metric, "training", Dash::Dashed),
                curve("valid", &metric, "validation", Dash::Solid),
            ],
            "On the validation rows at the end of each epoch, and on the training rows over it.",
        ),
        figure(
            groups,
            "training-isoscore",
            "Isotropy while training",
            "IsoScore, 0 to 1",
            &[
                curve(
                    "train",
                    "isoscore_star",
                    "IsoScore* of training batches",
                    Dash::Dashed,
                ),
                curve(
                    "train",
                    "isoscore_unbiased",
                    "unbiased IsoScore of training batches",
                    Dash::Dashed,
                ),
                curve("valid", "isoscore", "IsoScore of validation", Dash::Solid),
            ],
            "IsoScore of the token states of all layers, from the whole validation split. \
             IsoScore* is that of a batch after shrinkage, and not comparable in value.",
        ),
    ]
}

/// Returns the figure of the weighted penalty per epoch.
pub fn penalty(groups: &[Group<'_>]) -> Vec<Figure> {
    let curves = [Curve {
        split: "train",
        metric: "penalty".into(),
        name: "training",
        dash: Dash::Solid,
    }];
    let caption =
        "λ times the penalty, as it is added to the task's loss: below 0 for a λ below 0.";
    vec![figure(
        groups,
        "training-penalty",
        "Penalty",
        "λ × penalty (nats)",
        &curves,
        caption,
    )]
}

fn figure(
    groups: &[Group<'_>],
    id: &str,
    title: &str,
    y: &str,
    curves: &[Curve],
    caption: &str,
) -> Figure {
    let runs = groups.iter().map(|group| group.runs.len()).sum::<usize>();
    let mut series = Vec::new();
    let mut shown = Vec::new();
    for curve in curves {
        for group in groups {
            for run in &group.runs {
                let points = points(run, curve);
                if points.iter().any(|point| point.y.is_some()) {
                    let line = Style::line(group.colour).dashed(curve.dash);
                    let style = match (curve.dash, runs > MANY) {
                        (Dash::Solid, false) => line.marked(Mark::Circle),
                        (Dash::Solid, true) => line.thin().marked(Mark::Circle),
                        _ => line.thin(),
                    };
                    // If a run has several lines, only the solid one is labelled.
                    let label = (curve.dash == Dash::Solid && groups.len() > 1)
                        .then(|| group.label.clone());
                    series.push(Series {
                        label,
                        style,
                        points,
                    });
                    if !shown.contains(&curve.name) {
                        shown.push(curve.name);
                    }
                }
            }
        }
    }
    let of_name = |name: &&str| curves.iter().find(|curve| curve.name == *name);
    let entry = |curve: &Curve| {
        let line = Style::line(Colour::Category(5)).dashed(curve.dash);
        Entry::line(
            curve.name,
            if curve.dash == Dash::Solid {
                line.marked(Mark::Circle)
            } else {
                line.thin()
            },
        )
    };
    let key = if curves.len() > 1 {
        shown.iter().rev().filter_map(of_name).map(entry).collect()
    } else {
        Vec::new()
    };
    let many = if runs > groups.len() {
        " Runs that differ in the seed alone share a colour."
    } else {
        ""
    };
    Figure {
        id: id.into(),
        title: title.into(),
        description: format!("{y} by epoch: {}.", ends(&series, groups)),
        caption: format!("{caption}{many}"),
        chart: Chart::Lines(LineChart {
            x: Axis::new("Epoch", Kind::Integer),
            y: Axis::new(y, Kind::Linear),
            series,
            key,
        }),
    }
}

fn points(run: &Run, curve: &Curve) -> Vec<Point> {
    let lines = run.epochs.iter().filter(|line| line.split == curve.split);
    lines
        .filter_map(|line| {
            Some(Point::new(
                line.epoch as f64,
                *line.metrics.get(&curve.metric)?,
            ))
        })
        .collect()
}

/// Describes the first and the last value of each labelled line.
pub(super) fn ends(series: &[Series], groups: &[Group<'_>]) -> String {
    use crate::figure::number::number;
    let unbroken = series
        .iter()
        .filter(|series| series.style.dash == Dash::Solid);
    let told = unbroken.filter_map(|series| {
        let mut values = series.points.iter().filter_map(|point| point.y);
        let first = values.next()?;
        let last = values.next_back().unwrap_or(first);
        let name = series
            .label
            .as_deref()
            .or(groups.first().map(|group| group.label.as_str()))
            .unwrap_or("run");
        Some(format!("{name} from {} to {}", number(first), number(last)))
    });
    told.collect::<Vec<_>>().join("; ")
}
