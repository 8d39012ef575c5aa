//! The tables of an analysis: one line per layer, one column per measure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use isostar_core::measure::{MEASURES, Measure, Needs};
use isostar_measure::Geometry;
use isostar_train::analysis::{Analysis, LayerAnalysis, LayerDifference, ModelAnalysis};

use crate::measure::number;

fn cell(measure: &Measure, value: Option<f64>) -> String {
    match (value, measure.digits) {
        (None, _) => "-".into(),
        (Some(value), 4) => number(value),
        (Some(value), digits) => format!("{value:.digits$}"),
    }
}

fn signed_cell(measure: &Measure, difference: Option<f64>) -> String {
    let sign = if difference.is_some_and(|difference| difference >= 0.0) {
        "+"
    } else {
        ""
    };
    format!("{sign}{}", cell(measure, difference))
}

/// Formats the tables of one model; if there is a second model, also its tables and the
/// differences.
pub fn tables(analysis: &Analysis) -> String {
    let mut text = of_model(&analysis.model);
    if let (Some(against), Some(differences)) = (&analysis.against, &analysis.differences) {
        let _ = write!(
            text,
            "\n{}\n{} minus {}\n",
            of_model(against),
            against.model,
            analysis.model.model
        );
        text += &of_differences("tokens", differences, |layer| &layer.tokens);
        text += &of_differences("sentences", differences, |layer| &layer.sentences);
    }
    text
}

fn of_model(model: &ModelAnalysis) -> String {
    let ModelAnalysis {
        model: name,
        task,
        split,
        rows,
        tokens,
        sample,
        device,
        seconds,
        layers,
        ..
    } = model;
    let compared = sample.map_or(String::new(), |sample| {
        format!("; TwoNN and MLE of {sample}")
    });
    let head = format!(
        "{name} on {task}, {split}: {rows} rows, {tokens} tokens{compared}; {seconds:.1} s on {device}\n"
    );
    head + &of_layers("tokens", layers, |layer| &layer.tokens)
        + &of_layers("sentences", layers, |layer| &layer.sentences)
}

fn of_layers(
    title: &str,
    layers: &[LayerAnalysis],
    part: fn(&LayerAnalysis) -> &Option<Geometry>,
) -> String {
    // An analysis has no reference.
    let columns: Vec<&Measure> = MEASURES
        .iter()
        .filter(|measure| measure.needs != Needs::Reference)
        .collect();
    let head = ["points"]
        .into_iter()
        .chain(columns.iter().map(|measure| measure.column))
        .map(String::from)
        .collect();
    let cells = |layer| {
        let geometry = part(layer).as_ref();
        let points = geometry.map_or("-".into(), |geometry| geometry.points.to_string());
        let value = |measure: &&Measure| {
            cell(
                measure,
                geometry.and_then(|geometry| geometry.value(measure.name)),
            )
        };
        [points]
            .into_iter()
            .chain(columns.iter().map(value))
            .collect()
    };
    table(
        title,
        head,
        layers.iter().map(|layer| (layer.layer, cells(layer))),
    )
}

fn of_differences(
    title: &str,
    layers: &[LayerDifference],
    part: fn(&LayerDifference) -> &BTreeMap<String, Option<f64>>,
) -> String {
    let is_listed = |measure: &&Measure| {
        layers
            .iter()
            .any(|layer| part(layer).contains_key(measure.name))
    };
    let columns: Vec<&Measure> = MEASURES.iter().filter(is_listed).collect();
    let head = columns
        .iter()
        .map(|measure| measure.column.to_string())
        .collect();
    let cells = |layer| {
        columns
            .iter()
            .map(|measure| signed_cell(measure, part(layer).get(measure.name).copied().flatten()))
            .collect()
    };
    table(
        title,
        head,
        layers.iter().map(|layer| (layer.layer, cells(layer))),
    )
}

/// Formats lines of cells, with every column as wide as its widest cell.
fn table(
    title: &str,
    head: Vec<String>,
    lines: impl Iterator<Item = (usize, Vec<String>)>,
) -> String {
    let lines: Vec<(String, Vec<String>)> = [(title.to_string(), head)]
        .into_iter()
        .chain(lines.map(|(layer, cells)| (format!("layer {layer}"), cells)))
        .collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|(_, cells)| cells[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines[0].1.len()).map(width).collect();
    let mut text = String::new();
    for (name, cells) in &lines {
        let _ = write!(text, "{name:9}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}
