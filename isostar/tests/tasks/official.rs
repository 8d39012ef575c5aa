//! Reading the official downloads. Runs only if ISOSTAR_DATA names a folder with `glue`, `sst5` and
//! `squad`.

use std::path::PathBuf;
use std::time::Instant;

use isostar_train::data::{DEFAULT_TOKENIZER, Examples, Labels, RowTargets, TextEncoder, TokenCache};
use tempfile::TempDir;

use super::fixtures::read;

/// Task, folder, numbers of training and validation rows, and validation rows of each class.
const COUNTS: [(&str, &str, [usize; 2], &[usize]); 8] = [
    ("sst2", "glue/SST-2", [67_349, 872], &[428, 444]),
    ("cola", "glue/CoLA", [8_551, 1_043], &[322, 721]),
    ("mrpc", "glue/MRPC", [3_668, 408], &[129, 279]),
    ("rte", "glue/RTE", [2_490, 277], &[146, 131]),
    ("stsb", "glue/STS-B", [5_749, 1_500], &[]),
    // The official training file is unavailable; the official dev file is split in two.
    ("qnli", "glue/QNLI", [4_463, 1_000], &[479, 521]),
    ("sst5", "sst5", [8_543, 1_101], &[139, 289, 229, 279, 165]),
    // 24 articles of the official dev file.
    ("squad", "squad", [3_867, 1_094], &[]),
];

#[test]
fn the_official_files_have_their_published_number_of_rows() {
    let Some(data) = std::env::var_os("ISOSTAR_DATA").map(PathBuf::from) else {
        eprintln!("skipped: ISOSTAR_DATA is not set");
        return;
    };
    for (name, folder, rows, classes) in COUNTS {
        let task = read(name, &data.join(folder)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!([task.splits.train.rows.len(), task.splits.dev.rows.len()], rows, "{name}");
        if !classes.is_empty() {
            let labels: &Labels = &task.labels;
            let count = |label: &String| task.splits.dev.rows.iter().filter(|row| row.label == *label).count();
            assert_eq!(labels.names().iter().map(count).collect::<Vec<_>>(), classes, "{name}");
        }
        let answers: usize = task.questions.iter().flatten().map(|question| question.answers.len()).sum();
        assert_eq!(answers, if name == "squad" { 17_778 } else { 0 }, "{name}");
    }
}

#[test]
fn cached_token_ids_equal_those_of_the_tokenizer() {
    let Some(data) = std::env::var_os("ISOSTAR_DATA").map(PathBuf::from) else {
        eprintln!("skipped: ISOSTAR_DATA is not set");
        return;
    };
    let folder = TempDir::new().unwrap();
    let cache = TokenCache::new(folder.path());
    let tokenizer = std::env::var_os("ISOSTAR_TOKENIZER").map_or(DEFAULT_TOKENIZER.into(), |path| std::fs::read_to_string(path).unwrap());
    let rows = read("sst2", &data.join("glue/SST-2")).unwrap().splits.train.rows;
    let encoder = TextEncoder::from_json(&tokenizer, 256).unwrap();
    let targets = || RowTargets::Classes(vec![0; rows.len()]);
    let timed = |what: &str, work: &dyn Fn() -> Examples| {
        let begin = Instant::now();
        let examples = work();
        println!("{} rows, {} tokens: {what} takes {:.3} s", rows.len(), examples.tokens(), begin.elapsed().as_secs_f64());
        examples
    };
    let made = timed("tokenizing", &|| encoder.encode_targets(&rows, targets()).unwrap());
    let kept = || cache.encode(&encoder, &rows, targets()).unwrap();
    assert_eq!(timed("tokenizing and writing", &kept), made);
    assert_eq!(timed("reading", &kept), made);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
