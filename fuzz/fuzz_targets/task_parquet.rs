//! Parquet files of tasks: rows of MRPC if the first byte is even, and questions of SQuAD if it is
//! odd.

#![no_main]

use std::sync::LazyLock;

use isostar_fuzz::{Folder, bounded_page, check_questions, check_rows, let_caught_panics_pass};
use isostar_train::data::{Unanswerable, read_questions, read_rows};
use isostar_train::task::KnownTask;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("task_parquet"));

fuzz_target!(|content: &[u8]| {
    let Some((first, content)) = content.split_first() else {
        return;
    };
    let_caught_panics_pass();
    FOLDER.write("train.parquet", content);
    let path = FOLDER.path().join("train.parquet");
    if first % 2 == 1 {
        return check_questions(bounded_page(|| {
            read_questions(&path, Unanswerable::Allowed)
        }));
    }
    let layout = &KnownTask::named("mrpc").expect("it is known").columns;
    check_rows(bounded_page(|| read_rows(&path, layout)), |row| {
        assert!(row.pair.is_some() && !row.label.is_empty())
    });
});
