//! SQuAD in the published format if the first byte is even, and in the format of the hub if it is
//! odd.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded, check_questions};
use isostar_train::data::{Unanswerable, read_questions};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("squad"));

fuzz_target!(|content: &[u8]| {
    let Some((first, content)) = content.split_first() else {
        return;
    };
    let name = if first % 2 == 0 {
        "train-v1.1.json"
    } else {
        "train.jsonl"
    };
    FOLDER.write(name, content);
    let path = FOLDER.path().join(name);
    check_questions(bounded(content.len(), || {
        read_questions(&path, Unanswerable::Allowed)
    }));
});
