//! `isostar sweep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar::remedy::{Remedy, advice};
use isostar_train::experiment::{ExperimentError, Observer, RunResult};
use isostar_train::hook::Divergence;
use isostar_train::sweep::{Plan, RunState, Shard, Sweep, SweepRun};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::{number, print};
use crate::slurm::SlurmArgs;

/// Run the trainings of a plan
///
/// A plan is a TOML file with `[settings]` that all runs share, `[vary]` with a list of values per setting, and `[[runs]]`; the keys are the
/// flags of train with _ instead of -. Started again, a sweep continues where it stopped; a run that diverged is not repeated. `isostar report`
/// makes one page of its folder. The exit status is 1 if a run failed, and 3 if none failed but one diverged.
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
    /// Print one JSON object per run that ended or diverged, one per line
    #[arg(long)]
    json: bool,
}

/// One line of JSON: a run's name and folder, and its result.json; that of a run that diverged says so.
#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    folder: String,
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
    sweep.run(&observer, &|run, number, count| {
        let begun = match run.state {
            RunState::Unfinished { epochs } if epochs >= run.planned.settings.epochs => {
                ", whose epochs are all done".into()
            }
            RunState::Unfinished { epochs } if epochs > 0 => {
                format!(", from epoch {} on", epochs + 1)
            }
            _ => String::new(),
        };
        console.line(&format!(
            "run {number} of {count}: {}{begun}",
            run.planned.name
        ));
    });

    print(&if json {
        json_lines(&sweep)?
    } else {
        table(&sweep)
    })?;
    failure(&sweep).map_or(Ok(()), Err)
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
            result,
        };
        lines += &serde_json::to_string(&line)
            .map_err(|error| Failure::new(error, "leave out --json"))?;
        lines.push('\n');
    }
    Ok(lines)
}

/// A run a row: its scores or how it ended, its IsoScore, its time.
fn table(sweep: &Sweep) -> String {
    let mut rows = vec![["run", "scores", "IsoScore", "seconds"].map(String::from)];
    for run in sweep.runs() {
        let outcome = match &run.state {
            RunState::Finished(result) => {
                let score = |(name, value): (&String, &Option<f64>)| {
                    format!(
                        "{name} {}",
                        value.map_or("-".into(), |value| format!("{value:.4}"))
                    )
                };
                result
                    .metrics
                    .iter()
                    .map(score)
                    .collect::<Vec<_>>()
                    .join("  ")
            }
            RunState::Diverged(result) => match result.divergence() {
                Some(Divergence {
                    epoch,
                    step: Some(step),
                    ..
                }) => format!("diverged in step {step} of epoch {epoch}"),
                Some(Divergence { epoch, .. }) => format!("diverged in epoch {epoch}"),
                None => "diverged".into(),
            },
            RunState::Failed(error) => format!("failed: {error}"),
            _ => "not made".into(),
        };
        let result = run.result();
        let isoscore = result
            .and_then(|result| result.isoscore.all)
            .map_or("-".into(), number);
        let seconds = result.and_then(|result| Some(result.seconds? + result.calibration_seconds?));
        rows.push([
            run.planned.name.clone(),
            outcome,
            isoscore,
            seconds.map_or("-".into(), |seconds| format!("{seconds:.0}")),
        ]);
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let [names, scores, isoscores, seconds] = [0, 1, 2, 3].map(width);
    let line = |[name, score, isoscore, time]: &[String; 4]| {
        format!("{name:names$}  {score:scores$}  {isoscore:>isoscores$}  {time:>seconds$}\n")
    };
    rows.iter().map(line).collect()
}
