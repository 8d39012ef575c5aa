//! Signals: a run saves its state and ends; anything else ends at once.

use crate::failure::Failure;
use isostar_train::progress::Stop;

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

    use isostar_train::progress::Stop;
    use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::iterator::Signals;

    use crate::stderr::stderr_line;

    /// The first signal that arrived while a run saves its state; 0 if there is none.
    static REQUESTED: AtomicI32 = AtomicI32::new(0);
    /// Whether another process prints what signals do.
    static QUIET: AtomicBool = AtomicBool::new(false);
    /// Whether a run asks for the signal between its steps.
    static SAVES: AtomicBool = AtomicBool::new(false);

    fn stop(signal: i32) -> Option<Stop> {
        match signal {
            SIGINT => Some(Stop::Interrupt),
            SIGTERM => Some(Stop::Terminate),
            SIGUSR1 => Some(Stop::Warning),
            _ => None,
        }
    }

    pub fn watch() {
        // Without this thread, signals end the process as they always do.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGUSR1]) else {
            return;
        };
        std::thread::spawn(move || signals.forever().for_each(receive));
    }

    fn receive(signal: i32) {
        let Some(asked) = stop(signal) else { return };
        let is_first = REQUESTED.swap(signal, Ordering::SeqCst) == 0;
        if !SAVES.load(Ordering::SeqCst) || (!is_first && asked == Stop::Interrupt) {
            end(asked);
        }
        if is_first && !QUIET.load(Ordering::SeqCst) {
            stderr_line(format!(
                "{asked}: saving the state after this step; Ctrl-C stops at once"
            ));
        }
    }

    /// Ends the process. Every file is written beside its place and renamed when whole, so none is
    /// left half-written; what is beside them is removed.
    fn end(stop: Stop) -> ! {
        remove_unfinished_files();
        if !QUIET.load(Ordering::SeqCst) {
            stderr_line(format!("stopped by {stop}"));
        }
        std::process::exit(stop.status().into());
    }

    /// Removes the temporary files that this process has open; elsewhere than on Linux they stay.
    fn remove_unfinished_files() {
        for entry in std::fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(path) = std::fs::read_link(entry.path()) else {
                continue;
            };
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(".writing-"))
            {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    pub fn be_quiet() {
        QUIET.store(true, Ordering::SeqCst);
    }

    pub fn requested() -> Option<Stop> {
        stop(REQUESTED.load(Ordering::SeqCst))
    }

    pub fn saves(saves: bool) {
        SAVES.store(saves, Ordering::SeqCst);
        // One that arrived just before.
        if saves && let Some(stop) = requested() {
            end(stop);
        }
    }
}

/// Watches for SIGINT, SIGTERM and SIGUSR1 from now on.
pub fn watch() {
    #[cfg(unix)]
    unix::watch();
}

/// Prints no more of signals: another process does.
pub fn be_quiet() {
    #[cfg(unix)]
    unix::be_quiet();
}

/// Returns the signal that asks a run to stop.
pub fn requested() -> Option<Stop> {
    #[cfg(unix)]
    return unix::requested();
    #[cfg(not(unix))]
    None
}

/// A run begins to ask for signals (`true`), or has ended (`false`).
pub fn saves(saves: bool) {
    #[cfg(unix)]
    unix::saves(saves);
    #[cfg(not(unix))]
    let _ = saves;
}

/// Puts the job back into SLURM's queue after its warning, if it runs under SLURM. The process then
/// ends with status 0.
pub fn requeue(failure: Failure, stop: Stop) -> Result<(), Failure> {
    let Some(job) = std::env::var_os("SLURM_JOB_ID").filter(|_| stop == Stop::Warning) else {
        return Err(failure);
    };
    match std::process::Command::new("scontrol")
        .arg("requeue")
        .arg(&job)
        .status()
    {
        Ok(status) if status.success() => {
            crate::stderr::stderr_line(format!(
                "{failure}\nSLURM requeued job {}",
                job.to_string_lossy()
            ));
            Ok(())
        }
        Ok(status) => Err(Failure::new(
            format!("scontrol requeue ended with {status}"),
            failure.remedy(),
        )),
        Err(error) => Err(Failure::new(
            format!("scontrol requeue: {error}"),
            failure.remedy(),
        )),
    }
}
