//! The tables of an analysis: a line a layer, a column a measure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use isostar_train::analysis::{Analysis, LayerAnalysis, LayerDifference, ModelAnalysis};
use isostar_train::embeddings::Geometry;

use crate::measure::number;

/// A measure: its title, its name in JSON, and how it is printed.
struct Column {
    title: &'static str,
    key: &'static str,
    cell: fn(&Geometry) -> Option<String>,
}

const COLUMNS: [Column; 5] = [
    Column { title: "points", key: "points", cell: |geometry| Some(geometry.points.to_string()) },
    Column { title: "IsoScore", key: "isoscore", cell: |geometry| Some(number(geometry.isoscore)) },
    Column { title: "unbiased", key: "isoscore_unbiased", cell: |geometry| geometry.isoscore_unbiased.map(number) },
    Column { title: "mean cosine", key: "mean_cosine", cell: |geometry| Some(number(geometry.mean_cosine)) },
    Column { title: "CosReg", key: "cosreg", cell: |geometry| Some(number(geometry.cosreg)) },
];

/// The tables of one model, and where there is another, its own and those of the differences.
pub fn tables(analysis: &Analysis) -> String {
    let mut text = of_model(&analysis.model);
    if let (Some(against), Some(differences)) = (&analysis.against, &analysis.differences) {
        let _ = write!(text, "\n{}\n{} minus {}\n", of_model(against), against.model, analysis.model.model);
        text += &of_differences("tokens", differences, |layer| &layer.tokens);
        text += &of_differences("sentences", differences, |layer| &layer.sentences);
    }
    text
}

fn of_model(model: &ModelAnalysis) -> String {
    let ModelAnalysis { model: name, task, split, rows, tokens, device, seconds, layers, .. } = model;
    let head = format!("{name} on {task}, {split}: {rows} rows, {tokens} tokens; {seconds:.1} s on {device}\n");
    head + &of_layers("tokens", layers, |layer| &layer.tokens) + &of_layers("sentences", layers, |layer| &layer.sentences)
}

fn of_layers(title: &str, layers: &[LayerAnalysis], part: fn(&LayerAnalysis) -> &Option<Geometry>) -> String {
    let head = COLUMNS.iter().map(|column| column.title.to_string()).collect();
    let cells = |layer| COLUMNS.iter().map(|column| part(layer).as_ref().and_then(column.cell).unwrap_or_else(none)).collect();
    table(title, head, layers.iter().map(|layer| (layer.layer, cells(layer))))
}

fn of_differences(title: &str, layers: &[LayerDifference], part: fn(&LayerDifference) -> &BTreeMap<String, Option<f64>>) -> String {
    // Only measures differ: what else there is to a geometry has no column here.
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| layers.iter().any(|layer| part(layer).contains_key(column.key))).collect();
    let head = columns.iter().map(|column| column.title.to_string()).collect();
    let cell = |layer, column: &&Column| part(layer).get(column.key).copied().flatten().map_or_else(none, signed);
    table(title, head, layers.iter().map(|layer| (layer.layer, columns.iter().map(|column| cell(layer, column)).collect())))
}

fn none() -> String {
    "-".into()
}

fn signed(value: f64) -> String {
    format!("{}{}", if value < 0.0 { "" } else { "+" }, number(value))
}

/// Lines of cells, every column as wide as its widest cell.
fn table(title: &str, head: Vec<String>, lines: impl Iterator<Item = (usize, Vec<String>)>) -> String {
    let lines: Vec<(String, Vec<String>)> =
        [(title.to_string(), head)].into_iter().chain(lines.map(|(layer, cells)| (format!("layer {layer}"), cells))).collect();
    let width = |column: usize| lines.iter().map(|(_, cells)| cells[column].chars().count()).max().unwrap_or(0);
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
