//! Runs of two processes, with threads for processes.
//!
//! The threads share the generator that fresh weights and dropout are drawn from. The tests therefore
//! begin with stored weights and run one after the other, and the numbers of a run are not those of one
//! process; `scripts/mpi-check` compares those of real processes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use isostar_train::experiment::{
    Experiment, ExperimentError, Observer, RunFolder, RunResult, TrainOptions, TrainSettings,
};
use isostar_train::progress::{Progress, Silent, Stop};
use isostar_train::world::{World, WorldError};
use tempfile::TempDir;

/// A model with stored weights.
fn model() -> String {
    static MODEL: OnceLock<TempDir> = OnceLock::new();
    let folder = MODEL.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let settings = TrainSettings::resolve(TrainOptions {
            limit: Some(8),
            epochs: Some(1),
            ..TrainOptions::default()
        });
        let experiment = Experiment::prepare(settings, &Silent).unwrap();
        let lock = RunFolder::at(folder.path()).lock(&Silent).unwrap();
        experiment.run(&lock, Arc::new(Silent)).unwrap();
        folder
    });
    folder.path().join("model").display().to_string()
}

/// Batches of five rows, so that the processes have different shares.
fn settings(seed: u64) -> TrainSettings {
    TrainSettings::resolve(TrainOptions {
        model: Some(model()),
        limit: Some(40),
        epochs: Some(2),
        batch_size: Some(5),
        seed: Some(seed),
        snapshot_every: Some("3".parse().unwrap()),
        calibration_states: Some(2000),
        ..TrainOptions::default()
    })
}

/// Asks to stop when it has been asked `after` times.
struct Asked {
    after: usize,
    count: AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl Asked {
    fn new(after: usize) -> Arc<Self> {
        Arc::new(Self {
            after,
            count: AtomicUsize::new(0),
            notes: Mutex::default(),
        })
    }
}

impl Progress for Asked {
    fn stop(&self) -> Option<Stop> {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        (count >= self.after).then_some(Stop::Terminate)
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.into());
    }
}

impl Observer for Asked {}

/// Held during a run.
static GENERATOR: Mutex<()> = Mutex::new(());

type Outcome = Result<RunResult, ExperimentError>;

/// Runs both processes in a folder.
///
/// # Panics
/// If they do not end within 60 seconds.
fn run(folder: &Path, seeds: [u64; 2], observers: [Arc<Asked>; 2]) -> [Outcome; 2] {
    let _one = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = RunFolder::at(folder);
    let lock = folder.lock(&Silent).unwrap();
    let prepare = |seed| Experiment::prepare(settings(seed), &Silent).unwrap();
    let experiments = seeds.map(prepare);
    let (sender, receiver) = mpsc::channel();
    let worlds = World::threads(2).into_iter().zip(experiments);
    for ((world, experiment), observer) in worlds.zip(observers) {
        let (folder, sender) = (folder.clone(), sender.clone());
        let lock = world.is_first().then(|| lock.clone());
        std::thread::spawn(move || {
            let result = experiment.run_in(&world, &folder, lock.as_ref(), observer);
            sender.send((world.rank(), result)).unwrap();
        });
    }
    let mut results = [(); 2].map(|()| {
        let ended = receiver.recv_timeout(Duration::from_secs(60));
        ended.expect("a process waits for the other")
    });
    results.sort_by_key(|(rank, _)| *rank);
    results.map(|(_, result)| result)
}

fn patient() -> Arc<Asked> {
    Asked::new(usize::MAX)
}

#[test]
fn a_request_to_one_process_stops_both_which_then_go_on() {
    let folder = TempDir::new().unwrap();
    // In the middle of the first epoch, after the evaluation of 16 batches and a calibration.
    let [first, second] = run(folder.path(), [3, 3], [patient(), Asked::new(22)]);
    let steps = [first, second].map(|result| match result {
        Err(ExperimentError::Interrupted { stop, step, .. }) => {
            assert_eq!(stop, Stop::Terminate);
            step
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(steps[0], steps[1]);
    assert!((1..8).contains(&steps[0]), "{steps:?}");
    let saved = format!("checkpoint/step-{}", steps[0]);
    assert!(folder.path().join(saved).is_dir());

    let observers = [patient(), patient()];
    let [first, second] = run(folder.path(), [3, 3], observers.clone());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.epochs, 2);
    assert_eq!(
        (&first.metrics, first.task_loss),
        (&second.metrics, second.task_loss)
    );
    let lines = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(folder.path().join("model/model.safetensors").is_file());
    let [first, second] = observers.map(|observer| observer.notes.lock().unwrap().len());
    assert!(first > 0 && second == 0, "{first} and {second} notes");
}

#[test]
fn a_first_process_that_cannot_save_ends_the_other_with_its_message() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("config.toml"), "").unwrap();
    fs::write(folder.path().join("checkpoint"), "no folder").unwrap();
    let [first, second] = run(folder.path(), [3, 3], [patient(), patient()]);
    let message = first.unwrap_err().to_string();
    assert!(message.contains("checkpoint"), "{message}");
    match second.unwrap_err() {
        ExperimentError::World(error) => assert_eq!(
            error,
            WorldError::Failed {
                rank: 0,
                size: 2,
                message,
            }
        ),
        other => panic!("{other}"),
    }
}

#[test]
fn processes_with_other_rows_do_not_train_together() {
    let folder = TempDir::new().unwrap();
    for result in run(folder.path(), [3, 4], [patient(), patient()]) {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("their rows differ"), "{message}");
    }
}
