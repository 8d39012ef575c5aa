//! Writing snapshots while the training goes on.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::super::ExperimentError;
use super::{Parts, SnapshotStore};

/// A snapshot to write.
struct Job {
    parts: Parts,
    score: Option<f64>,
}

/// Writes snapshots on a thread of its own, one at a time.
pub(in crate::experiment) struct SnapshotWriter {
    jobs: Option<SyncSender<Job>>,
    results: Receiver<Result<(), ExperimentError>>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl SnapshotWriter {
    /// Starts a writer that keeps the `keep` newest snapshots and the best.
    pub fn new(store: SnapshotStore, keep: usize) -> Self {
        let (jobs, todo) = sync_channel::<Job>(1);
        let (done, results) = sync_channel(1);
        let work = move || {
            for Job { parts, score } in todo {
                if done.send(store.write(parts, score, keep)).is_err() {
                    break;
                }
            }
        };
        let thread = Builder::new()
            .name("snapshots".into())
            .spawn(work)
            .expect("the system has threads");
        Self {
            jobs: Some(jobs),
            results,
            is_busy: false,
            thread: Some(thread),
        }
    }

    /// Whether a snapshot is still being written.
    ///
    /// # Errors
    /// If one that has ended could not be written.
    pub fn is_busy(&mut self) -> Result<bool, ExperimentError> {
        if self.is_busy
            && let Ok(result) = self.results.try_recv()
        {
            self.is_busy = false;
            result?;
        }
        Ok(self.is_busy)
    }

    /// Begins to write a snapshot, after the one before it.
    ///
    /// # Errors
    /// If the one before it could not be written.
    pub fn begin(&mut self, parts: Parts, score: Option<f64>) -> Result<(), ExperimentError> {
        self.wait()?;
        let jobs = self.jobs.as_ref().expect("the writer runs");
        jobs.send(Job { parts, score })
            .expect("the thread runs until the channel closes");
        self.is_busy = true;
        Ok(())
    }

    /// Waits until the last snapshot is written.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn wait(&mut self) -> Result<(), ExperimentError> {
        if !std::mem::take(&mut self.is_busy) {
            return Ok(());
        }
        self.results.recv().expect("the thread answers every job")
    }
}

impl Drop for SnapshotWriter {
    /// Waits for the thread, so that no snapshot is cut short by the end of the process.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
