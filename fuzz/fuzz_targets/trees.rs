//! Trees of the Stanford Sentiment Treebank.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded, check_rows};
use isostar_train::data::read_trees;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("trees"));

fuzz_target!(|content: &[u8]| {
    FOLDER.write("train.txt", content);
    let path = FOLDER.path().join("train.txt");
    check_rows(bounded(content.len(), || read_trees(&path)), |row| {
        assert!(["0", "1", "2", "3", "4"].contains(&row.label.as_str()));
        assert!(!row.text.is_empty() && row.pair.is_none());
    });
});
