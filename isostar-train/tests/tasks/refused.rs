//! Malformed files are errors that name the file and the line.

use std::fs;

use isostar_train::data::{Columns, DataError, read_rows};
use tempfile::TempDir;

use super::fixtures::{folder, read};

/// A file of the task with one line put in the place of another, counted from 1.
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
    assert!(message.starts_with(&format!("{}, line {line}: ", path.display())), "{message}");
    for name in named {
        assert!(message.contains(name), "{name:?} in {message}");
    }
    assert!(!error.remedy().is_empty());
}

#[test]
fn labels_beyond_the_task_s_are_refused() {
    refused("sst2", "train.tsv", 3, "good\t2", &["\"2\" is none of the task's labels", "\"0\", \"1\""]);
    refused("sst2", "dev.tsv", 2, "good\t-1", &["\"-1\""]);
    refused("rte", "train.tsv", 2, "0\ta\tb\tneutral", &["\"neutral\"", "\"entailment\", \"not_entailment\""]);
    refused("mrpc", "dev.tsv", 2, "maybe\t1\t2\ta\tb", &["\"maybe\""]);
    refused("cola", "train.tsv", 1, "aa01\tyes\t\tA.", &["\"yes\""]);
    refused("stsb", "dev.tsv", 3, "4\tg\tf\t2013\t1\tn\tn\ta\tb\thigh", &["\"high\" is not a finite number"]);
    refused("stsb", "train.tsv", 2, "0\tg\tf\t2012\t1\tn\tn\ta\tb\t", &["column \"score\" is empty"]);
}

#[test]
fn rows_of_another_width_are_refused() {
    refused("mrpc", "train.tsv", 3, "1\t1\t2\tonly one", &["4 columns, expected 5"]);
    refused("cola", "dev.tsv", 2, "aa\t1\tno text", &["3 columns, expected 4"]);
    refused("qnli", "train.tsv", 2, "0\ta\tb\tc\tentailment", &["5 columns, expected 4"]);
}

#[test]
fn what_is_no_tree_and_no_question_is_refused() {
    refused("sst5", "train.txt", 2, "(0 (2 half)", &["not a tree", "left open"]);
    refused("sst5", "dev.txt", 1, "(7 bad)", &["label from 0 to 4"]);
    refused("squad", "dev-v1.1.json", 1, "{\"data\": [{}]}", &["not SQuAD", "paragraphs"]);
    let answer = r#"{"data": [{"paragraphs": [{"context": "a b", "qas": [{"id": "x", "question": "?", "answers": [{"text": "b", "answer_start": 1}]}]}]}]}"#;
    refused("squad", "train-v1.1.json", 1, answer, &["question \"x\"", "does not stand at character 1"]);
}

#[test]
fn files_of_another_task_say_which_column_is_missing() {
    let error = read("mrpc", &folder("sst2")).unwrap_err().to_string();
    assert!(error.contains("there is no column \"#1 String\"; the columns are \"sentence\", \"label\""), "{error}");
    let error = read("squad", &folder("sst2")).unwrap_err();
    assert!(error.to_string().contains("holds no train split"), "{error}");
    assert!(error.remedy().contains("train-v1.1.json"), "{}", error.remedy());
}

#[test]
fn a_git_lfs_pointer_in_the_place_of_rows_is_named() {
    let folder = TempDir::new().unwrap();
    for name in ["rows.csv", "rows.tsv", "rows.jsonl", "rows.csv.gz", "rows.parquet"] {
        let path = folder.path().join(name);
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90868376\n").unwrap();
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(matches!(&error, DataError::GitLfsPointer { path: found } if *found == path), "{error}");
        assert!(error.remedy().contains("git lfs pull"));
    }
}
