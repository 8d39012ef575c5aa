//! The metric values of past epochs, for strategies that compare epochs.

use std::collections::HashMap;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};

/// Keeps the values of every metric in memory, by epoch, for choosing the best checkpoint.
///
/// Burn's in-memory logger counts epochs from the first one it sees, so it finds nothing after a
/// resumption.
#[derive(Default)]
pub(super) struct EpochValues {
    names: HashMap<MetricId, String>,
    values: HashMap<(String, usize, String), Vec<NumericEntry>>,
}

impl MetricLogger for EpochValues {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        for numeric in update.entries_numeric {
            let Some(name) = self.names.get(&numeric.entry.metric_id) else { continue };
            if let Ok(entry) = NumericEntry::deserialize(&numeric.entry.serialized_entry.serialized) {
                self.values.entry((name.clone(), epoch, split.to_string())).or_default().push(entry);
            }
        }
    }

    fn read_numeric(&mut self, name: &str, epoch: usize, split: &Split) -> Result<Vec<NumericEntry>, String> {
        let key = (name.to_string(), epoch, split.to_string());
        Ok(self.values.get(&key).cloned().unwrap_or_default())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
