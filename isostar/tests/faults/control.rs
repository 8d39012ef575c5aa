//! A run that holds a target goes on from its snapshots.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{Outcome, STEPS, line, line_with, prepared, stderr};

/// Removes what a run has written after a step: its result, and the later snapshots.
fn cut(run: &Path, step: usize) {
    for name in ["result.json", "manifest.json"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    fs::remove_dir_all(run.join("model")).unwrap();
    for entry in fs::read_dir(run.join("checkpoint")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: usize = name.strip_prefix("step-").unwrap().parse().unwrap();
        if number > step {
            fs::remove_dir_all(path).unwrap();
        }
    }
}

#[test]
fn a_resumed_run_holds_its_target_with_the_same_bits() {
    let folder = prepared();
    let at = folder.path();
    // A model from scratch would be left alone until it has learned something.
    let trained = line(at, "trained").output().unwrap();
    assert!(trained.status.success(), "{}", stderr(&trained));
    let goes_on = [
        "--model",
        "trained/model",
        "--snapshot-every",
        "3",
        "--keep",
        "20",
    ];
    for (run, target) in [("union", "0.4"), ("layers", "1:0.3,4:0.5")] {
        let flags = [&["--target", target][..], &goes_on].concat();
        let train = || {
            let output = line_with(at, run, &flags).output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        };
        train();
        let path = at.join(run);
        let log = || fs::read_to_string(path.join("control.jsonl")).unwrap();
        let (whole, steps) = (Outcome::read(&path), log());
        assert_eq!(steps.lines().count(), STEPS);
        let last: Value = serde_json::from_str(steps.lines().last().unwrap()).unwrap();
        assert_eq!(last["step"], STEPS);
        assert_ne!(last["held"][0]["weight"], 0.0);
        // Within the steps without a penalty, within the warm-up, and after it.
        for step in [6, 15, 21] {
            cut(&path, step);
            train();
            assert!(Outcome::read(&path) == whole, "{run} from step {step}");
            assert_eq!(log(), steps, "{run} from step {step}");
        }
    }
}
