//! Renderer that passes burn-train's progress on to the observer and writes metrics.jsonl.
//!
//! The renderer receives all events in order and on one thread. The renderer and event types of
//! burn-train change between versions; only this module and [`values`](super::values) use them.

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
use super::{EpochReport, ExperimentError, Observer};
use crate::progress::Phase;

/// One line of metrics.jsonl.
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
    /// Burn's dashboard, if it is used.
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
    pace: Pace,
}

/// Duration of the epochs, and the training metrics of the current one.
struct Pace {
    /// When the training began; `epoch_began` is the same for the current epoch.
    began: Instant,
    epoch_began: Instant,
    /// Number of epochs completed since then.
    epochs: u32,
    /// Metrics of the training rows and rows per second; `None` if the epoch was cut short.
    training: Option<(BTreeMap<String, f64>, f64)>,
}

impl RunRenderer {
    /// Creates a renderer that appends to the file at `path` and reports to the observer.
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
            pace: Pace { began: Instant::now(), epoch_began: Instant::now(), epochs: 0, training: None },
        })
    }

    fn note(&mut self, state: &MetricState) {
        let MetricState::Numeric(entry, number) = state else { return };
        let Some(name) = self.names.get(&entry.metric_id) else { return };
        match number {
            Some(NumericEntry::Final(value)) => {
                self.finals.insert(as_in_result(name), *value);
            }
            Some(number) => self.observer.metric(&self.phase, &as_in_result(name), number.current()),
            None => {}
        }
    }

    /// Whether the split was completed. A run that is stopped or diverges writes no line for an
    /// incomplete split.
    fn is_whole(&self) -> bool {
        self.rows_done >= self.rows && self.finals.get("task_loss").is_none_or(|loss| loss.is_finite())
    }

    /// Keeps the metrics of the training rows, or reports the epoch after its validation.
    fn end_whole_split(&mut self) {
        if self.split == "train" {
            let rate = self.rows as f64 / self.stopwatch.current().training;
            self.pace.training = Some((self.finals.clone(), rate));
            return;
        }
        let Some((training, rows_per_second)) = self.pace.training.take() else { return };
        self.pace.epochs += 1;
        let mean = self.pace.began.elapsed() / self.pace.epochs;
        self.observer.epoch(&EpochReport {
            epoch: self.epoch,
            epochs: self.epochs,
            training,
            validation: self.finals.clone(),
            seconds: self.pace.epoch_began.elapsed().as_secs_f64(),
            rows_per_second,
            seconds_left: mean.as_secs_f64() * self.epochs.saturating_sub(self.epoch) as f64,
        });
    }
}

/// Name of a metric in metrics.jsonl; result.json uses the same names.
fn as_in_result(name: &str) -> String {
    match name {
        "Loss" => "task_loss".into(),
        other => other.to_lowercase().replace(' ', "_"),
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
        // The dashboard resets the interrupter, so its state is saved first.
        self.ending.latch();
        match &mut self.dashboard {
            Some(dashboard) => dashboard.on_train_end(summary),
            // Burn's default prints a table to stdout, which is reserved for the command's output.
            None => Ok(()),
        }
    }
}

impl TrainingProgressLogger for RunRenderer {
    fn start(&mut self, total_epochs: usize, starting_epoch: usize, total_items: Option<usize>, label: Option<&str>) {
        (self.epochs, self.epoch) = (total_epochs, starting_epoch);
        self.pace.began = Instant::now();
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
        if split == "train" {
            (self.pace.epoch_began, self.pace.training) = (self.started, None);
        }
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
            self.end_whole_split();
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

/// Callbacks of burn-train's Evaluator, which runs do not use.
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
    use std::sync::Mutex;

    use burn::train::Interrupter;

    use super::super::RunFolder;
    use super::*;
    use crate::progress::{Progress, Silent};

    /// Resets the interrupter at the end of a training, as Burn's dashboard does.
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

    /// Records the reported epochs.
    #[derive(Default)]
    struct Epochs(Mutex<Vec<EpochReport>>);

    impl Progress for Epochs {}

    impl Observer for Epochs {
        fn epoch(&self, report: &EpochReport) {
            self.0.lock().unwrap().push(report.clone());
        }
    }

    /// Creates a renderer with a dashboard that resets the interrupter; also returns how its
    /// training ended.
    fn renderer(folder: &Path, interrupter: &Interrupter, observer: Arc<dyn Observer>) -> (RunRenderer, Ending) {
        let (run, ending) = (RunFolder::at(folder), Ending::new(interrupter.clone()));
        let stopwatch = Arc::new(Stopwatch::new(run.clone(), 0));
        let dashboard: Box<dyn MetricsRenderer> = Box::new(Resetting(interrupter.clone()));
        let renderer = RunRenderer::new(&run.metrics(), observer, Some(dashboard), stopwatch, ending.clone()).unwrap();
        (renderer, ending)
    }

    #[test]
    fn a_stopped_run_is_not_complete_under_a_dashboard_that_resets_the_interrupter() {
        let folder = tempfile::tempdir().unwrap();
        let interrupter = Interrupter::new();
        let (mut renderer, ending) = renderer(folder.path(), &interrupter, Arc::new(Silent));
        interrupter.stop(Some("the user asked for it"));
        renderer.on_train_end(None).unwrap();
        assert!(!interrupter.should_stop(), "the dashboard has reset it");
        let error = ending.check(&RunFolder::at(folder.path()), 0).unwrap_err();
        assert!(error.to_string().contains("the user asked for it"), "{error}");
    }

    #[test]
    fn a_split_that_was_cut_short_leaves_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let (mut renderer, _) = renderer(folder.path(), &Interrupter::new(), Arc::new(Silent));
        for rows_done in [10, 6] {
            renderer.start_split("train", 10);
            renderer.update_split(rows_done);
            renderer.end_split();
        }
        let lines = std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }

    #[test]
    fn an_epoch_is_told_of_if_its_training_and_its_validation_were_whole() {
        let folder = tempfile::tempdir().unwrap();
        let epochs = Arc::new(Epochs::default());
        let (mut renderer, _) = renderer(folder.path(), &Interrupter::new(), epochs.clone());
        renderer.start(4, 1, None, None);
        for (epoch, [training, validation]) in [[10, 4], [10, 3], [9, 4], [10, 4]].into_iter().enumerate() {
            for (split, rows, rows_done) in [("train", 10, training), ("valid", 4, validation)] {
                renderer.start_split(split, rows);
                renderer.update_split(rows_done);
                renderer.end_split();
            }
            renderer.update_epoch(epoch + 1);
        }
        let told = epochs.0.lock().unwrap();
        assert_eq!(told.iter().map(|report| (report.epoch, report.epochs)).collect::<Vec<_>>(), [(1, 4), (4, 4)]);
        assert!(told[0].seconds_left > 0.0 && told[1].seconds_left == 0.0);
    }
}
