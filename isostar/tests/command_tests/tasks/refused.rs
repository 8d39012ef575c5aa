//! Malformed files are rejected with errors that name the file and the line.

use isostar::remedy::Remedy;
use std::fs;

use isostar_measure::FileError;
use isostar_train::data::{Columns, DataError, read_rows};
use tempfile::TempDir;

use super::fixtures::{folder, read};

/// Replaces one line (counted from 1) of a task's file and checks that the error names it.
#[track_caller]
fn refused(task: &str, file: &str, line: usize, with: &str, named: &[&str]) {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder(task)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[line - 1] = with;
    fs::write(&path, lines.join("\n")).unwrap();
    let error = read(task, copy.path()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("{}, line {line}: ", path.display())),
        "{message}"
    );
    for name in named {
        assert!(message.contains(name), "{name:?} in {message}");
    }
    assert!(!error.remedy().is_empty());
}

#[test]
fn unknown_labels_of_a_task_are_rejected() {
    refused(
        "sst2",
        "train.tsv",
        3,
        "good\t2",
        &["\"2\" is not one of the task's labels", "\"0\", \"1\""],
    );
    refused("sst2", "dev.tsv", 2, "good\t-1", &["\"-1\""]);
    refused(
        "rte",
        "train.tsv",
        2,
        "0\ta\tb\tneutral",
        &["\"neutral\"", "\"entailment\", \"not_entailment\""],
    );
    refused("mrpc", "dev.tsv", 2, "maybe\t1\t2\ta\tb", &["\"maybe\""]);
    refused("cola", "train.tsv", 1, "aa01\tyes\t\tA.", &["\"yes\""]);
    refused(
        "stsb",
        "dev.tsv",
        3,
        "4\tg\tf\t2013\t1\tn\tn\ta\tb\thigh",
        &["\"high\" is not a finite number"],
    );
    refused(
        "stsb",
        "train.tsv",
        2,
        "0\tg\tf\t2012\t1\tn\tn\ta\tb\t",
        &["column \"score\" is empty"],
    );
}

#[test]
fn rows_with_a_wrong_number_of_columns_are_rejected() {
    refused(
        "mrpc",
        "train.tsv",
        3,
        "1\t1\t2\tonly one",
        &["4 columns, expected 5"],
    );
    refused(
        "cola",
        "dev.tsv",
        2,
        "aa\t1\tno text",
        &["3 columns, expected 4"],
    );
    refused(
        "qnli",
        "train.tsv",
        2,
        "0\ta\tb\tc\tentailment",
        &["5 columns, expected 4"],
    );
}

#[test]
fn malformed_trees_and_questions_are_rejected() {
    refused(
        "sst5",
        "train.txt",
        2,
        "(0 (2 half)",
        &["not a tree", "never closed"],
    );
    refused("sst5", "dev.txt", 1, "(7 bad)", &["label from 0 to 4"]);
    refused(
        "squad",
        "dev-v1.1.json",
        1,
        "{\"data\": [{}]}",
        &["not in SQuAD format", "paragraphs"],
    );
    let answer = r#"{"data": [{"paragraphs": [{"context": "a b", "qas": [{"id": "x", "question": "?", "answers": [{"text": "b", "answer_start": 1}]}]}]}]}"#;
    refused(
        "squad",
        "train-v1.1.json",
        1,
        answer,
        &["question \"x\"", "is not at character 1 of the paragraph"],
    );
}

#[test]
fn files_of_another_task_are_rejected_with_the_missing_column_or_split() {
    let error = read("mrpc", &folder("sst2")).unwrap_err().to_string();
    assert!(
        error.contains("there is no column \"#1 String\"; the columns are \"sentence\", \"label\""),
        "{error}"
    );
    let error = read("squad", &folder("sst2")).unwrap_err();
    assert!(
        error.to_string().contains("there is no train split"),
        "{error}"
    );
    assert!(
        error.remedy().contains("train-v1.1.json"),
        "{}",
        error.remedy()
    );
}

#[test]
fn a_git_lfs_pointer_is_reported_as_such() {
    let folder = TempDir::new().unwrap();
    for name in [
        "rows.csv",
        "rows.tsv",
        "rows.jsonl",
        "rows.csv.gz",
        "rows.parquet",
    ] {
        let path = folder.path().join(name);
        fs::write(
            &path,
            "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90868376\n",
        )
        .unwrap();
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(
            matches!(&error, DataError::File(FileError::GitLfsPointer { path: found }) if *found == path),
            "{error}"
        );
        assert!(error.remedy().contains("git lfs pull"));
    }
}
