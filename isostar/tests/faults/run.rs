//! The run that the faults hit: the default task with few rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::isostar_command;

/// Steps of the run.
pub const STEPS: usize = 24;

/// Number of faults of a kind: `few`, or `all` with `ISOSTAR_FAULTS=full`.
pub fn faults(few: usize, all: usize) -> usize {
    if std::env::var_os("ISOSTAR_FAULTS").is_some_and(|value| value == "full") {
        all
    } else {
        few
    }
}

/// Says that a fault has been survived, so that an interrupted test tells how far it has come.
pub fn survived(what: &str, number: usize, count: usize) {
    if count >= 20 {
        println!("{what}: {} of {count}", number + 1);
    }
}

/// Reproducible numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D)
    }

    /// A number below `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }

    /// A part of a duration.
    pub fn part_of(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.below(1_000_000) as f64 / 1e6)
    }
}

/// What a run leaves behind, without its seconds.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    weights: Vec<u8>,
    lines: Vec<String>,
    result: BTreeMap<String, Value>,
}

impl Outcome {
    pub fn read(run: &Path) -> Self {
        let read = |name: &str| {
            fs::read_to_string(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let lines = read("metrics.jsonl")
            .lines()
            .map(|line| line.split(",\"seconds\":").next().unwrap().to_string())
            .collect();
        let mut result: BTreeMap<String, Value> =
            serde_json::from_str(&read("result.json")).unwrap();
        result.retain(|key, _| !key.contains("seconds") && key != "tokens_per_second");
        Self {
            weights: fs::read(run.join("model/model.safetensors")).unwrap(),
            lines,
            result,
        }
    }
}

/// The undisturbed run.
pub struct Undisturbed {
    _folder: TempDir,
    pub at: PathBuf,
    pub outcome: Outcome,
    /// From the start of the process to its end.
    pub duration: Duration,
}

/// Returns the undisturbed run, which the first caller makes.
pub fn undisturbed() -> &'static Undisturbed {
    static RUN: OnceLock<Undisturbed> = OnceLock::new();
    RUN.get_or_init(|| {
        let folder = prepared();
        let at = folder.path().to_path_buf();
        // The first run fills the cache of token ids; the second one is timed.
        for run in ["first", "run"] {
            let began = Instant::now();
            let output = line(&at, run).output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            if run == "run" {
                let outcome = Outcome::read(&at.join(run));
                return Undisturbed {
                    _folder: folder,
                    at,
                    outcome,
                    duration: began.elapsed(),
                };
            }
        }
        unreachable!("the second run returns")
    })
}

/// A folder with the rows of the run.
pub fn prepared() -> TempDir {
    let folder = TempDir::new().unwrap();
    let all = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/dev.tsv")).unwrap();
    let mut lines = all.lines();
    let header = lines.next().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for (name, count) in [("train.tsv", 8 * STEPS / 2), ("dev.tsv", 48)] {
        let rows: Vec<&str> = lines.by_ref().take(count).collect();
        fs::write(
            folder.path().join("data").join(name),
            format!("{header}\n{}\n", rows.join("\n")),
        )
        .unwrap();
    }
    folder
}

/// The line that begins the run, goes on with it and ends it.
pub fn line(at: &Path, run: &str) -> Command {
    line_with(at, run, &["--snapshot-every", "3"])
}

/// The line with other flags for its snapshots.
pub fn line_with(at: &Path, run: &str, more: &[&str]) -> Command {
    const LINE: [&str; 12] = [
        "train",
        "--data",
        "data",
        "--epochs",
        "2",
        "--batch-size",
        "8",
        "--max-length",
        "24",
        "--resume",
        "--json",
        "--out",
    ];
    let mut command = isostar_command(at, &LINE);
    command.arg(run).args(more);
    command
}

/// Says the line until the run ends, at most `times` times; returns the last output.
#[track_caller]
pub fn end(at: &Path, run: &str, times: usize) -> Output {
    for _ in 1..times {
        let output = line(at, run).output().unwrap();
        if output.status.success() {
            return output;
        }
    }
    let output = line(at, run).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Checks that the run has ended as the undisturbed one.
#[track_caller]
pub fn assert_undisturbed(at: &Path, run: &str, what: &str) {
    let found = Outcome::read(&at.join(run));
    let expected = &undisturbed().outcome;
    assert!(found.weights == expected.weights, "{what}: other weights");
    assert_eq!(found.lines, expected.lines, "{what}");
    assert_eq!(found.result, expected.result, "{what}");
}

/// The text that a process has written to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Builds the library that makes faults of the file system; `None` without a C compiler.
pub fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let built = SHIM.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&path)
            .args([source, "-ldl"])
            .status();
        match built {
            Ok(status) => {
                assert!(status.success(), "cc ended with {status}");
                Some((folder, path))
            }
            Err(error) => {
                eprintln!(
                    "faults of the file system are left out, there is no C compiler: {error}"
                );
                None
            }
        }
    });
    built.as_ref().map(|(_, path)| path.as_path())
}
