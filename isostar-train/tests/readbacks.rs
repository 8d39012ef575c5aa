//! The reads of a device that a run makes, counted in the calls that reach wgpu.
//!
//! A test binary of its own, because it installs a logger.

#[path = "common/rows.rs"]
mod rows;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use isostar_train::experiment::{Experiment, Observer, RunFolder, TrainOptions, TrainSettings};
use isostar_train::progress::{Phase, Progress};
use log::{LevelFilter, Log, Metadata, Record};
use rows::write_rows;
use tempfile::TempDir;

/// Counts transfers to the host: maps of buffers, of which all those after one submission of commands
/// are one transfer.
struct Transfers {
    count: AtomicUsize,
    has_submitted: AtomicBool,
}

static TRANSFERS: Transfers = Transfers {
    count: AtomicUsize::new(0),
    has_submitted: AtomicBool::new(false),
};

impl Log for Transfers {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let call = record.args().to_string();
        if call == "Queue::submit" {
            self.has_submitted.store(true, Ordering::SeqCst);
        } else if call.starts_with("Buffer::map_async")
            && self.has_submitted.swap(false, Ordering::SeqCst)
        {
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

/// Number of transfers so far, at every call of a run.
#[derive(Default)]
struct Counts {
    /// After each training step.
    steps: Mutex<Vec<usize>>,
    /// At the begin and the end of each validation and evaluation.
    splits: Mutex<Vec<[usize; 2]>>,
}

fn count() -> usize {
    TRANSFERS.count.load(Ordering::SeqCst)
}

impl Progress for Counts {
    fn begin(&self, phase: Phase, _total: usize) {
        if matches!(phase, Phase::Validation { .. } | Phase::Evaluation) {
            self.splits.lock().unwrap().push([count(); 2]);
        }
    }

    fn advance(&self, phase: &Phase, _done: usize) {
        if matches!(phase, Phase::Training { .. }) {
            self.steps.lock().unwrap().push(count());
        }
    }

    fn end(&self, phase: &Phase) {
        if matches!(phase, Phase::Validation { .. } | Phase::Evaluation) {
            self.splits.lock().unwrap().last_mut().unwrap()[1] = count();
        }
    }
}

impl Observer for Counts {}

#[test]
fn a_step_is_read_once_and_a_split_is_read_once() {
    log::set_logger(&TRANSFERS).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let folder = TempDir::new().unwrap();
    write_rows(folder.path());
    // All batches have one shape. Burn tunes their kernels, which also reads the device, in the first
    // twenty steps and in the first passes over the validation rows. On a busy machine it may take
    // longer than this test, which then fails.
    let options = TrainOptions {
        device: Some("wgpu".into()),
        data: Some(folder.path().into()),
        batch_size: Some(8),
        max_length: Some(16),
        weight: Some(-1.0),
        epochs: Some(8),
        ..TrainOptions::default()
    };
    let counts = Arc::new(Counts::default());
    let settings = TrainSettings::resolve(options);
    let experiment = Experiment::prepare(settings, counts.as_ref()).unwrap();
    let run = RunFolder::at(folder.path().join("run"));
    let lock = run.lock(counts.as_ref()).unwrap();
    experiment.run(&lock, counts.clone()).unwrap();

    let steps = counts.steps.lock().unwrap();
    assert_eq!(steps.len(), 8 * 6);
    // The first step of an epoch also estimates the reference.
    let last: Vec<usize> = steps[43..].windows(2).map(|of| of[1] - of[0]).collect();
    assert_eq!(last, [1; 4], "transfers of the last steps");

    let splits = counts.splits.lock().unwrap();
    let transfers: Vec<usize> = splits.iter().map(|[begin, end]| end - begin).collect();
    let [.., validation, evaluation] = transfers[..] else {
        panic!("{transfers:?}");
    };
    // Validation also asks once whether all parameters are finite.
    assert_eq!(
        [validation, evaluation],
        [2, 1],
        "of all splits: {transfers:?}"
    );
}
