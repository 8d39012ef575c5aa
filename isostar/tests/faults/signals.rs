//! SIGTERM, SIGINT and SIGUSR1 at random instants.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::run::{Random, assert_undisturbed, end, faults, line, prepared, survived, undisturbed};

/// Time in which a run must end by itself.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a process is looked at. The looks are counted rather than the time: both processes may
/// be stopped for a while by whoever measures something on the same machine.
const LOOK: Duration = Duration::from_millis(2);

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // A run that has ended meanwhile takes no signal.
    let _ = sent;
}

/// Waits for the end of a process; panics after the limit.
fn ended(mut child: Child, limit: Duration, what: &str) -> std::process::Output {
    for _ in 0..limit.as_millis() / LOOK.as_millis() {
        if child.try_wait().unwrap().is_some() {
            return child.wait_with_output().unwrap();
        }
        sleep(LOOK);
    }
    let _ = child.kill();
    panic!("{what}: the run has not ended by itself");
}

#[test]
fn a_signal_at_any_instant_saves_the_state_and_ends_the_run() {
    let whole = undisturbed();
    let count = faults(6, 60);
    let mut phases = std::collections::BTreeMap::<&str, usize>::new();
    for number in 0..count {
        let (name, status) = [("TERM", 143), ("INT", 130), ("USR1", 138)][number % 3];
        let folder = prepared();
        let at = folder.path();
        let child = line(at, "run")
            .env_remove("SLURM_JOB_ID")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        sleep(Random::new(1000 + number as u64).part_of(whole.duration.mul_f64(1.05)));
        signal(&child, name);
        let what = format!("SIG{name} number {number}");
        let output = ended(child, LIMIT, &what);
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Before main sets the handlers, a signal ends the process as it always does.
        let is_early = output.status.code().is_none() && stderr.is_empty();
        if !output.status.success() && !is_early {
            assert_eq!(output.status.code(), Some(status), "{what}: {stderr}");
            assert!(
                stderr.contains(&format!("stopped by SIG{name}")),
                "{what}: {stderr}"
            );
        }
        let phase = match &*stderr {
            _ if output.status.success() => "after its end",
            _ if is_early => "before its first line",
            text if text.contains("before its first step") => "before its first step",
            text if text.contains(" after step ") => "between two steps",
            _ => "before the run begins",
        };
        *phases.entry(phase).or_default() += 1;
        // What is reported as saved is there.
        if let Some(step) = stderr
            .split(" after step ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
        {
            assert!(
                at.join("run/checkpoint")
                    .join(format!("step-{step}/manifest.json"))
                    .exists(),
                "{what}: {stderr}"
            );
        }
        end(at, "run", 1);
        assert_undisturbed(at, "run", &what);
        survived("signalled", number, count);
    }
    println!(
        "{count} of {count} signalled runs end by themselves, and later with the same bits: {phases:?}"
    );
}

#[test]
fn a_second_ctrl_c_ends_a_run_at_once() {
    let folder = prepared();
    let at = folder.path();
    let mut command = line(at, "run");
    let Some(shim) = crate::run::shim() else {
        return;
    };
    // The state is saved slowly, so that the second signal arrives before the end.
    command
        .env("LD_PRELOAD", shim)
        .env("FAULT_PATH", "/.writing-")
        .env("FAULT_SLOW", "400");
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let checkpoint = at.join("run/checkpoint");
    let began = Instant::now();
    while !checkpoint.exists() && began.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(2));
    }
    signal(&child, "INT");
    sleep(Duration::from_millis(200));
    signal(&child, "INT");
    let output = ended(child, Duration::from_secs(2), "second SIGINT");
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    end(at, "run", 1);
    assert_undisturbed(at, "run", "second SIGINT");
}

#[test]
fn slurm_s_warning_requeues_the_job() {
    use std::os::unix::fs::PermissionsExt;
    let folder = prepared();
    let at = folder.path();
    let called = at.join("called");
    for (exit, status) in [(0, 0), (1, 1)] {
        let scontrol = at.join("scontrol");
        std::fs::write(
            &scontrol,
            format!(
                "#!/bin/sh\necho \"$@\" > {}\nexit {exit}\n",
                called.display()
            ),
        )
        .unwrap();
        std::fs::set_permissions(&scontrol, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", at.display(), std::env::var("PATH").unwrap());
        let run = format!("run{exit}");
        let mut command = line(at, &run);
        let child = command
            .env("PATH", path)
            .env("SLURM_JOB_ID", "42")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..30_000 {
            if at.join(&run).join("checkpoint").exists() {
                break;
            }
            sleep(LOOK);
        }
        signal(&child, "USR1");
        let output = ended(child, LIMIT, "SIGUSR1 under SLURM");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert_eq!(std::fs::read_to_string(&called).unwrap(), "requeue 42\n");
        assert_eq!(
            stderr.contains("SLURM requeued job 42"),
            exit == 0,
            "{stderr}"
        );
        end(at, &run, 1);
        assert_undisturbed(at, &run, "SIGUSR1 under SLURM");
    }
}
