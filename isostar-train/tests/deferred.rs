//! Runs on wgpu, whose numbers are read a step later than those of the CPU.

#[path = "common/rows.rs"]
mod rows;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use isostar_train::experiment::{
    Experiment, ExperimentError, Observer, RunFolder, RunResult, TrainOptions, TrainSettings,
};
use isostar_train::progress::{Phase, Progress, Stop};
use rows::write_rows;
use tempfile::TempDir;

/// Twelve steps in two epochs over the rows in a folder.
fn options(device: &str, rows: &Path) -> TrainOptions {
    TrainOptions {
        device: Some(device.into()),
        data: Some(rows.into()),
        batch_size: Some(8),
        max_length: Some(8),
        weight: Some(-1.0),
        epochs: Some(2),
        ..TrainOptions::default()
    }
}

/// The losses of a run, which is stopped after some of its steps.
struct Watch {
    losses: Mutex<Vec<f64>>,
    steps: AtomicUsize,
    stop_after: usize,
}

impl Watch {
    fn stopping_after(steps: usize) -> Arc<Self> {
        Arc::new(Self {
            losses: Mutex::default(),
            steps: AtomicUsize::new(0),
            stop_after: steps,
        })
    }
}

impl Progress for Watch {
    fn advance(&self, phase: &Phase, _done: usize) {
        if matches!(phase, Phase::Training { .. }) {
            self.steps.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn stop(&self) -> Option<Stop> {
        (self.steps.load(Ordering::SeqCst) >= self.stop_after).then_some(Stop::Interrupt)
    }
}

impl Observer for Watch {
    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        if matches!(phase, Phase::Training { .. }) && name == "task_loss" {
            self.losses.lock().unwrap().push(value);
        }
    }
}

fn run(
    options: TrainOptions,
    folder: &Path,
    watch: &Arc<Watch>,
) -> Result<RunResult, ExperimentError> {
    let settings = TrainSettings::resolve(options);
    let experiment = Experiment::prepare(settings, watch.as_ref()).unwrap();
    let lock = RunFolder::at(folder).lock(watch.as_ref()).unwrap();
    experiment.run(&lock, watch.clone())
}

/// metrics.jsonl of a run, without the times.
fn metrics(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| line.split(",\"seconds\"").next().unwrap().to_string())
        .collect()
}

#[test]
fn a_run_whose_numbers_are_read_later_has_the_numbers_of_one_that_reads_at_once() {
    let folder = TempDir::new().unwrap();
    write_rows(folder.path());
    let [expected, found] = ["flex", "wgpu"].map(|device| {
        let watch = Watch::stopping_after(usize::MAX);
        run(
            options(device, folder.path()),
            &folder.path().join(device),
            &watch,
        )
        .unwrap();
        watch.losses.lock().unwrap().clone()
    });
    assert_eq!(expected.len(), 12);
    assert_eq!(found.len(), 12);
    // Dropout draws from the generator of each device, so that only the first losses agree.
    assert!(
        (found[0] - expected[0]).abs() < 0.1,
        "{found:?} {expected:?}"
    );
    for split in ["train", "valid"] {
        let count = |device: &str| {
            let lines = metrics(&folder.path().join(device));
            lines.iter().filter(|line| line.contains(split)).count()
        };
        assert_eq!([count("flex"), count("wgpu")], [2, 2]);
    }
}

#[test]
fn a_run_that_is_stopped_before_its_last_number_is_read_goes_on_with_the_same_numbers() {
    let folder = TempDir::new().unwrap();
    write_rows(folder.path());
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    run(
        options("wgpu", folder.path()),
        &whole,
        &Watch::stopping_after(usize::MAX),
    )
    .unwrap();
    let first = Watch::stopping_after(3);
    let error = run(options("wgpu", folder.path()), &parts, &first).unwrap_err();
    assert!(
        matches!(error, ExperimentError::Interrupted { step: 3, .. }),
        "{error}"
    );
    assert_eq!(
        first.losses.lock().unwrap().len(),
        3,
        "the snapshot holds the last loss"
    );
    run(
        options("wgpu", folder.path()),
        &parts,
        &Watch::stopping_after(usize::MAX),
    )
    .unwrap();
    assert_eq!(metrics(&parts), metrics(&whole));
}

#[test]
fn a_run_that_diverges_names_the_step_although_its_numbers_are_read_later() {
    let folder = TempDir::new().unwrap();
    write_rows(folder.path());
    let [expected, found] = ["flex", "wgpu"].map(|device| {
        let options = TrainOptions {
            learning_rate: Some(1e30),
            ..options(device, folder.path())
        };
        let watch = Watch::stopping_after(usize::MAX);
        let error = run(options, &folder.path().join(device), &watch).unwrap_err();
        error.to_string()
    });
    let place = |message: &str| {
        let from = message.find("step ").expect("the step is named");
        message[from..].split(',').next().unwrap().to_string()
    };
    assert_eq!(place(&found), place(&expected), "{found}");
}
