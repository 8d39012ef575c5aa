//! The results section: key numbers first, then complete tables.

use isostar_core::measure::{MEASURES, Measure};
use maud::{Markup, html};

use super::table::{NOTHING, Row, cell, table};
use crate::figure::number::{count, fixed, number};
use crate::figures::{Model, Set, main_metric, title_case};
use crate::group::{Group, Spread};
use crate::source::{Geometry, Run};

/// Key numbers, a table of runs, and a table of layers for each model.
pub fn section(groups: &[Group<'_>], models: &[Model<'_>]) -> Markup {
    let tiles = tiles(groups, models);
    html! {
        @if !tiles.is_empty() {
            ul class="tiles" { @for (value, name) in &tiles { li { b { (value) } span { (name) } } } }
        }
        @if groups.iter().any(|group| group.runs.iter().any(|run| run.outcome.is_some())) { (of_runs(groups)) }
        @for model in models {
            @for set in Set::ALL { (of_layers(model, set)) }
        }
        @for model in models { (outliers(model)) }
        @for pair in models.windows(2).filter(|pair| is_pair(pair)) { (differences(pair)) }
    }
}

fn finished(run: &Run, metric: &str) -> Option<f64> {
    run.ended()?.metrics.get(metric).copied().flatten()
}

fn tiles(groups: &[Group<'_>], models: &[Model<'_>]) -> Vec<(String, String)> {
    let mut tiles = Vec::new();
    if let Some(metric) = main_metric(groups) {
        let of_groups: Vec<(&Group<'_>, Spread)> = groups
            .iter()
            .filter_map(|group| Some((group, group.spread(|run| finished(run, &metric))?)))
            .collect();
        let best = of_groups
            .iter()
            .max_by(|one, other| one.1.mean.total_cmp(&other.1.mean));
        if let Some((group, spread)) = best {
            let metric = metric.replace('_', " ");
            let over = if spread.count > 1 {
                format!(", mean of {} seeds", spread.count)
            } else {
                String::new()
            };
            let name = if of_groups.len() > 1 {
                format!("highest {metric}, at {}{over}", group.label)
            } else {
                format!("{metric}, {}{over}", group.label)
            };
            tiles.push((fixed(spread.mean, 3), name));
        }
        let scores: Vec<(&str, f64)> = groups
            .iter()
            .filter_map(|group| {
                Some((
                    group.label.as_str(),
                    group.spread(|run| run.ended()?.isoscore.all)?.mean,
                ))
            })
            .collect();
        let least = scores.iter().min_by(|one, other| one.1.total_cmp(&other.1));
        let greatest = scores.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        match (least, greatest) {
            (Some(least), Some(greatest)) if scores.len() > 1 => {
                tiles.push((
                    format!("{} – {}", fixed(least.1, 3), fixed(greatest.1, 3)),
                    format!(
                        "IsoScore after training, from {} to {}",
                        least.0, greatest.0
                    ),
                ));
            }
            (Some(only), _) => tiles.push((
                fixed(only.1, 3),
                format!("IsoScore after training, {}", only.0),
            )),
            _ => {}
        }
    }
    let several = models.len() > 1;
    for model in models.iter().take(2) {
        let of_model = if several {
            format!(", {}", model.label)
        } else {
            String::new()
        };
        let mut scores = model
            .analysis
            .layers
            .iter()
            .filter_map(|layer| Some((layer.layer, Set::Tokens.of(layer)?.value("isoscore")?)));
        if let Some((layer, score)) = scores.next_back() {
            tiles.push((
                fixed(score, 3),
                format!("IsoScore of token states in layer {layer}{of_model}"),
            ));
        }
        let mut estimates = model
            .analysis
            .layers
            .iter()
            .filter_map(|layer| Some((layer.layer, Set::Tokens.of(layer)?.value("twonn")?)));
        if let (Some((layer, estimate)), false) = (estimates.next_back(), several) {
            tiles.push((
                fixed(estimate, 1),
                format!("intrinsic dimension (TwoNN) of token states in layer {layer}"),
            ));
        }
    }
    tiles
}

fn of_runs(groups: &[Group<'_>]) -> Markup {
    let mut metrics: Vec<&str> = Vec::new();
    for outcome in groups
        .iter()
        .flat_map(|group| &group.runs)
        .filter_map(|run| run.outcome.as_ref())
    {
        metrics.extend(
            outcome
                .metrics
                .keys()
                .map(String::as_str)
                .filter(|name| !metrics.contains(name))
                .collect::<Vec<_>>(),
        );
    }
    let titles: Vec<String> = metrics.iter().map(|name| title_case(name)).collect();
    let mut header = vec!["setting", "seeds"];
    header.extend(titles.iter().map(String::as_str));
    header.extend(["task loss", "IsoScore"]);
    let row = |group: &Group<'_>| {
        let mean = |value: &dyn Fn(&Run) -> Option<f64>| {
            cell(group.spread(value).map(|spread| spread.mean), |mean| {
                fixed(mean, 3)
            })
        };
        let ended = group
            .runs
            .iter()
            .filter(|run| run.ended().is_some())
            .count();
        let mut cells = vec![match group
            .runs
            .iter()
            .filter(|run| run.diverged().is_some())
            .count()
        {
            0 => ended.to_string(),
            diverged => format!("{ended}, {diverged} diverged"),
        }];
        cells.extend(
            metrics
                .iter()
                .map(|name| mean(&|run: &Run| finished(run, name))),
        );
        cells.push(mean(&|run: &Run| run.ended()?.task_loss));
        cells.push(mean(&|run: &Run| run.ended()?.isoscore.all));
        Row {
            colour: Some(group.colour),
            ..Row::new(&group.label, cells)
        }
    };
    let rows: Vec<Row> = groups.iter().map(row).collect();
    table(
        "After training, on the rows to evaluator by; means over seeds",
        &header,
        &rows,
    )
}

/// Formats the value of a measure with an appropriate number of digits.
fn text(measure: &Measure, value: f64) -> String {
    if measure.digits == 4 {
        number(value)
    } else {
        fixed(value, measure.digits)
    }
}

fn of_layers(model: &Model<'_>, set: Set) -> Markup {
    let layers: Vec<(usize, &Geometry)> = model
        .analysis
        .layers
        .iter()
        .filter_map(|layer| Some((layer.layer, set.of(layer)?)))
        .collect();
    let row = |&(layer, geometry): &(usize, &Geometry)| {
        let mut cells = vec![count(geometry.points)];
        for measure in MEASURES {
            cells.push(cell(geometry.value(measure.name), |value| {
                text(measure, value)
            }));
            if measure.name == "isoscore_unbiased" {
                cells.push(
                    geometry
                        .isoscore_interval
                        .map_or(NOTHING.into(), |[low, high]| {
                            format!("{} – {}", fixed(low, 4), fixed(high, 4))
                        }),
                );
            }
        }
        Row::new(layer.to_string(), cells)
    };
    let mut header = vec!["layer", "points"];
    for measure in MEASURES {
        header.push(measure.title);
        if measure.name == "isoscore_unbiased" {
            header.push("95% interval");
        }
    }
    let rows: Vec<Row> = layers.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            details open[matches!(set, Set::Tokens)] {
                summary { (model.label) ", " (set.name()) }
                (table(&format!("Measures by layer, {}", set.name()), &header, &rows))
            }
        }
    }
}

fn outliers(model: &Model<'_>) -> Markup {
    let tokens = model
        .analysis
        .layers
        .iter()
        .filter_map(|layer| Some((layer.layer, Set::Tokens.of(layer)?)));
    let rows: Vec<Row> = tokens
        .flat_map(|(layer, geometry)| {
            let row = move |outlier: &crate::source::OutlierDimension| {
                Row::new(
                    layer.to_string(),
                    [
                        outlier.dimension.to_string(),
                        cell(outlier.mean, number),
                        cell(outlier.std, number),
                    ],
                )
            };
            geometry.outlier_dimensions.iter().flatten().map(row)
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            details {
                summary { (model.label) ", outlier dimensions of token states (" (rows.len()) ")" }
                (table("Dimensions whose mean or variance stands out", &["layer", "dimension", "mean", "standard deviation"], &rows))
            }
        }
    }
}

/// Whether the second model is the one that the first is compared with.
fn is_pair(pair: &[Model<'_>]) -> bool {
    pair[0]
        .analysis
        .against
        .as_deref()
        .is_some_and(|against| std::ptr::eq(against, pair[1].analysis))
}

fn differences(pair: &[Model<'_>]) -> Markup {
    let header: Vec<&str> = ["layer"]
        .into_iter()
        .chain(MEASURES.iter().map(|measure| measure.title))
        .collect();
    let of_set = |set: Set| {
        let rows: Vec<Row> = pair[0]
            .analysis
            .layers
            .iter()
            .filter_map(|layer| {
                let other = pair[1]
                    .analysis
                    .layers
                    .iter()
                    .find(|other| other.layer == layer.layer)?;
                let (first, second) = (set.of(layer)?, set.of(other)?);
                let cells = MEASURES.iter().map(|measure| {
                    let values = second.value(measure.name).zip(first.value(measure.name));
                    let difference = values.map(|(second, first)| second - first);
                    cell(difference, |value| {
                        format!(
                            "{}{}",
                            if value > 0.0 { "+" } else { "" },
                            text(measure, value)
                        )
                    })
                });
                Some(Row::new(layer.layer.to_string(), cells))
            })
            .collect();
        table(
            &format!("{} less {}, {}", pair[1].label, pair[0].label, set.name()),
            &header,
            &rows,
        )
    };
    html! {
        details {
            summary { "How " (pair[1].label) " differs from " (pair[0].label) }
            @for set in Set::ALL { (of_set(set)) }
        }
    }
}
