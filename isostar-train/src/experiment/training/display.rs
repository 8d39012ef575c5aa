//! Display of a run's progress: the observer, and Burn's dashboard if it is used.
//!
//! The renderer types of burn-train change between versions; only this module uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::train::Interrupter;
use burn::train::metric::{
    MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn::train::renderer::{MetricState, MetricsRenderer};

use crate::experiment::limits::Limits;
use crate::experiment::measured;
use crate::experiment::{EpochReport, Observer};
use crate::progress::Phase;

/// A metric of training or validation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ShownMetric {
    /// Title in the dashboard, such as `IsoScore star`.
    pub title: String,
    /// Whether larger values are better.
    pub higher_is_better: bool,
}

impl ShownMetric {
    pub fn new(title: impl Into<String>, higher_is_better: bool) -> Self {
        Self {
            title: title.into(),
            higher_is_better,
        }
    }

    /// Name in metrics.jsonl; result.json uses the same names.
    pub fn name(&self) -> String {
        measured::name(&self.title)
    }
}

/// Passes the progress of a run on.
pub(super) struct Display {
    observer: Arc<dyn Observer>,
    limits: Arc<Limits>,
    dashboard: Option<Box<dyn MetricsRenderer>>,
    titles: BTreeMap<String, String>,
}

impl Display {
    /// Creates a display. Burn's dashboard is used if it is compiled in, the observer allows it and
    /// stdout is a terminal; its key `q` triggers the interrupter.
    pub fn new(
        observer: Arc<dyn Observer>,
        limits: Arc<Limits>,
        interrupter: &Interrupter,
    ) -> Self {
        let dashboard = dashboard(interrupter, observer.as_ref());
        Self {
            observer,
            limits,
            dashboard,
            titles: BTreeMap::new(),
        }
    }

    /// Begins a training of `epochs` epochs in `epoch`, counted from 1.
    pub fn start(&mut self, epochs: usize, epoch: usize, metrics: &[ShownMetric]) {
        self.titles = metrics
            .iter()
            .map(|metric| (metric.name(), metric.title.clone()))
            .collect();
        let Some(dashboard) = &mut self.dashboard else {
            return;
        };
        for metric in metrics {
            let name = Arc::new(metric.title.clone());
            dashboard.register_metric(MetricDefinition {
                metric_id: MetricId::new(name.clone()),
                name,
                description: None,
                attributes: NumericAttributes {
                    unit: None,
                    higher_is_better: metric.higher_is_better,
                }
                .into(),
            });
        }
        dashboard.start(epochs, epoch, None, None);
    }

    /// Begins the training or the validation of an epoch.
    pub fn begin(&mut self, phase: &Phase, rows: usize) {
        self.observer.begin(phase.clone(), rows);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.start_split(split(phase), rows);
        }
    }

    /// Shows a metric of the current batch, and its mean over the epoch so far.
    pub fn metric(&mut self, phase: &Phase, name: &str, value: f64, mean: f64) {
        self.observer.metric(phase, name, value);
        if split(phase) == "train" {
            self.limits.check(name, value, "");
        }
        let entry = NumericEntry::Aggregated {
            aggregated_value: value,
            count: 1,
        };
        self.show(
            phase,
            name,
            format!("epoch {mean:.4} - batch {value:.4}"),
            entry,
        );
    }

    /// Shows the metrics of a whole split.
    pub fn finals(&mut self, phase: &Phase, finals: &BTreeMap<String, f64>) {
        for (name, value) in finals {
            if split(phase) == "valid" {
                self.limits.check(name, *value, "the validation rows");
            }
            self.show(
                phase,
                name,
                format!("split {value:.4}"),
                NumericEntry::Final(*value),
            );
        }
    }

    fn show(&mut self, phase: &Phase, name: &str, formatted: String, entry: NumericEntry) {
        let (Some(dashboard), Some(title)) = (&mut self.dashboard, self.titles.get(name)) else {
            return;
        };
        let shown = MetricEntry::new(
            MetricId::new(Arc::new(title.clone())),
            SerializedEntry::new(formatted, entry.serialize()),
        );
        let state = MetricState::Numeric(shown, Some(entry));
        match split(phase) {
            "train" => dashboard.update_train(state),
            _ => dashboard.update_valid(state),
        }
    }

    /// `done` rows of a phase are complete.
    pub fn advance(&mut self, phase: &Phase, done: usize) {
        self.observer.advance(phase, done);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_split(done);
        }
    }

    /// Ends a phase, whole or cut short.
    pub fn end(&mut self, phase: &Phase) {
        self.observer.end(phase);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.end_split();
        }
    }

    /// Reports an epoch whose training and validation are complete.
    pub fn epoch(&mut self, report: &EpochReport) {
        self.observer.epoch(report);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_epoch(report.epoch);
        }
    }
}

impl Drop for Display {
    /// Gives the terminal back, however the training ends.
    fn drop(&mut self) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.end();
            let _ = dashboard.on_train_end(None);
        }
    }
}

/// Name of a split in metrics.jsonl and in the dashboard.
pub(super) fn split(phase: &Phase) -> &'static str {
    if matches!(phase, Phase::Training { .. }) {
        "train"
    } else {
        "valid"
    }
}

fn dashboard(
    interrupter: &Interrupter,
    observer: &dyn Observer,
) -> Option<Box<dyn MetricsRenderer>> {
    #[cfg(feature = "tui")]
    if observer.wants_dashboard() {
        use std::io::IsTerminal;
        if std::io::stdout().is_terminal() {
            return Some(burn::train::renderer::default_renderer(
                interrupter.clone(),
                None,
            ));
        }
    }
    let _ = (interrupter, observer);
    None
}
