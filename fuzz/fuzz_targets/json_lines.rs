//! JSON lines with inferred columns.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded, check_rows};
use isostar_train::data::{Columns, read_rows};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("json_lines"));

fuzz_target!(|content: &[u8]| {
    FOLDER.write("train.jsonl", content);
    let path = FOLDER.path().join("train.jsonl");
    check_rows(
        bounded(content.len(), || read_rows(&path, &Columns::default())),
        |row| assert!(!row.label.is_empty()),
    );
});
