//! `isostar verify`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use isostar_train::experiment::{Experiment, ExperimentError, RunFolder, Verification};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::print;

/// Check that a run is what its settings say
///
/// Replays the steps between the two newest snapshots of the run, and compares the state that they lead to with the newest snapshot, bit by
/// bit; also checks the files of a run that is over. Needs the data and the model that the run was begun with. Writes nothing.
#[derive(Args)]
pub struct VerifyArgs {
    /// Run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One JSON object: the replayed steps, and what differs.
#[derive(Serialize)]
struct Report<'a> {
    run: String,
    from_step: usize,
    to_step: usize,
    differences: &'a [String],
}

/// Replays the last steps of a run; the exit status is 1 if they lead elsewhere.
pub fn run(arguments: VerifyArgs) -> Result<(), Failure> {
    let VerifyArgs { run, json } = arguments;
    let console = Arc::new(Console::new(json));
    let folder = RunFolder::at(&run);
    let missing = || ExperimentError::NothingToResume {
        path: run.clone(),
        reason: "there is no config.toml",
    };
    let settings = folder.settings()?.ok_or_else(missing)?;
    let experiment = Experiment::prepare(settings, console.as_ref())?;
    let Verification {
        from,
        to,
        mut differences,
    } = experiment.verify(&folder, console.clone())?;
    if folder.results().exists() {
        differences.extend(folder.faults());
    }
    if json {
        let report = Report {
            run: run.display().to_string(),
            from_step: from,
            to_step: to,
            differences: &differences,
        };
        let text = serde_json::to_string(&report)
            .map_err(|error| Failure::new(error, "report this as a bug"))?;
        print(&format!("{text}\n"))?;
    }
    if !differences.is_empty() {
        let cause = format!(
            "{}, steps {from} to {to}: {}",
            run.display(),
            differences.join("; ")
        );
        return Err(Failure::new(
            cause,
            "do not trust this run; train it anew with another --out",
        ));
    }
    if !json {
        print(&format!("steps {from} to {to} replayed: the same bits\n"))?;
    }
    Ok(())
}
