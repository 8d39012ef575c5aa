//! Full and faulty disks.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{
    Random, assert_undisturbed, end, faults, line, line_with, prepared, shim, stderr, survived,
    undisturbed,
};

/// Bytes that the run writes, about.
const WRITTEN: usize = 200_000_000;

#[track_caller]
fn assert_clear(output: &std::process::Output, named: &str, what: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{what}: {text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
    let lines: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(
        lines[1].starts_with("error: ") && lines[1].contains("run") && lines[1].contains(named),
        "{what}: {text}"
    );
    assert!(lines[0].starts_with("  try: "), "{what}: {text}");
}

#[test]
fn a_disk_that_fills_up_is_named_and_the_same_line_goes_on_when_there_is_room() {
    let Some(shim) = shim() else { return };
    undisturbed();
    let count = faults(4, 50);
    let mut full = 0;
    for number in 0..count {
        let folder = prepared();
        let at = folder.path();
        let bytes = 1 + Random::new(3000 + number as u64).below(WRITTEN) * number / count.max(1);
        let mut command = line(at, "run");
        command
            .env("LD_PRELOAD", shim)
            .env("FAULT_PATH", "/run/")
            .env("FAULT_BYTES", bytes.to_string());
        let output = command.output().unwrap();
        if !output.status.success() {
            full += 1;
            let named = if bytes > 100 {
                "No space left on device"
            } else {
                ""
            };
            assert_clear(&output, named, &format!("{bytes} bytes"));
            assert!(stderr(&output).contains(" free"), "{}", stderr(&output));
        }
        end(at, "run", 1);
        assert_undisturbed(at, "run", &format!("{bytes} bytes"));
        survived("full", number, count);
    }
    println!("{count} of {count} runs end with the same bits; {full} met a full disk");
    assert!(full * 4 >= count * 3, "{full} of {count} met a full disk");
}

#[test]
fn a_faulty_disk_is_named_and_the_same_line_goes_on() {
    let Some(shim) = shim() else { return };
    undisturbed();
    let folder = prepared();
    let counter = folder.path().join("calls");
    let mut command = line(folder.path(), "run");
    let counted = command
        .env("LD_PRELOAD", shim)
        .env("FAULT_PATH", "/run/")
        .env("FAULT_COUNT", &counter)
        .output()
        .unwrap();
    assert!(counted.status.success(), "{}", stderr(&counted));
    let calls: usize = fs::read_to_string(&counter).unwrap().parse().unwrap();
    let count = faults(4, 20);
    for number in 0..count {
        let folder = prepared();
        let at = folder.path();
        let call = 1 + calls * number / count;
        // EIO, EDQUOT, EROFS.
        let error = [5, 122, 30][number % 3];
        let mut command = line(at, "run");
        command
            .env("LD_PRELOAD", shim)
            .env("FAULT_PATH", "/run/")
            .env("FAULT_ERRNO", error.to_string())
            .env("FAULT_CALL", call.to_string());
        let output = command.output().unwrap();
        let what = format!("error {error} at call {call} of {calls}");
        // Snapshots are written beside the training: the number of calls varies a little.
        if !output.status.success() || number < count - 1 {
            assert_clear(&output, &format!("(os error {error})"), &what);
        }
        end(at, "run", 1);
        assert_undisturbed(at, "run", &what);
        survived("faulty", number, count);
    }
    println!(
        "{count} of {count} runs on a faulty disk say so, and end with the same bits ({calls} calls)"
    );
}

/// A file system in memory; unmounted when dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(at: &'a Path, megabytes: usize) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }

    fn resize(&self, megabytes: usize) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,size={megabytes}m")])
            .arg(self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_small_file_system_is_refused_before_the_run_or_named_when_it_is_full() {
    undisturbed();
    let count = faults(3, 50);
    let (mut refused, mut full) = (0, 0);
    for number in 0..count {
        let folder = prepared();
        let at = folder.path();
        let run = at.join("run");
        fs::create_dir(&run).unwrap();
        let megabytes = 1 + 140 * number / count;
        let Some(mounted) = Mounted::new(&run, megabytes) else {
            println!("left out: file systems can only be mounted by root");
            return;
        };
        // With --keep 1 the run asks for less; some of it is taken while the run goes on.
        let child = line_with(at, "run", &["--snapshot-every", "3", "--keep", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let taken = run.join("taken");
        for _ in 0..4000 {
            if run.join("config.toml").exists() {
                let _ = fs::write(&taken, vec![1; (megabytes << 20) * (1 + number % 4) / 4]);
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let output = child.wait_with_output().unwrap();
        let what = format!("{megabytes} MB");
        if !output.status.success() {
            assert_clear(&output, "", &what);
            let text = stderr(&output);
            assert!(text.contains(" free"), "{what}: {text}");
            if text.contains("the run needs ") {
                refused += 1
            } else {
                full += 1
            }
        }
        let _ = fs::remove_file(taken);
        mounted.resize(400);
        end(at, "run", 1);
        assert_undisturbed(at, "run", &what);
        survived("small", number, count);
    }
    println!(
        "{count} of {count} runs end with the same bits; {refused} were refused at their start, {full} met a full file system"
    );
}
