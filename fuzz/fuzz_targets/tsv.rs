//! A TSV file in MRPC's format: with a byte order mark, and with quotation marks as text.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded, check_rows};
use isostar_train::data::read_rows;
use isostar_train::task::KnownTask;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("tsv"));

fuzz_target!(|content: &[u8]| {
    FOLDER.write("train.tsv", content);
    let path = FOLDER.path().join("train.tsv");
    let layout = &KnownTask::named("mrpc").expect("it is known").columns;
    check_rows(bounded(content.len(), || read_rows(&path, layout)), |row| {
        assert!(row.pair.is_some() && !row.label.is_empty())
    });
});
