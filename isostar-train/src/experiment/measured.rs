//! The names of what a run measures, in metrics.jsonl, geometry.jsonl, result.json and limits.

use isostar_core::Regularizer;

use super::{ExperimentError, Thresholds, TrainSettings};
use crate::task::TaskMetric;

/// What a monitor measures in each layer.
pub(super) const OF_LAYERS: [&str; 6] = [
    "trace",
    "frobenius_squared",
    "mean_norm",
    "isoscore",
    "effective_rank",
    "outlier_share",
];

/// The name of a metric with this title.
pub(super) fn name(title: &str) -> String {
    match title {
        "Loss" => "task_loss".into(),
        other => other.to_lowercase().replace(' ', "_"),
    }
}

/// Checks that the run measures everything that has a limit.
///
/// # Errors
/// If a limit is for another name.
pub(super) fn check_limits(
    settings: &TrainSettings,
    metrics: &[TaskMetric],
    regularizer: Option<&dyn Regularizer>,
) -> Result<(), ExperimentError> {
    let titles = ["Loss", "IsoScore"].into_iter();
    let of_task = metrics.iter().map(|metric| metric.name());
    let of_penalty = regularizer
        .iter()
        .flat_map(|regularizer| ["Penalty", regularizer.measure_name()]);
    let mut measured: Vec<String> = titles.chain(of_task).chain(of_penalty).map(name).collect();
    if settings.monitor.is_some() {
        measured.extend(OF_LAYERS.map(String::from));
    }
    measured.sort();
    measured.dedup();
    for (setting, limits) in [
        ("stop_below", &settings.stop_below),
        ("stop_above", &settings.stop_above),
    ] {
        let mut names = limits.iter().flat_map(Thresholds::names);
        if let Some(measure) = names.find(|name| !measured.iter().any(|known| known == name)) {
            return Err(ExperimentError::NotMeasured {
                setting,
                measure: measure.into(),
                measured,
            });
        }
    }
    Ok(())
}
