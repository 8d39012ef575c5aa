//! SQuAD, as published where the first byte is even, and as the hub serves it where it is odd.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded, check_rows};
use isostar_train::data::read_questions;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("squad"));

fuzz_target!(|content: &[u8]| {
    let Some((first, content)) = content.split_first() else { return };
    let name = if first % 2 == 0 { "train-v1.1.json" } else { "train.jsonl" };
    FOLDER.write(name, content);
    let path = FOLDER.path().join(name);
    let read = bounded(content.len(), || read_questions(&path));
    if let Ok(read) = &read {
        assert_eq!(read.rows.len(), read.questions.len());
        for (row, question) in read.rows.iter().zip(&read.questions) {
            let paragraph = row.pair.as_deref().expect("a question has a paragraph");
            for answer in &question.answers {
                let found: String = paragraph.chars().skip(answer.start).take(answer.text.chars().count()).collect();
                assert_eq!(found, answer.text);
            }
            question.majority();
        }
    }
    check_rows(read.map(|read| read.rows), |row| assert!(row.label.is_empty()));
});
