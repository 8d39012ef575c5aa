//! The figure of the task metric against isotropy, over a sweep.

use super::metric::{main_metric, title_case};
use crate::figure::number::fixed;
use crate::figure::{
    Axis, Chart, Cluster, Colour, Entry, Figure, Kind, Mark, Observation, ScatterChart, Style,
};
use crate::group::{Group, binomial_error};
use crate::source::Run;

/// Scores that span more than this factor use a logarithmic axis.
const LOGARITHMIC: f64 = 25.0;

/// Returns the figure, if there are several settings to compare.
pub fn figures(groups: &[Group<'_>]) -> Vec<Figure> {
    let Some(metric) = main_metric(groups) else {
        return Vec::new();
    };
    let clusters: Vec<Cluster> = groups
        .iter()
        .filter_map(|group| cluster(group, &metric))
        .collect();
    if clusters.len() < 2 {
        return Vec::new();
    }
    let scores = || {
        clusters
            .iter()
            .flat_map(|cluster| &cluster.members)
            .map(|one| one.x)
    };
    let (least, greatest) = (
        scores().fold(f64::INFINITY, f64::min),
        scores().fold(0.0, f64::max),
    );
    let kind = if least > 0.0 && greatest / least > LOGARITHMIC {
        Kind::Log
    } else {
        Kind::Linear
    };

    let title = title_case(&metric);
    let seeds = clusters.iter().any(|cluster| cluster.members.len() > 1);
    let grey = Style::line(Colour::Category(5)).marked(Mark::Circle);
    let key = if seeds {
        vec![Entry::mark("mean over seeds, small: each seed", grey)]
    } else {
        Vec::new()
    };
    let bars = match (seeds, metric == "accuracy") {
        (true, true) => {
            "Bars are one standard error over seeds to each side; of a setting with one seed, the binomial standard error of accuracy."
        }
        (true, false) => "Bars are one standard error over seeds to each side.",
        (false, true) => {
            "Bars are one binomial standard error of accuracy to each side, for rows drawn at random; seeds add to it."
        }
        (false, false) => "One seed each: nothing tells chance from effect.",
    };
    let told = clusters
        .iter()
        .map(|cluster| cluster.centre.hint.clone())
        .collect::<Vec<_>>()
        .join("; ");
    vec![Figure {
        id: "tradeoff".into(),
        title: format!("{title} against isotropy"),
        description: format!("{title} and IsoScore after training: {told}."),
        caption: format!("After training, on the validation rows. {bars}"),
        chart: Chart::Scatter(ScatterChart {
            x: Axis::new("IsoScore of all layers", kind),
            y: Axis::new(title, Kind::Linear),
            clusters,
            key,
        }),
    }]
}

fn cluster(group: &Group<'_>, metric: &str) -> Option<Cluster> {
    let score = |run: &Run| run.ended()?.isoscore.all;
    let value = |run: &Run| run.ended()?.metrics.get(metric).copied().flatten();
    let both = |run: &Run| Some((score(run)?, value(run)?));
    let hint = |name: &str, x: f64, y: f64| {
        format!(
            "{name}: {} {}, IsoScore {}",
            metric.replace('_', " "),
            fixed(y, 3),
            fixed(x, 3)
        )
    };
    let members: Vec<Observation> = group
        .runs
        .iter()
        .filter_map(|run| {
            let (x, y) = both(run)?;
            Some(Observation {
                x,
                y,
                hint: hint(&run.name, x, y),
            })
        })
        .collect();
    let across = group.spread(|run| both(run).map(|(x, _)| x))?;
    let up = group.spread(|run| both(run).map(|(_, y)| y))?;
    let binomial = || {
        let rows = group.runs.iter().find_map(|run| run.rows())?;
        (metric == "accuracy").then(|| binomial_error(up.mean, rows))
    };
    let centre = Observation {
        x: across.mean,
        y: up.mean,
        hint: hint(&group.label, across.mean, up.mean),
    };
    Some(Cluster {
        label: group.label.clone(),
        colour: group.colour,
        members,
        centre,
        reach: [across.error, up.error.or_else(binomial)],
    })
}
