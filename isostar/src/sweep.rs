//! `isostar sweep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar::remedy::{Remedy, advice};
use isostar_train::experiment::{ExperimentError, Observer, RunResult};
use isostar_train::sweep::{Plan, RunState, Shard, Sweep, SweepOptions, SweepRun};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::{number, print};
use crate::outcome::{aligned, outcome};
use crate::signals;
use crate::slurm::SlurmArgs;

/// Run the trainings of a plan
///
/// A plan is a TOML file with `[settings]` that all runs share, `[vary]` with a list of values per setting, and `[[runs]]`; the keys are the
/// flags of train with _ instead of -. Started again, a sweep continues where it stopped; a run that diverged is not repeated. The same command
/// in several processes, on one machine or on several with a common file system, shares the plan: each takes the first run that is free, and all
/// end when every run is over. SIGTERM, SIGINT and SIGUSR1 save the run and end the sweep. `isostar report` makes one page of its folder, and
/// `isostar runs` lists what is done and what is left. The exit status is 1 if a run failed, and 3 if none failed but one diverged.
#[derive(Args)]
pub struct SweepArgs {
    /// Plan file
    #[arg(value_name = "PLAN.toml")]
    plan: PathBuf,
    /// Run shard I of N; auto takes I and N from SLURM, Open MPI or MPICH
    #[arg(long, value_name = "I/N|auto", default_value = "1/1")]
    shard: String,
    #[command(flatten)]
    slurm: SlurmArgs,
    /// Folder of the run folders (default: runs/PLAN)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// End the sweep when a run fails; by default, the other runs are made
    #[arg(long)]
    fail_fast: bool,
    /// End when no run is free; by default, a sweep waits for the runs of other processes, and takes over those whose process ends early
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object per run that ended or diverged, one per line
    #[arg(long)]
    json: bool,
}

/// One line of JSON: a run's name and folder, and its result.json; that of a run that diverged says so.
#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    folder: String,
    state: &'a str,
    #[serde(flatten)]
    result: &'a RunResult,
}

/// Makes the runs, and prints what came out of all of them.
pub fn run(arguments: SweepArgs) -> Result<(), Failure> {
    let SweepArgs {
        plan: path,
        shard,
        slurm,
        out,
        fail_fast,
        no_wait,
        json,
    } = arguments;
    let plan = Plan::read(&path)?;
    let out = out.unwrap_or_else(|| Path::new("runs").join(path.file_stem().unwrap_or_default()));
    if let Some(line) = slurm.write(&path, &out)? {
        return print(&format!("{line}\n"));
    }
    let plan = plan.shard(shard.parse::<Shard>()?);
    let mut sweep = Sweep::open(plan, &out)?;

    // Of the runs' own output, stdout is left to the sweep's.
    let console = Arc::new(Console::new(true));
    let observer: Arc<dyn Observer> = console.clone();
    let options = SweepOptions {
        fail_fast,
        wait: !no_wait,
    };
    let begin = |run: &SweepRun, number, count| {
        let begun = match run.folder.epochs_done() {
            0 => String::new(),
            epochs if epochs >= run.planned.settings.epochs => ", whose epochs are all done".into(),
            epochs => format!(", from epoch {} on", epochs + 1),
        };
        console.line(&format!(
            "run {number} of {count}: {}{begun}",
            run.planned.name
        ));
    };
    if let Err(error) = sweep.run(options, &observer, &begin) {
        return interrupted(error);
    }

    print(&if json {
        json_lines(&sweep)?
    } else {
        table(&sweep)
    })?;
    failure(&sweep).map_or(Ok(()), Err)
}

/// Ends a sweep that a signal has stopped.
fn interrupted(error: ExperimentError) -> Result<(), Failure> {
    let &ExperimentError::Interrupted { stop, step, .. } = &error else {
        return Err(error.into());
    };
    let saved = if step > 0 {
        "the state of the run is saved; "
    } else {
        ""
    };
    let remedy = format!("{saved}go on with the plan by the same command");
    signals::requeue(Failure::from(error).with_remedy(remedy), stop)
}

/// What the runs that did not end make of the sweep: one that failed may be made by the next start, one that diverged is over.
fn failure(sweep: &Sweep) -> Option<Failure> {
    let runs = sweep.runs();
    let failed: Vec<(&SweepRun, &ExperimentError)> = runs
        .iter()
        .filter_map(|run| Some((run, run.failure()?)))
        .collect();
    let diverged: Vec<(&SweepRun, ExperimentError)> = runs
        .iter()
        .filter_map(|run| Some((run, run.divergence()?)))
        .collect();
    if let Some((first, error)) = failed.first() {
        let cause = format!(
            "{} of {} runs failed; {:?}: {error}",
            failed.len(),
            runs.len(),
            first.planned.name
        );
        return Some(Failure::new(
            cause,
            format!(
                "{}; the same command then makes what is missing",
                error.remedy()
            ),
        ));
    }
    let (first, error) = diverged.first()?;
    let cause = format!(
        "{} of {} runs diverged; {error}",
        diverged.len(),
        runs.len()
    );
    let advice = match error {
        ExperimentError::Diverged { diverged, .. } => advice(diverged, str::to_string),
        other => other.remedy(),
    };
    let folder = first.folder.path().display();
    let remedy = format!(
        "in the plan, give the run {advice}; then remove {folder} and give the same command again"
    );
    Some(Failure::new(cause, remedy).diverged())
}

fn json_lines(sweep: &Sweep) -> Result<String, Failure> {
    let mut lines = String::new();
    for (run, result) in sweep
        .runs()
        .iter()
        .filter_map(|run| Some((run, run.result()?)))
    {
        let line = Line {
            run: &run.planned.name,
            folder: run.folder.path().display().to_string(),
            state: run.state.name(),
            result,
        };
        lines += &serde_json::to_string(&line)
            .map_err(|error| Failure::new(error, "leave out --json"))?;
        lines.push('\n');
    }
    Ok(lines)
}

/// A run a row: its state, its scores or how it ended, its IsoScore, its time.
fn table(sweep: &Sweep) -> String {
    let mut rows = vec![["run", "state", "scores", "IsoScore", "seconds"].map(String::from)];
    for run in sweep.runs() {
        let outcome = match &run.state {
            RunState::Finished(result) | RunState::Diverged(result) => outcome(result),
            RunState::Failed(error) => error.to_string(),
            RunState::Elsewhere(holder) => holder.to_string(),
            _ => "-".into(),
        };
        let result = run.result();
        let isoscore = result
            .and_then(|result| result.isoscore.all)
            .map_or("-".into(), number);
        let seconds = result.and_then(|result| Some(result.seconds? + result.calibration_seconds?));
        rows.push([
            run.planned.name.clone(),
            run.state.name().into(),
            outcome,
            isoscore,
            seconds.map_or("-".into(), |seconds| format!("{seconds:.0}")),
        ]);
    }
    aligned(&rows, &[3, 4])
}
