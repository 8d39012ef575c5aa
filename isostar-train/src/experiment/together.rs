//! Progress of a run of several processes.

use std::sync::{Arc, OnceLock};

use super::{EpochReport, ExperimentError, Observer, RunResult, SplitReport};
use crate::progress::{Phase, Progress, Stop};
use crate::world::{Call, World};

/// Passes the progress of a run on to the observer of the first process, and makes the processes
/// agree on stopping: [`stop`](Progress::stop) asks all of them, and all of them ask equally often.
struct Together {
    observer: Arc<dyn Observer>,
    world: World,
    stop: OnceLock<Stop>,
}

/// The observer of a run of all processes of a world.
pub(super) fn together(observer: Arc<dyn Observer>, world: &World) -> Arc<dyn Observer> {
    if world.size() == 1 {
        return observer;
    }
    Arc::new(Together {
        observer,
        world: world.clone(),
        stop: OnceLock::new(),
    })
}

/// Ends a run: the processes wait for each other, and if one has failed, all of them have.
///
/// # Errors
/// That of this process, or that of the process that failed.
pub(super) fn concluded<T>(
    world: &World,
    result: Result<T, ExperimentError>,
) -> Result<T, ExperimentError> {
    if let Some(failure) = world.failure() {
        return Err(failure.into());
    }
    let message = result.as_ref().err().map(ToString::to_string);
    world.end(message.as_deref())?;
    result
}

/// Requests to stop, each as its place in this list and one.
const STOPS: [Stop; 3] = [Stop::Interrupt, Stop::Terminate, Stop::Warning];

impl Together {
    fn observer(&self) -> Option<&dyn Observer> {
        self.world.is_first().then_some(self.observer.as_ref())
    }
}

impl Progress for Together {
    fn begin(&self, phase: Phase, total: usize) {
        if let Some(observer) = self.observer() {
            observer.begin(phase, total);
        }
    }

    fn advance(&self, phase: &Phase, done: usize) {
        if let Some(observer) = self.observer() {
            observer.advance(phase, done);
        }
    }

    fn end(&self, phase: &Phase) {
        if let Some(observer) = self.observer() {
            observer.end(phase);
        }
    }

    /// The request of the lowest rank that has one. If the processes cannot go on together, this is a
    /// request too: the run ends at the next place between two steps, and then gives the cause.
    fn stop(&self) -> Option<Stop> {
        if let Some(stop) = self.stop.get() {
            return Some(*stop);
        }
        let own = self.observer.stop();
        let place = own.and_then(|own| STOPS.iter().position(|stop| *stop == own));
        let own = place.map_or(0, |place| place as u8 + 1);
        let asked = match self.world.gather(Call::Stop, vec![own]) {
            Ok(found) => {
                let mut asked = found.iter().filter_map(|asked| asked.first());
                let asked = asked.find(|asked| **asked > 0)?;
                STOPS.get(usize::from(*asked) - 1).copied()?
            }
            Err(_) => Stop::Terminate,
        };
        Some(*self.stop.get_or_init(|| asked))
    }

    fn note(&self, text: &str) {
        if let Some(observer) = self.observer() {
            observer.note(text);
        }
    }
}

impl Observer for Together {
    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        if let Some(observer) = self.observer() {
            observer.metric(phase, name, value);
        }
    }

    fn epoch(&self, report: &EpochReport) {
        if let Some(observer) = self.observer() {
            observer.epoch(report);
        }
    }

    /// No: its key to stop would reach one process.
    fn wants_dashboard(&self) -> bool {
        false
    }

    fn saves(&self, saves: bool) {
        self.observer.saves(saves);
    }

    fn before(&self, report: &SplitReport) {
        if let Some(observer) = self.observer() {
            observer.before(report);
        }
    }

    fn after(&self, report: &SplitReport, result: &RunResult) {
        if let Some(observer) = self.observer() {
            observer.after(report, result);
        }
    }
}
