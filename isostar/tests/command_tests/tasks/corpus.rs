//! The files of the fuzzing corpus are read, or rejected with a remedy.

use isostar::remedy::Remedy;
use std::fs;
use std::path::Path;

use isostar_train::data::{
    Columns, DataError, Unanswerable, read_questions, read_rows, read_trees,
};
use isostar_train::task::KnownTask;
use tempfile::TempDir;

/// Function that reads a file and returns its number of rows.
type Read<'a> = &'a dyn Fn(&Path) -> Result<usize, DataError>;

#[test]
fn every_file_of_the_corpus_is_read_or_rejected_with_a_remedy() {
    let table = &KnownTask::named("mrpc").unwrap().columns;
    let readers: [(&str, &str, Read<'_>); 5] = [
        ("tsv", "train.tsv", &|path| {
            read_rows(path, table).map(|rows| rows.len())
        }),
        ("json_lines", "train.jsonl", &|path| {
            read_rows(path, &Columns::default()).map(|rows| rows.len())
        }),
        ("trees", "train.txt", &|path| {
            read_trees(path).map(|rows| rows.len())
        }),
        ("squad", "train-v1.1.json", &|path| {
            read_questions(path, Unanswerable::Refused).map(|read| read.rows.len())
        }),
        ("task_parquet", "train.parquet", &|path| match path
            .file_stem()
            .is_some_and(|stem| stem == "train")
        {
            true => read_rows(path, table).map(|rows| rows.len()),
            false => read_questions(path, Unanswerable::Refused).map(|read| read.rows.len()),
        }),
    ];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, name, read) in readers {
        let (folder, mut whole) = (TempDir::new().unwrap(), 0);
        for entry in fs::read_dir(corpus.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            // In squad and task_parquet, the first byte selects one of two layouts.
            let (name, content) = match (target, content.split_first()) {
                ("squad", Some((first, content))) => (
                    if first % 2 == 0 { name } else { "train.jsonl" },
                    content.to_vec(),
                ),
                ("task_parquet", Some((first, content))) => (
                    if first % 2 == 0 {
                        name
                    } else {
                        "questions.parquet"
                    },
                    content.to_vec(),
                ),
                _ => (name, content),
            };
            let copy = folder.path().join(name);
            fs::write(&copy, content).unwrap();
            match read(&copy) {
                Ok(rows) => whole += usize::from(rows > 0),
                Err(error) => assert!(!error.remedy().is_empty(), "{}", path.display()),
            }
        }
        assert!(whole > 0, "{target}: no file of the corpus has rows");
    }
}
