//! The devices of a step, each with a thread of its own.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use burn::optim::GradientsParams;
use burn::prelude::*;
use isostar_core::{PooledPenalty, Regularizer, Statistics};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::outputs::Done;
use super::replica::{Begin, Part, Replica};
use crate::data::RowBatch;
use crate::device::is_cpu;
use crate::hook::HiddenStateModel;
use crate::readback::Gathered;

/// A device that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Failure {
    /// Place of the device in the list of devices, from 1.
    device: usize,
    count: usize,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device,
            count,
            message,
        } = self;
        match count {
            1 => write!(f, "the device failed: {message}"),
            _ => write!(f, "device {device} of {count} failed: {message}"),
        }
    }
}

/// What a thread does with its replica.
type Job<M> = Box<dyn FnOnce(&mut Replica<M>) + Send>;

/// The answer to a job, or the message of its failure.
type Answer<T> = Receiver<Result<T, String>>;

/// The replicas of a training: one on the calling thread, or several on threads of their own.
pub(super) enum Workers<M: HiddenStateModel> {
    Alone(Box<Replica<M>>, Device),
    Threads(Vec<Worker<M>>, Device),
}

/// A thread with a replica.
pub(super) struct Worker<M: HiddenStateModel> {
    /// `None` once the thread is told to end.
    jobs: Option<Sender<Job<M>>>,
    thread: Option<JoinHandle<()>>,
}

impl<M: HiddenStateModel<Batch: RowBatch, Output: Gathered> + 'static> Workers<M> {
    /// Replicas on these devices, at least one. CPU devices share the threads of the process.
    pub fn new(devices: &[Device], regularizer: Option<Arc<dyn Regularizer>>) -> Self {
        let main = devices
            .first()
            .expect("there is at least one device")
            .clone();
        if devices.len() == 1 {
            let replica = Replica::new(main.clone(), regularizer);
            return Self::Alone(Box::new(replica), main);
        }
        let cpus = devices.iter().filter(|device| is_cpu(device)).count();
        let threads = rayon::current_num_threads() / cpus.max(1);
        let worker = |(index, device): (usize, &Device)| {
            let threads = is_cpu(device).then_some(threads.max(1));
            let replica = Replica::new(device.clone(), regularizer.clone());
            Worker::new(index + 1, replica, threads)
        };
        Self::Threads(devices.iter().enumerate().map(worker).collect(), main)
    }

    /// The number of devices.
    pub fn count(&self) -> usize {
        match self {
            Self::Alone(..) => 1,
            Self::Threads(workers, _) => workers.len(),
        }
    }

    /// The first device.
    pub fn main(&self) -> &Device {
        match self {
            Self::Alone(_, device) | Self::Threads(_, device) => device,
        }
    }

    /// [`Replica::forward`] on every device.
    ///
    /// # Errors
    /// If a device fails.
    pub fn forward(
        &mut self,
        begin: impl Fn() -> Option<Begin<M>>,
        parts: Vec<Vec<Part<M::Batch>>>,
    ) -> Result<Vec<Vec<Statistics>>, Failure> {
        let jobs = parts.into_iter().map(|parts| {
            let begin = begin();
            move |replica: &mut Replica<M>| Ok(replica.forward(begin, parts))
        });
        self.all(jobs.collect())
    }

    /// [`Replica::backward`] on every device.
    ///
    /// # Arguments
    /// - `first`: number of the first part of these devices in the penalty
    /// - `counts`: number of parts of each device in the penalty
    ///
    /// # Errors
    /// If a device fails.
    pub fn backward(
        &mut self,
        penalty: Option<Arc<PooledPenalty>>,
        share: f64,
        first: usize,
        counts: &[usize],
    ) -> Result<Vec<Done<M::Output>>, Failure> {
        let jobs = counts.iter().scan(first, |next, count| {
            let first = *next;
            *next += count;
            let penalty = penalty.clone();
            Some(move |replica: &mut Replica<M>| replica.backward(penalty.as_deref(), first, share))
        });
        let done = self.all(jobs.collect())?;
        Ok(done.into_iter().flatten().collect())
    }

    /// [`Replica::take`] on every device.
    ///
    /// # Errors
    /// If a device fails.
    pub fn take(&mut self) -> Result<Vec<GradientsParams>, Failure> {
        let job = |replica: &mut Replica<M>| Ok(replica.take());
        self.all(vec![job; self.count()])
    }

    /// Runs one job per device at the same time. All of them have ended when this returns.
    fn all<T: Send + 'static>(
        &mut self,
        jobs: Vec<impl FnOnce(&mut Replica<M>) -> Result<T, String> + Send + 'static>,
    ) -> Result<Vec<T>, Failure> {
        let count = self.count();
        let answers: Vec<Result<T, String>> = match self {
            Self::Alone(replica, _) => jobs.into_iter().map(|job| job(replica)).collect(),
            Self::Threads(workers, _) => {
                let begun = workers.iter().zip(jobs);
                let begun: Vec<Answer<T>> = begun.map(|(worker, job)| worker.begin(job)).collect();
                let answer = |begun: Answer<T>| {
                    let ended = || Err("its thread has ended".into());
                    begun.recv().unwrap_or_else(|_| ended())
                };
                begun.into_iter().map(answer).collect()
            }
        };
        let numbered = (1..).zip(answers);
        numbered
            .map(|(device, answer)| {
                answer.map_err(|message| Failure {
                    device,
                    count,
                    message,
                })
            })
            .collect()
    }
}

impl<M: HiddenStateModel<Batch: RowBatch, Output: Gathered> + 'static> Worker<M> {
    /// Starts the thread of the device with this number.
    ///
    /// # Arguments
    /// - `threads`: size of the thread pool for operations on the CPU; `None` if the device is not
    ///   the CPU
    fn new(number: usize, mut replica: Replica<M>, threads: Option<usize>) -> Self {
        let (jobs, received) = channel::<Job<M>>();
        let name = format!("device {number}");
        let pool = threads.map(|threads| pool(&name, threads));
        let work = move || {
            for job in received {
                match &pool {
                    Some(pool) => pool.install(|| job(&mut replica)),
                    None => job(&mut replica),
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(work);
        Self {
            jobs: Some(jobs),
            thread: Some(thread.expect("the system starts threads")),
        }
    }

    fn begin<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Replica<M>) -> Result<T, String> + Send + 'static,
    ) -> Answer<T> {
        let (sender, answer) = channel();
        let job = move |replica: &mut Replica<M>| {
            let result = catch_unwind(AssertUnwindSafe(|| job(replica)));
            let result = result.unwrap_or_else(|panic| Err(message(panic.as_ref())));
            // Nobody waits for the answer if the training has ended.
            let _ = sender.send(result);
        };
        // If the thread has ended, the sender is dropped with the job, which is an answer too.
        let jobs = self.jobs.as_ref().expect("the thread is not told to end");
        let _ = jobs.send(Box::new(job));
        answer
    }
}

impl<M: HiddenStateModel> Drop for Worker<M> {
    /// Ends the thread after its current job.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pool(name: &str, threads: usize) -> ThreadPool {
    let name = name.to_string();
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |_| name.clone())
        .build()
        .expect("the system starts threads")
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
