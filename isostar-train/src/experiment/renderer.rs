//! What burn-train says while it trains: passed on to the observer, and written to metrics.jsonl.
//!
//! The renderer is told of everything in order and on one thread. The renderer and event types of burn-train change between versions; nothing outside of
//! this module and [`values`](super::values) names them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining};
use serde::Serialize;

use super::ending::Ending;
use super::seconds::Stopwatch;
use super::{ExperimentError, Observer, Phase};

/// A line of metrics.jsonl.
#[derive(Serialize)]
struct Line<'a> {
    epoch: usize,
    split: &'a str,
    rows: usize,
    metrics: &'a BTreeMap<String, f64>,
    seconds: f64,
}

pub(super) struct RunRenderer {
    observer: Arc<dyn Observer>,
    /// Burn's own dashboard, if there is one.
    dashboard: Option<Box<dyn MetricsRenderer>>,
    lines: File,
    stopwatch: Arc<Stopwatch>,
    ending: Ending,
    names: HashMap<MetricId, String>,
    epoch: usize,
    epochs: usize,
    phase: Phase,
    split: String,
    rows: usize,
    rows_done: usize,
    started: Instant,
    finals: BTreeMap<String, f64>,
}

impl RunRenderer {
    /// Appends to the file at `path`, and passes everything on to the observer.
    pub(super) fn new(
        path: &Path,
        observer: Arc<dyn Observer>,
        dashboard: Option<Box<dyn MetricsRenderer>>,
        stopwatch: Arc<Stopwatch>,
        ending: Ending,
    ) -> Result<Self, ExperimentError> {
        let lines = OpenOptions::new().create(true).append(true).open(path).map_err(ExperimentError::io(path))?;
        Ok(Self {
            observer,
            dashboard,
            lines,
            stopwatch,
            ending,
            names: HashMap::new(),
            epoch: 1,
            epochs: 1,
            phase: Phase::Training { epoch: 1, epochs: 1 },
            split: String::new(),
            rows: 0,
            rows_done: 0,
            started: Instant::now(),
            finals: BTreeMap::new(),
        })
    }

    fn note(&mut self, state: &MetricState) {
        let MetricState::Numeric(entry, number) = state else { return };
        let Some(name) = self.names.get(&entry.metric_id) else { return };
        match number {
            Some(NumericEntry::Final(value)) => {
                let (key, value) = as_in_result(name, *value);
                self.finals.insert(key, value);
            }
            Some(number) => self.observer.metric(&self.phase, name, number.current()),
            None => {}
        }
    }

    /// Whether the split came to its end: a run that is stopped or diverges leaves no line of the rest.
    fn is_whole(&self) -> bool {
        self.rows_done >= self.rows && self.finals.get("task_loss").is_none_or(|loss| loss.is_finite())
    }
}

/// The name of a number in metrics.jsonl, which are those of result.json.
fn as_in_result(name: &str, value: f64) -> (String, f64) {
    match name {
        "Loss" => ("task_loss".into(), value),
        other => (other.to_lowercase().replace(' ', "_"), value),
    }
}

impl MetricsRendererTraining for RunRenderer {
    fn update_train(&mut self, state: MetricState) {
        self.note(&state);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_train(state);
        }
    }

    fn update_valid(&mut self, state: MetricState) {
        self.note(&state);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_valid(state);
        }
    }

    fn on_train_end(&mut self, summary: Option<LearnerSummary>) -> Result<(), Box<dyn core::error::Error>> {
        // The dashboard resets the interrupter.
        self.ending.latch();
        match &mut self.dashboard {
            Some(dashboard) => dashboard.on_train_end(summary),
            // Burn's default prints a table to stdout, where only the command's own output belongs.
            None => Ok(()),
        }
    }
}

impl TrainingProgressLogger for RunRenderer {
    fn start(&mut self, total_epochs: usize, starting_epoch: usize, total_items: Option<usize>, label: Option<&str>) {
        (self.epochs, self.epoch) = (total_epochs, starting_epoch);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.start(total_epochs, starting_epoch, total_items, label);
        }
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.split = split.to_string();
        (self.rows, self.rows_done) = (total_items, 0);
        self.finals.clear();
        self.started = Instant::now();
        self.phase = match split {
            "train" => Phase::Training { epoch: self.epoch, epochs: self.epochs },
            _ => Phase::Validation { epoch: self.epoch },
        };
        self.observer.begin(self.phase.clone(), total_items);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.start_split(split, total_items);
        }
    }

    fn update_split(&mut self, items_processed: usize) {
        self.rows_done = items_processed;
        self.observer.advance(&self.phase, items_processed);
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_split(items_processed);
        }
    }

    fn end_split(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.split == "train" {
            self.stopwatch.trained(seconds);
        }
        self.observer.end(&self.phase);
        if self.is_whole() {
            let line = Line { epoch: self.epoch, split: &self.split, rows: self.rows, metrics: &self.finals, seconds };
            let text = serde_json::to_string(&line).expect("a line is plain values");
            if let Err(error) = writeln!(self.lines, "{text}") {
                self.observer.note(&format!("metrics.jsonl could not be written: {error}"));
            }
        }
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.end_split();
        }
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
        if let Err(error) = self.stopwatch.end_epoch() {
            self.observer.note(&format!("the seconds of epoch {epoch} could not be written: {error}"));
        }
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.update_epoch(epoch);
        }
    }

    fn end(&mut self) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.end();
        }
    }

    fn log_event_training(&mut self, event: String) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.log_event_training(event);
        }
    }
}

impl MetricsRenderer for RunRenderer {
    fn manual_close(&mut self) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.manual_close();
        }
    }

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id.clone(), definition.name.to_string());
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.register_metric(definition);
        }
    }
}

/// Evaluation by burn-train's Evaluator, which runs do not use.
impl MetricsRendererEvaluation for RunRenderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for RunRenderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}

    fn start_test(&mut self, _name: &str, _total_items: usize) {}

    fn update_test_progress(&mut self, _items_processed: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

#[cfg(test)]
mod tests {
    use burn::train::Interrupter;

    use super::super::{RunFolder, Silent};
    use super::*;

    /// What Burn's dashboard does at the end of a training.
    struct Resetting(Interrupter);

    impl MetricsRendererTraining for Resetting {
        fn update_train(&mut self, _state: MetricState) {}
        fn update_valid(&mut self, _state: MetricState) {}
        fn on_train_end(&mut self, _summary: Option<LearnerSummary>) -> Result<(), Box<dyn core::error::Error>> {
            self.0.reset();
            Ok(())
        }
    }

    impl TrainingProgressLogger for Resetting {
        fn start(&mut self, _total_epochs: usize, _starting_epoch: usize, _total_items: Option<usize>, _label: Option<&str>) {}
        fn start_split(&mut self, _split: &str, _total_items: usize) {}
        fn update_split(&mut self, _items_processed: usize) {}
        fn end_split(&mut self) {}
        fn update_epoch(&mut self, _epoch: usize) {}
        fn end(&mut self) {}
        fn log_event_training(&mut self, _event: String) {}
    }

    impl EvaluationProgressLogger for Resetting {
        fn start_global_progress(&mut self, _total_tests: usize) {}
        fn start_test(&mut self, _name: &str, _total_items: usize) {}
        fn update_test_progress(&mut self, _items_processed: usize) {}
        fn end_test(&mut self) {}
        fn end_global_progress(&mut self) {}
        fn log_event_evaluation(&mut self, _event: String) {}
    }

    impl MetricsRendererEvaluation for Resetting {
        fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
    }

    impl MetricsRenderer for Resetting {
        fn manual_close(&mut self) {}
        fn register_metric(&mut self, _definition: MetricDefinition) {}
    }

    /// A renderer in a folder, with a dashboard that forgets, and how its training ended.
    fn renderer(folder: &Path, interrupter: &Interrupter) -> (RunRenderer, Ending) {
        let (run, ending) = (RunFolder::at(folder), Ending::new(interrupter.clone()));
        let stopwatch = Arc::new(Stopwatch::new(run.clone(), 0));
        let dashboard: Box<dyn MetricsRenderer> = Box::new(Resetting(interrupter.clone()));
        let renderer = RunRenderer::new(&run.metrics(), Arc::new(Silent), Some(dashboard), stopwatch, ending.clone()).unwrap();
        (renderer, ending)
    }

    #[test]
    fn a_stopped_run_is_not_complete_under_a_dashboard_that_resets_the_interrupter() {
        let folder = tempfile::tempdir().unwrap();
        let interrupter = Interrupter::new();
        let (mut renderer, ending) = renderer(folder.path(), &interrupter);
        interrupter.stop(Some("the user asked for it"));
        renderer.on_train_end(None).unwrap();
        assert!(!interrupter.should_stop(), "the dashboard has reset it");
        let error = ending.check(&RunFolder::at(folder.path()), 0).unwrap_err();
        assert!(error.to_string().contains("the user asked for it"), "{error}");
    }

    #[test]
    fn a_split_that_was_cut_short_leaves_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let (mut renderer, _) = renderer(folder.path(), &Interrupter::new());
        for rows_done in [10, 6] {
            renderer.start_split("train", 10);
            renderer.update_split(rows_done);
            renderer.end_split();
        }
        let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }
}
