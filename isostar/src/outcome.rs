//! What came out of runs, in the tables of `sweep` and `runs`.

use isostar_train::experiment::RunResult;
use isostar_train::hook::Divergence;

/// Describes a result: the scores of the run, or where it diverged.
pub fn outcome(result: &RunResult) -> String {
    match result.divergence() {
        Some(Divergence {
            epoch,
            step: Some(step),
            ..
        }) => format!("in step {step} of epoch {epoch}"),
        Some(Divergence { epoch, .. }) => format!("in epoch {epoch}"),
        None => {
            let score = |(name, value): (&String, &Option<f64>)| {
                let value = value.map_or("-".into(), |value| format!("{value:.4}"));
                format!("{name} {value}")
            };
            let scores: Vec<String> = result.metrics.iter().map(score).collect();
            scores.join("  ")
        }
    }
}

/// Returns a table with aligned columns; `right` lists those that are aligned to the right.
pub fn aligned<const N: usize>(rows: &[[String; N]], right: &[usize]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if right.contains(&column) {
            format!("{text:>width$}")
        } else {
            format!("{text:width$}")
        }
    };
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        cells.join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}
