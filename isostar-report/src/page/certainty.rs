//! The uncertainty section: seeds, number of rows, and confidence intervals of the measures.

use maud::{Markup, html};

use super::table::{NOTHING, Row, table};
use crate::figure::number::{count, fixed};
use crate::figures::{Model, Set, main_metric, title_case};
use crate::group::{Group, Spread, binomial_error};
use crate::source::Run;

/// The variation over seeds, the standard error for the number of validation rows, and the
/// confidence intervals.
pub fn section(groups: &[Group<'_>], models: &[Model<'_>]) -> Markup {
    html! {
        @if let Some(metric) = main_metric(groups) { (of_runs(groups, &metric)) }
        @for model in models { p { (of_model(model)) } }
    }
}

fn of_runs(groups: &[Group<'_>], metric: &str) -> Markup {
    let value = |run: &Run| run.ended()?.metrics.get(metric).copied().flatten();
    let score = |run: &Run| run.ended()?.isoscore.all;
    let shares = metric == "accuracy";
    let row = |group: &Group<'_>| {
        let values = group.spread(value);
        let rows = group.runs.iter().find_map(|run| run.rows());
        let binomial = values
            .zip(rows)
            .filter(|_| shares)
            .map(|(spread, rows)| binomial_error(spread.mean, rows));
        let cells = vec![
            html! { (values.map_or(0, |spread| spread.count)) },
            spread_cell(values),
            range_cell(values),
            html! { (binomial.map_or(NOTHING.into(), |error| format!("± {}", fixed(error, 3)))) },
            spread_cell(group.spread(score)),
            range_cell(group.spread(score)),
        ];
        Row {
            name: group.label.clone(),
            colour: Some(group.colour),
            cells,
        }
    };
    let title = title_case(metric);
    let header = [
        "setting",
        "seeds",
        &format!("{title} ± standard error"),
        "least – greatest",
        "binomial error",
        "IsoScore ± standard error",
        "least – greatest",
    ];
    let rows: Vec<Row> = groups
        .iter()
        .filter(|group| group.spread(value).is_some())
        .map(row)
        .collect();
    let seeds = groups
        .iter()
        .map(|group| group.runs.len())
        .max()
        .unwrap_or(0);
    html! {
        @if !rows.is_empty() { (table("Spread over seeds", &header, &rows)) }
        p {
            @if seeds > 1 {
                "The standard error is that of the mean over seeds, s/√k, and itself uncertain where seeds are few. "
            } @else {
                "Every setting was run with one seed: how much a seed changes is not known. More runs with other values of " code { "seed" } " would tell. "
            }
            (of_rows(groups, shares))
        }
        @if seeds > 1 {
            p class="quiet" {
                "Seeds change weights, order and dropout, not the rows: a difference between two settings that is below about two of its \
                 standard errors may be chance."
            }
        }
    }
}

fn of_rows(groups: &[Group<'_>], shares: bool) -> String {
    let rows = groups
        .iter()
        .flat_map(|group| &group.runs)
        .find_map(|run| run.rows());
    match (rows, shares) {
        (Some(rows), true) => format!(
            "Accuracy is measured on {} validation rows; for rows drawn at random, it has a binomial standard error of √(p(1 − p)/n), at most {}.",
            count(rows),
            fixed(binomial_error(0.5, rows), 3)
        ),
        (Some(rows), false) => format!("The metric is measured on {} validation rows.", count(rows)),
        (None, _) => "The runs do not record the number of validation rows, so the binomial error of accuracy is unknown.".into(),
    }
}

fn spread_cell(spread: Option<Spread>) -> Markup {
    html! {
        @match spread {
            None => (NOTHING),
            Some(Spread { mean, error: Some(error), .. }) => { (fixed(mean, 3)) span class="range" { " ± " (fixed(error, 3)) } },
            Some(Spread { mean, .. }) => (fixed(mean, 3)),
        }
    }
}

fn range_cell(spread: Option<Spread>) -> Markup {
    html! {
        @match spread {
            Some(Spread { least, greatest, count, .. }) if count > 1 => (format!("{} – {}", fixed(least, 3), fixed(greatest, 3))),
            _ => (NOTHING),
        }
    }
}

/// Describes the widest interval of a model's layers, and the points among which neighbours were
/// searched.
fn of_model(model: &Model<'_>) -> String {
    let intervals =
        Set::ALL.into_iter().flat_map(|set| {
            model.analysis.layers.iter().filter_map(move |layer| {
                Some((set, layer.layer, set.of(layer)?.isoscore_interval?))
            })
        });
    let widest =
        intervals.max_by(|one, other| (one.2[1] - one.2[0]).total_cmp(&(other.2[1] - other.2[0])));
    let told = match widest {
        Some((set, layer, [low, high])) => {
            format!(
                "95% intervals of IsoScore are at most {} wide, from {} to {} for {} of layer {layer}",
                fixed(high - low, 4),
                fixed(low, 4),
                fixed(high, 4),
                set.name()
            )
        }
        None => "no interval of IsoScore was computed".into(),
    };
    format!(
        "{}: {told}. They are for other rows drawn like these {}, and say nothing of other data.",
        model.label,
        count(model.analysis.rows)
    )
}
