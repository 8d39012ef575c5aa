//! Damaged files of a run folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::run::{
    Random, assert_undisturbed, faults, line, prepared, stderr, survived, undisturbed,
};

const DAMAGES: [&str; 4] = ["cut", "emptied", "zeroed", "altered"];

fn damage(path: &Path, how: &str, random: &mut Random) {
    let mut bytes = fs::read(path).unwrap();
    let at = random.below(bytes.len());
    match how {
        "cut" => bytes.truncate(at),
        "emptied" => bytes.clear(),
        "zeroed" => {
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
        }
        _ => bytes[at] ^= 1 << random.below(8),
    }
    fs::write(path, bytes).unwrap();
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}

/// A run that was stopped within its second epoch.
fn stopped() -> tempfile::TempDir {
    for _ in 0..20 {
        let folder = prepared();
        let at = folder.path();
        let mut child = line(at, "run")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = || {
            fs::read_to_string(at.join("run/metrics.jsonl"))
                .unwrap_or_default()
                .lines()
                .count()
        };
        while lines() < 2 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        Command::new("kill")
            .args(["-s", "TERM", &child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        if !child.wait_with_output().unwrap().status.success() && lines() == 2 {
            return folder;
        }
    }
    panic!("no run was stopped within its second epoch");
}

#[test]
fn a_damaged_file_is_passed_over_aloud_or_refused() {
    let whole = undisturbed();
    let stopped = stopped();
    let count = faults(16, 200);
    let (mut passed_over, mut refused) = (0, 0);
    for number in 0..count {
        let mut random = Random::new(2000 + number as u64);
        let folder = prepared();
        let at = folder.path();
        // Every other run is over.
        let from = if number % 2 == 0 {
            stopped.path().join("run")
        } else {
            whole.at.join("run")
        };
        Command::new("cp")
            .arg("-r")
            .args([&from, &at.join("run")])
            .status()
            .unwrap();
        let files = files(&at.join("run"));
        let file = &files[(number / 2) % files.len()];
        let before = fs::read(file).unwrap();
        let how = DAMAGES[(number / 2 + number / 2 / files.len()) % DAMAGES.len()];
        damage(file, how, &mut random);
        if fs::read(file).unwrap() == before {
            continue;
        }
        let name = file.strip_prefix(at).unwrap().display().to_string();
        let what = format!("{name} {how}, number {number}");
        let output = line(at, "run").output().unwrap();
        let text = stderr(&output);
        assert!(!text.contains("panicked"), "{what}: {text}");
        let file_name = file.file_name().unwrap().to_str().unwrap();
        // The contents of the lock are a message to other processes; the run does not read them.
        let is_named = file_name == "lock" || text.contains(file_name);
        assert!(is_named, "{what} is not named: {text}");
        if output.status.success() {
            assert_undisturbed(at, "run", &what);
            passed_over += 1;
        } else {
            assert_eq!(output.status.code(), Some(1), "{what}: {text}");
            assert!(
                text.contains("error: ") && text.contains("  try: "),
                "{what}: {text}"
            );
            refused += 1;
        }
        survived("damaged", number, count);
    }
    println!(
        "{count} damaged files: {passed_over} passed over aloud with the same bits, {refused} refused"
    );
}
