//! The command, as a user runs it in a folder.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The command in a folder, not yet run.
pub fn isostar_command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isostar"));
    // What is no folder here is looked for on the hub: the tests ask nobody.
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", folder.join("no-cache"));
    // Files that a command leaves in the temporary folder are in the test's own.
    command.env("TMPDIR", folder);
    command.current_dir(folder).args(arguments);
    command
}

/// Runs the command in a folder.
pub fn isostar(folder: &Path, arguments: &[&str]) -> Output {
    isostar_command(folder, arguments).output().unwrap()
}

/// What the command prints where it succeeds.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = isostar(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status 1, one line of cause and one of remedy, nothing on stdout, nothing new in the folder; the cause names what is wrong.
#[track_caller]
pub fn fails(folder: &Path, arguments: &[&str], named: &[&str]) {
    let before = names(folder);
    let output = isostar(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("error: ") && lines[1].starts_with("  try: "),
        "{arguments:?}: {stderr}"
    );
    for name in named {
        assert!(lines[0].contains(name), "{name:?} in {stderr}");
    }
    assert_eq!(before, names(folder), "{arguments:?} left something behind");
}

/// What a folder holds, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
