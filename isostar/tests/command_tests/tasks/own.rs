//! Running the commands on a folder without a dev file and on its train file.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::runs::{isostar, refused};

/// Trains for one epoch without a regularizer.
fn train(at: &Path, arguments: &[&str]) -> (Value, String) {
    let common = [
        "train",
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--max-length",
        "32",
        "--regularizer",
        "none",
        "--json",
    ];
    let (stdout, stderr) = isostar(at, &[&common[..], arguments].concat());
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

#[test]
fn a_folder_without_a_dev_file_holds_out_the_same_rows_as_its_train_file() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("reviews")).unwrap();
    let rows: String = (0..20)
        .map(|row| format!("row {row} is {},{}\n", ["poor", "fine"][row % 2], row % 2))
        .collect();
    fs::write(at.join("reviews/train.csv"), format!("text,label\n{rows}")).unwrap();
    fs::write(
        at.join("reviews/test.csv"),
        "text,label\nnobody reads this,2\n",
    )
    .unwrap();
    let (of_folder, stderr) = train(at, &["--data", "reviews", "--seed", "3", "--out", "folder"]);
    assert!(stderr.contains("reviews has no dev file: 2 of the 20 rows of reviews/train.csv are held out, chosen by seed 3\n"), "{stderr}");
    assert!(
        stderr.contains("reviews: 18 training rows, 2 validation rows, 2 classes"),
        "{stderr}"
    );
    let (of_file, stderr) = train(
        at,
        &[
            "--task",
            "reviews/train.csv",
            "--seed",
            "3",
            "--out",
            "file",
        ],
    );
    assert!(!stderr.contains("no dev file"), "{stderr}");
    assert_eq!(
        (&of_folder["metrics"], &of_folder["task_loss"]),
        (&of_file["metrics"], &of_file["task_loss"])
    );

    // Evaluating the run holds out the same rows again.
    let (stdout, stderr) = isostar(at, &["evaluate", "folder", "--json"]);
    let evaluation: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&evaluation["rows"], &evaluation["metrics"]["accuracy"]),
        (&2.into(), &of_folder["metrics"]["accuracy"])
    );
    assert!(stderr.contains("held out, chosen by seed 3"), "{stderr}");

    fs::write(
        at.join("reviews/valid.csv"),
        "text,label\nfine,1\npoor,0\nfine,1\n",
    )
    .unwrap();
    let (_, stderr) = train(at, &["--data", "reviews", "--out", "valid"]);
    assert!(
        stderr.contains("reviews: 20 training rows, 3 validation rows")
            && !stderr.contains("held out"),
        "{stderr}"
    );

    fs::remove_file(at.join("reviews/valid.csv")).unwrap();
    let stderr = refused(at, &["train", "--task", "sst2", "--data", "reviews"]);
    assert!(
        stderr.contains("reviews: there is no dev split"),
        "{stderr}"
    );
    fs::write(at.join("reviews/train.csv"), "text,label\nalone,1\n").unwrap();
    let stderr = refused(at, &["train", "--data", "reviews"]);
    assert!(
        stderr.contains(
            "reviews/train.csv: too few rows to split into training and validation rows: 1"
        ),
        "{stderr}"
    );
}
