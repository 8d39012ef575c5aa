//! Reading the official downloads. Runs only if ISOSTAR_DATA names a folder with `glue`, `sst5` and
//! `squad`.

use std::path::PathBuf;

use isostar_train::data::Labels;

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
        assert_eq!(
            [task.splits.train.rows.len(), task.splits.dev.rows.len()],
            rows,
            "{name}"
        );
        if !classes.is_empty() {
            let labels: &Labels = &task.labels;
            let count = |label: &String| {
                task.splits
                    .dev
                    .rows
                    .iter()
                    .filter(|row| row.label == *label)
                    .count()
            };
            assert_eq!(
                labels.names().iter().map(count).collect::<Vec<_>>(),
                classes,
                "{name}"
            );
        }
        let answers: usize = task
            .questions
            .iter()
            .flatten()
            .map(|question| question.answers.len())
            .sum();
        assert_eq!(answers, if name == "squad" { 17_778 } else { 0 }, "{name}");
    }
}
