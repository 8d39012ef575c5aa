//! Plans that several processes share, are killed on, and are signalled on.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{isostar_command, succeed};
use crate::run::{Outcome, Random, faults, prepared, stderr};

/// A folder with a plan of short runs that differ in their seed.
fn planned(runs: usize) -> TempDir {
    let folder = prepared();
    let seeds: Vec<String> = (1..=runs).map(|seed| seed.to_string()).collect();
    let plan = format!(
        "[settings]\ndata = \"data\"\nepochs = 2\nbatch_size = 8\nmax_length = 24\nsnapshot_every = 3\n\
        [vary]\nseed = [{}]\n[[runs]]\nname = \"short\"\n",
        seeds.join(", ")
    );
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    folder
}

fn name(seed: usize) -> String {
    format!("short,seed={seed}")
}

fn sweep(at: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = isostar_command(at, &["sweep", "plan.toml", "--out", out]);
    command.args(more).env_remove("SLURM_JOB_ID");
    command
}

fn started(mut command: Command) -> Child {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().unwrap()
}

/// The rows of a table without their last column, which is seconds.
fn rows(stdout: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(stdout);
    let words = |line: &str| line.split_whitespace().map(String::from).collect();
    let mut rows: Vec<Vec<String>> = text.lines().map(words).collect();
    rows.iter_mut().for_each(|row| drop(row.pop()));
    rows
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &child.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

/// Waits until a run has a snapshot.
#[track_caller]
fn wait_for_snapshot(run: &Path, child: &mut Child) {
    for _ in 0..60_000 {
        let is_begun = fs::read_dir(run.join("checkpoint")).is_ok_and(|mut entries| {
            entries.any(|entry| {
                !entry
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with('.')
            })
        });
        if is_begun {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "the sweep has ended");
        sleep(Duration::from_millis(1));
    }
    panic!("{} has no snapshot", run.display());
}

/// Results that were replaced or removed after they were written.
fn made_again(results: &[PathBuf], is_over: &AtomicBool) -> Vec<String> {
    let identity = |found: Metadata| (found.ino(), found.mtime(), found.mtime_nsec());
    let mut first = BTreeMap::new();
    let mut again = Vec::new();
    loop {
        let is_last = is_over.load(Ordering::SeqCst);
        for result in results {
            let found = fs::metadata(result).ok().map(identity);
            match (first.get(result), found) {
                (None, Some(found)) => drop(first.insert(result, found)),
                (Some(before), found) if found != Some(*before) => {
                    again.push(format!("{}: {before:?}, then {found:?}", result.display()));
                }
                _ => {}
            }
        }
        if is_last || !again.is_empty() {
            return again;
        }
        sleep(Duration::from_millis(1));
    }
}

/// Works on the plan, is killed a number of times at random instants, and comes to the end of the
/// plan; returns the last output, and how often it was killed before its end.
fn work(at: &Path, number: usize, kills: usize, each: Duration) -> (Output, usize) {
    let mut random = Random::new(4000 + number as u64);
    let mut hits = 0;
    for _ in 0..kills {
        let mut child = sweep(at, "shared", &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(random.part_of(each.mul_f64(1.5)));
        hits += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    (sweep(at, "shared", &[]).output().unwrap(), hits)
}

#[test]
fn every_run_of_a_plan_is_made_once_by_processes_that_are_killed() {
    let (runs, processes, kills) = (faults(3, 12), faults(2, 4), faults(2, 10));
    let folder = planned(runs);
    let at = folder.path();
    let began = Instant::now();
    let alone = sweep(at, "alone", &[]).output().unwrap();
    assert_success(&alone);
    let each = began.elapsed() / runs as u32;
    let expected = rows(&alone.stdout);
    assert_eq!(expected.len(), runs + 1, "{expected:?}");

    let results: Vec<PathBuf> = (1..=runs)
        .map(|seed| at.join("shared").join(name(seed)).join("result.json"))
        .collect();
    let is_over = AtomicBool::new(false);
    let (ends, again) = scope(|threads| {
        let watcher = threads.spawn(|| made_again(&results, &is_over));
        let workers: Vec<_> = (0..processes)
            .map(|number| threads.spawn(move || work(at, number, kills, each)))
            .collect();
        let ends: Vec<_> = workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect();
        is_over.store(true, Ordering::SeqCst);
        (ends, watcher.join().unwrap())
    });
    assert!(again.is_empty(), "made more than once: {again:?}");
    for (output, _) in &ends {
        assert_success(output);
        assert_eq!(rows(&output.stdout), expected, "{}", stderr(output));
    }
    for seed in 1..=runs {
        let [shared, alone] =
            ["shared", "alone"].map(|parent| Outcome::read(&at.join(parent).join(name(seed))));
        assert!(shared == alone, "{} differs", name(seed));
    }
    let hits: usize = ends.iter().map(|(_, hits)| hits).sum();
    println!(
        "{runs} of {runs} runs were made once, with the bits of one undisturbed process, by {processes} processes killed {hits} times"
    );
    assert!(
        2 * hits >= processes * kills,
        "only {hits} of {} kills met a process",
        processes * kills
    );
}

#[test]
fn a_signalled_sweep_saves_its_run_and_ends_at_once() {
    let folder = planned(2);
    let at = folder.path();
    let run = |seed| at.join("shared").join(name(seed));
    // In the first run, and in the last one.
    for (seed, signalled, status) in [(1, "TERM", 143), (2, "INT", 130)] {
        let mut child = started(sweep(at, "shared", &[]));
        wait_for_snapshot(&run(seed), &mut child);
        signal(&child, signalled);
        let output = child.wait_with_output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(
            output.stdout.is_empty(),
            "a sweep that goes on has no table"
        );
        assert!(
            text.contains(&format!("stopped by SIG{signalled} after step "))
                && text.ends_with(
                    "try: the state of the run is saved; go on with the plan by the same command\n"
                ),
            "{text}"
        );
        assert!(!run(seed).join("result.json").exists() && !run(seed + 1).exists());
    }
    assert_success(&sweep(at, "shared", &[]).output().unwrap());
    assert_success(&sweep(at, "alone", &[]).output().unwrap());
    for seed in [1, 2] {
        let alone = Outcome::read(&at.join("alone").join(name(seed)));
        assert_eq!(Outcome::read(&run(seed)), alone);
    }
}

#[test]
fn two_processes_on_one_shard_are_told_apart_and_one_takes_over_when_the_other_is_gone() {
    let folder = planned(3);
    let at = folder.path();
    let shard = ["--shard", "2/3"];
    let run = at.join("shared").join(name(2));
    let listed = || -> Value {
        let line = succeed(at, &["runs", "shared", "--json"]);
        assert_eq!(line.lines().count(), 1, "{line}");
        serde_json::from_str(&line).unwrap()
    };
    let mut first = started(sweep(at, "shared", &shard));
    wait_for_snapshot(&run, &mut first);
    // Stopped, it still holds the run.
    signal(&first, "STOP");
    let process = format!("process {} on ", first.id());

    let second = sweep(at, "shared", &[&shard[..], &["--no-wait"]].concat())
        .output()
        .unwrap();
    assert_success(&second);
    let table = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(
        table.lines().count() == 2
            && table.contains("short,seed=2  running elsewhere  ")
            && table.contains(&process),
        "{table}"
    );
    assert!(
        stderr(&second).contains(&format!("short,seed=2 is running elsewhere: {process}")),
        "{}",
        stderr(&second)
    );
    let running = listed();
    assert_eq!(
        (&running["run"], &running["state"], &running["steps"]),
        (&name(2).into(), &"running".into(), &24.into())
    );
    assert_eq!(running["holder"]["process"], first.id());
    assert!(running["silence"].as_u64().unwrap() < 600, "{running}");
    let table = succeed(at, &["runs", "shared"]);
    assert!(
        table.contains("running") && table.contains(&process) && table.contains(" s ago"),
        "{table}"
    );

    let third = started(sweep(at, "shared", &shard));
    sleep(Duration::from_millis(500));
    signal(&first, "KILL");
    first.wait().unwrap();
    let third = third.wait_with_output().unwrap();
    assert_success(&third);
    assert!(
        stderr(&third).contains("short,seed=2 is running elsewhere")
            && stderr(&third).contains("run 1 of 1: short,seed=2"),
        "{}",
        stderr(&third)
    );
    assert_eq!(rows(&third.stdout)[1][..2], ["short,seed=2", "done"]);
    let done = listed();
    assert_eq!(
        (&done["state"], &done["epochs_done"], done.get("holder")),
        (&"done".into(), &2.into(), None)
    );
    assert!(done["metrics"]["accuracy"].is_number(), "{done}");
}

#[test]
fn a_run_that_was_killed_is_listed_as_stopped_with_what_it_has_and_lacks() {
    let folder = planned(1);
    let at = folder.path();
    let run = at.join("shared").join(name(1));
    let mut child = started(sweep(at, "shared", &[]));
    wait_for_snapshot(&run, &mut child);
    signal(&child, "KILL");
    child.wait().unwrap();
    // The folder of a run, and one above those of plans.
    for listed in [run.to_str().unwrap(), "."] {
        let line = succeed(at, &["runs", listed, "--json"]);
        let stopped: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&stopped["state"], &stopped["epochs"], &stopped["steps"]),
            (&"stopped".into(), &2.into(), &24.into()),
            "{line}"
        );
        let step = stopped["step"].as_u64().unwrap();
        assert!(step >= 3 && run.join(format!("checkpoint/step-{step}")).exists());
        assert!(stopped["seconds_left"].as_f64().unwrap() > 0.0, "{line}");
    }
    let refused = crate::command::isostar(at, &["runs", "data"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).starts_with("error: data holds no run\n  try: "),
        "{}",
        stderr(&refused)
    );
}
