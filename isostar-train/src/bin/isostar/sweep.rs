//! `isostar sweep`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use isostar_train::experiment::{ExperimentError, Observer, RunResult};
use isostar_train::sweep::{Plan, RunState, Shard, Sweep, SweepRun};
use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;
use crate::measure::{number, print};

/// Make the runs of a plan
///
/// A plan is a TOML file: `[settings]` that all runs share, `[vary]` with a list of values each, and `[[runs]]`; the keys are the flags of
/// train with _ for -. Started again, a sweep goes on where it was cut off. `isostar report` makes one page of its folder.
#[derive(Args)]
pub struct SweepArgs {
    /// The plan
    #[arg(value_name = "PLAN.toml")]
    plan: PathBuf,
    /// Make only every N-th run, from the I-th: the other machines make the others
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: String,
    /// Folder of the runs' folders; runs/PLAN by default
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object a finished run and line
    #[arg(long)]
    json: bool,
}

/// One line of JSON: a run's name and folder, and its result.json.
#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    folder: String,
    #[serde(flatten)]
    result: &'a RunResult,
}

/// Makes the runs, and prints what came out of all of them.
pub fn run(arguments: SweepArgs) -> Result<(), Failure> {
    let SweepArgs { plan: path, shard, out, json } = arguments;
    let plan = Plan::read(&path)?.shard(shard.parse::<Shard>()?);
    let out = out.unwrap_or_else(|| Path::new("runs").join(path.file_stem().unwrap_or_default()));
    let mut sweep = Sweep::open(plan, &out)?;

    // Of the runs' own output, stdout is left to the sweep's.
    let console = Arc::new(Console::new(true));
    let observer: Arc<dyn Observer> = console.clone();
    sweep.run(&observer, &|run, number, count| {
        let begun = match run.state {
            RunState::Unfinished { epochs } if epochs > 0 => format!(", from epoch {} on", epochs + 1),
            _ => String::new(),
        };
        console.line(&format!("run {number} of {count}: {}{begun}", run.planned.name));
    });

    print(&if json { json_lines(&sweep)? } else { table(&sweep) })?;
    let failed: Vec<(&SweepRun, &ExperimentError)> = sweep.runs().iter().filter_map(failure).collect();
    let Some((first, error)) = failed.first() else { return Ok(()) };
    let cause = format!("{} of {} runs failed; {:?}: {error}", failed.len(), sweep.runs().len(), first.planned.name);
    Err(Failure::new(cause, format!("{}; the same command then makes what is missing", error.remedy())))
}

fn finished(run: &SweepRun) -> Option<(&SweepRun, &RunResult)> {
    match &run.state {
        RunState::Finished(result) => Some((run, result)),
        _ => None,
    }
}

fn failure(run: &SweepRun) -> Option<(&SweepRun, &ExperimentError)> {
    match &run.state {
        RunState::Failed(error) => Some((run, error)),
        _ => None,
    }
}

fn json_lines(sweep: &Sweep) -> Result<String, Failure> {
    let mut lines = String::new();
    for (run, result) in sweep.runs().iter().filter_map(finished) {
        let line = Line { run: &run.planned.name, folder: run.folder.path().display().to_string(), result };
        lines += &serde_json::to_string(&line).map_err(|error| Failure::new(error, "leave out --json"))?;
        lines.push('\n');
    }
    Ok(lines)
}

/// A run a row: its scores, its IsoScore, its time.
fn table(sweep: &Sweep) -> String {
    let mut rows = vec![["run", "scores", "IsoScore", "seconds"].map(String::from)];
    for run in sweep.runs() {
        let name = run.planned.name.clone();
        rows.push(match &run.state {
            RunState::Finished(result) => {
                let scores: Vec<String> = result.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
                let isoscore = result.isoscore.all.map_or("-".into(), number);
                [name, scores.join("  "), isoscore, format!("{:.0}", result.seconds + result.calibration_seconds)]
            }
            RunState::Failed(error) => [name, format!("failed: {error}"), "-".into(), "-".into()],
            _ => [name, "not made".into(), "-".into(), "-".into()],
        });
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [names, scores, isoscores, seconds] = [0, 1, 2, 3].map(width);
    let line =
        |[name, score, isoscore, time]: &[String; 4]| format!("{name:names$}  {score:scores$}  {isoscore:>isoscores$}  {time:>seconds$}\n");
    rows.iter().map(line).collect()
}
