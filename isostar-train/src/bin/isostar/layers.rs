//! The tables of an analysis: a line a layer, a column a measure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use isostar_train::analysis::{Analysis, LayerAnalysis, LayerDifference, ModelAnalysis};
use isostar_train::embeddings::Geometry;

use crate::measure::number;

/// A measure: its title, its name in JSON, its value, and how many digits behind the point are printed.
struct Column {
    title: &'static str,
    key: &'static str,
    value: fn(&Geometry) -> Option<f64>,
    digits: usize,
}

const COLUMNS: [Column; 11] = [
    Column { title: "points", key: "points", value: |geometry| Some(geometry.points as f64), digits: 0 },
    Column { title: "IsoScore", key: "isoscore", value: |geometry| Some(geometry.isoscore), digits: 4 },
    Column { title: "unbiased", key: "isoscore_unbiased", value: |geometry| geometry.isoscore_unbiased, digits: 4 },
    Column { title: "cosine", key: "mean_cosine", value: |geometry| Some(geometry.mean_cosine), digits: 4 },
    Column { title: "partition", key: "partition", value: |geometry| geometry.partition, digits: 4 },
    Column { title: "eff. rank", key: "effective_rank", value: |geometry| geometry.effective_rank, digits: 1 },
    Column { title: "part. ratio", key: "participation_ratio", value: |geometry| geometry.participation_ratio, digits: 1 },
    Column {
        title: "for 90%",
        key: "explained_variance",
        value: |geometry| Some(geometry.explained_variance?.components as f64),
        digits: 0,
    },
    Column { title: "TwoNN", key: "twonn", value: |geometry| geometry.twonn, digits: 2 },
    Column { title: "MLE", key: "mle", value: |geometry| geometry.mle, digits: 2 },
    Column { title: "outliers", key: "outlier_dimensions", value: |geometry| Some(geometry.outlier_dimensions.len() as f64), digits: 0 },
];

impl Column {
    fn cell(&self, value: Option<f64>) -> String {
        match (value, self.digits) {
            (None, _) => "-".into(),
            (Some(value), 4) => number(value),
            (Some(value), digits) => format!("{value:.digits$}"),
        }
    }

    fn signed_cell(&self, difference: Option<f64>) -> String {
        let sign = if difference.is_some_and(|difference| difference >= 0.0) { "+" } else { "" };
        format!("{sign}{}", self.cell(difference))
    }
}

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
    let ModelAnalysis { model: name, task, split, rows, tokens, sample, device, seconds, layers, .. } = model;
    let compared = sample.map_or(String::new(), |sample| format!("; TwoNN and MLE of {sample}"));
    let head = format!("{name} on {task}, {split}: {rows} rows, {tokens} tokens{compared}; {seconds:.1} s on {device}\n");
    head + &of_layers("tokens", layers, |layer| &layer.tokens) + &of_layers("sentences", layers, |layer| &layer.sentences)
}

fn of_layers(title: &str, layers: &[LayerAnalysis], part: fn(&LayerAnalysis) -> &Option<Geometry>) -> String {
    let head = COLUMNS.iter().map(|column| column.title.to_string()).collect();
    let cells = |layer| COLUMNS.iter().map(|column| column.cell(part(layer).as_ref().and_then(column.value))).collect();
    table(title, head, layers.iter().map(|layer| (layer.layer, cells(layer))))
}

fn of_differences(title: &str, layers: &[LayerDifference], part: fn(&LayerDifference) -> &BTreeMap<String, Option<f64>>) -> String {
    // Only measures differ: what else there is to a geometry has no column here.
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| layers.iter().any(|layer| part(layer).contains_key(column.key))).collect();
    let head = columns.iter().map(|column| column.title.to_string()).collect();
    let cells = |layer| columns.iter().map(|column| column.signed_cell(part(layer).get(column.key).copied().flatten())).collect();
    table(title, head, layers.iter().map(|layer| (layer.layer, cells(layer))))
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
