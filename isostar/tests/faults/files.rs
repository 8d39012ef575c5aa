//! Files that are not those of the run: a damaged model, and rows that have changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{isostar, succeed};
use crate::run::{assert_undisturbed, end, prepared, stderr, undisturbed};

fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_damaged_model_is_not_evaluated_and_is_made_anew() {
    let whole = undisturbed();
    let folder = prepared();
    let at = folder.path();
    copied(&whole.at.join("run"), &at.join("run"));
    let evaluated = succeed(at, &["evaluate", "run", "--json"]);
    let path = at.join("run/model/model.safetensors");
    let mut weights = fs::read(&path).unwrap();
    let last = weights.len() - 3;
    weights[last] ^= 1;
    fs::write(&path, &weights).unwrap();
    for command in [&["evaluate", "run"][..], &["analyze", "run", "--out", "a"]] {
        let refused = isostar(at, command);
        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        assert_eq!(
            stderr(&refused),
            "error: run: model/model.safetensors is damaged: its SHA-256 differs\n  \
            try: make the file anew with `isostar train --resume --out run`\n",
            "{command:?}"
        );
    }
    end(at, "run", 1);
    assert_undisturbed(at, "run", "damaged model");
    assert_eq!(succeed(at, &["evaluate", "run", "--json"]), evaluated);
}

#[test]
fn rows_of_the_same_lengths_are_told_apart() {
    let whole = undisturbed();
    let changes: [fn(&str) -> String; 3] = [
        // Two words of a row in the other order.
        |row| {
            let mut words: Vec<&str> = row.split(' ').collect();
            words.swap(0, 1);
            words.join(" ")
        },
        // The other label.
        |row| match row.strip_suffix('1') {
            Some(text) => format!("{text}0"),
            None => format!("{}1", row.strip_suffix('0').unwrap()),
        },
        |row| row.to_string(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        for file in ["train.tsv", "dev.tsv"] {
            let folder = prepared();
            let at = folder.path();
            copied(&whole.at.join("run"), &at.join("run"));
            let path = at.join("data").join(file);
            let text = fs::read_to_string(&path).unwrap();
            let mut rows: Vec<String> = text.lines().map(String::from).collect();
            rows[2] = change(&rows[2]);
            fs::write(&path, rows.join("\n") + "\n").unwrap();
            let further = ["train", "--resume", "--out", "run", "--epochs", "3"];
            let output = isostar(at, &further);
            let text = stderr(&output);
            if number == 2 {
                assert!(output.status.success(), "{text}");
            } else {
                assert_eq!(output.status.code(), Some(1), "{file}, {number}: {text}");
                assert!(
                    text.contains("error: run: the rows have changed since the run began\n"),
                    "{file}, {number}: {text}"
                );
            }
        }
    }
}
