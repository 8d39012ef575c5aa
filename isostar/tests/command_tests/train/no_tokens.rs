//! Rows whose text has no tokens.

use std::fs;

use tempfile::TempDir;

use crate::command::{fails, succeed};

#[test]
fn a_text_without_tokens_is_named_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../isostar-models/tests/fixtures/gpt2_classes"
    );
    let labels = ["cold", "mild", "hot"];
    let write = |name: &str, empty: &[usize]| {
        let text = |row: usize| {
            if empty.contains(&row) {
                "  ".into()
            } else {
                format!("w{} w{}", 5 + row, 20 + row % 7)
            }
        };
        let rows: String = (0..12)
            .map(|row| format!("{}\t{}\n", text(row), labels[row % 3]))
            .collect();
        fs::write(at.join("data").join(name), format!("text\tlabel\n{rows}")).unwrap();
    };
    fs::create_dir(at.join("data")).unwrap();
    write("train.tsv", &[]);
    let commands = [
        &[
            "train",
            "--max-length",
            "8",
            "--model",
            model,
            "--out",
            "run",
        ][..],
        &["evaluate", model],
        &["analyze", model],
    ];
    for (empty, line) in [(&[4][..], 6), (&(0..12).collect::<Vec<_>>(), 2)] {
        write("dev.tsv", empty);
        for command in commands {
            fails(
                at,
                &[command, &["--data", "data"]].concat(),
                &[&format!(
                    "data/dev.tsv, line {line}: a sequence without tokens"
                )],
            );
        }
    }
    write("train.tsv", &[11]);
    fails(
        at,
        &[commands[0], &["--data", "data"]].concat(),
        &["data/train.tsv, line 13: a sequence without tokens"],
    );
    // With a tokenizer that adds special tokens, no text is empty.
    let bert = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../isostar-models/tests/fixtures/bert_classes"
    );
    succeed(at, &["evaluate", bert, "--data", "data"]);
}
