//! Two processes on one run.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::run::{assert_undisturbed, end, line, prepared, stderr};

fn signal(child: &Child, name: &str) {
    assert!(
        Command::new("kill")
            .args(["-s", name, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_second_process_is_told_who_works_on_a_run_and_takes_over_when_that_one_is_gone() {
    let folder = prepared();
    let at = folder.path();
    let mut first = line(at, "run")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..60_000 {
        if at.join("run/checkpoint").exists() || first.try_wait().unwrap().is_some() {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    // Stopped, it still holds the run.
    signal(&first, "STOP");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let holder = format!(
        "error: run is being worked on by process {} on {}",
        first.id(),
        host.trim()
    );
    let written = std::fs::read(at.join("run/config.toml")).unwrap();
    for arguments in [vec![], vec!["--seed", "2"]] {
        let second = line(at, "run").args(arguments).output().unwrap();
        let stderr = stderr(&second);
        assert_eq!(second.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains(&holder)
                && stderr.contains(", since 20")
                && stderr.contains("\n  try: wait until it ends"),
            "{stderr}"
        );
        assert!(second.stdout.is_empty());
    }
    // Without --resume, too.
    let anew = ["train", "--data", "data", "--epochs", "1", "--out", "run"];
    let second = crate::command::isostar(at, &anew);
    assert!(stderr(&second).contains(&holder), "{}", stderr(&second));
    assert_eq!(std::fs::read(at.join("run/config.toml")).unwrap(), written);

    signal(&first, "KILL");
    first.wait().unwrap();
    let second = crate::command::isostar(at, &anew);
    assert!(
        stderr(&second).contains("error: run is not empty"),
        "{}",
        stderr(&second)
    );
    end(at, "run", 1);
    assert_undisturbed(at, "run", "taken over");
}

#[test]
fn a_folder_that_holds_no_run_gets_no_lock() {
    let folder = prepared();
    let at = folder.path();
    let refused = line(at, "data").output().unwrap();
    assert!(
        stderr(&refused).contains("data has no run to resume: there is no config.toml"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        crate::command::names(&at.join("data")),
        ["dev.tsv", "train.tsv"]
    );
}
