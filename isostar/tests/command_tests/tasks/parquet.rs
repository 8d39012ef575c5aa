//! Parquet files as served by the hub: they give the same rows as the official files, and errors
//! name the file and the row. scripts/golden_task_files.py generates the fixtures.

use isostar::remedy::Remedy;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isostar_measure::FileError;
use isostar_train::data::{Columns, DataError, Unanswerable, read_questions, read_rows};
use isostar_train::task::{KNOWN_TASKS, KnownTask, Task, TaskKind};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tempfile::TempDir;

use super::fixtures::{folder, parts, read};
use crate::altered::altered;

/// Path of a hub file within the fixtures.
fn hub(place: &str) -> PathBuf {
    folder("hub").join(place)
}

#[track_caller]
fn assert_equal(one: &Task, other: &Task) {
    assert_eq!(one.labels, other.labels);
    assert_eq!(one.questions, other.questions, "{}", one.name);
    assert_eq!(one.further.len(), other.further.len());
    let further =
        one.further
            .iter()
            .zip(&other.further)
            .map(|((name, one), (other_name, other))| {
                assert_eq!(name, other_name);
                (one, other)
            });
    for (one, other) in [
        (&one.splits.train, &other.splits.train),
        (&one.splits.dev, &other.splits.dev),
    ]
    .into_iter()
    .chain(further)
    {
        let parts = |rows| -> Vec<_> {
            let number = |label: &str| {
                label
                    .parse::<f32>()
                    .map_or(label.to_string(), |number| number.to_string())
            };
            parts(rows)
                .into_iter()
                .map(|(text, pair, label)| {
                    (text.to_string(), pair.map(String::from), number(label))
                })
                .collect()
        };
        assert_eq!(
            parts(&one.rows),
            parts(&other.rows),
            "{} and {}",
            one.path.display(),
            other.path.display()
        );
    }
}

#[test]
fn every_task_reads_the_same_rows_from_the_parquet_files_of_the_hub() {
    for task in &KNOWN_TASKS {
        // MNLI's two validation sets are in one folder.
        let official = read(task.name, &folder(task.name.trim_end_matches("_mm"))).unwrap();
        // The folder of the repository has a subfolder for each configuration; sst5 has no
        // configuration.
        let parquet = read(task.name, &hub("")).unwrap();
        assert!(
            parquet
                .splits
                .train
                .path
                .extension()
                .is_some_and(|extension| extension == "jsonl" || extension == "parquet")
        );
        assert_equal(&parquet, &official);
        assert!(
            parquet
                .splits
                .train
                .rows
                .iter()
                .map(|row| row.line)
                .eq(1..=official.splits.train.rows.len()),
            "{}",
            task.name
        );
    }
    let plain = TempDir::new().unwrap();
    for split in ["train", "dev"] {
        fs::copy(
            hub("sst5").join(format!("{split}.parquet")),
            plain.path().join(format!("{split}.parquet")),
        )
        .unwrap();
    }
    assert_equal(
        &read("sst5", plain.path()).unwrap(),
        &read("sst5", &folder("sst5")).unwrap(),
    );
    assert_equal(
        &read("squad", &hub("lines")).unwrap(),
        &read("squad", &hub("plain_text")).unwrap(),
    );
}

#[test]
fn shards_are_one_split_with_consecutive_row_numbers() {
    let task = read("rte", &hub("rte")).unwrap();
    assert_eq!(task.splits.train.path, hub("rte/train-*-of-00002.parquet"));
    assert_eq!(
        task.splits
            .train
            .rows
            .iter()
            .map(|row| row.line)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        task.splits.dev.path,
        hub("rte/validation-00000-of-00001.parquet")
    );
}

#[test]
fn the_columns_of_a_custom_file_are_guessed() {
    let path = hub("mrpc/train-00000-of-00001.parquet");
    let rows = read_rows(&path, &Columns::default()).unwrap();
    assert_eq!(
        parts(&rows),
        [
            (
                "\"We won, he said.",
                Some("He said that they had won."),
                "1"
            ),
            (
                "Prices rose by 3 percent.",
                Some("The mayor called it \"a day like any other\"."),
                "0"
            ),
        ]
    );
    let columns = Columns {
        text: Some("sentence2".into()),
        ..Columns::default()
    };
    let rows = read_rows(&path, &columns).unwrap();
    assert_eq!(
        (rows[0].text.as_str(), &rows[0].pair),
        ("He said that they had won.", &None)
    );
}

#[test]
fn whole_floats_and_integers_are_the_same_labels() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows.parquet");
    let schema =
        parse_message_type("message rows { required binary text (UTF8); required double label; }")
            .unwrap();
    let mut writer = SerializedFileWriter::new(
        File::create(&path).unwrap(),
        Arc::new(schema),
        Arc::default(),
    )
    .unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&["a", "b", "c"].map(ByteArray::from), None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<DoubleType>()
        .write_batch(&[1.0, -0.0, 2.5], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let rows = read_rows(&path, &Columns::default()).unwrap();
    assert_eq!(
        parts(&rows),
        [("a", None, "1"), ("b", None, "0"), ("c", None, "2.5")]
    );
}

#[test]
fn invalid_values_are_reported_with_file_row_and_column() {
    let sst2 = &KnownTask::named("sst2").unwrap().columns;
    let cases = [
        ("null_text", ", row 2: column \"sentence\" is null"),
        ("null_label", ", row 3: column \"label\" is null"),
        ("not_utf8", ", row 3: column \"sentence\" is not UTF-8 text"),
        (
            "text_integers",
            ": column \"sentence\" holds INT64, expected text",
        ),
        (
            "text_lists",
            ": column \"sentence\" holds a list, expected text",
        ),
        (
            "label_dates",
            ": column \"label\" holds INT32 Date, expected text, numbers or booleans",
        ),
        (
            "label_struct",
            ": column \"label\" holds a struct, expected text, numbers or booleans",
        ),
        (
            "other_columns",
            ": there is no column \"sentence\"; the columns are \"document_id\", \"body_of_text\", \"stars\"",
        ),
        ("empty", ": the file has no rows"),
    ];
    for (name, expected) in cases {
        let path = folder("refused").join(format!("{name}.parquet"));
        let error = read_rows(&path, sst2).unwrap_err();
        assert_eq!(error.to_string(), format!("{}{expected}", path.display()));
        assert!(!error.remedy().is_empty());
    }
    let copy = TempDir::new().unwrap();
    for split in ["train", "dev"] {
        fs::copy(
            folder("refused").join("no_label.parquet"),
            copy.path().join(format!("{split}.parquet")),
        )
        .unwrap();
    }
    let error = read("sst2", copy.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "train.parquet, row 1: label \"-1\" is not one of the task's labels: \"0\", \"1\""
        ),
        "{error}"
    );
}

#[test]
fn invalid_questions_are_reported_with_file_and_row() {
    let cases = [
        (
            "squad_lengths",
            ", row 2: question \"q2\" has answer lists of different lengths: text 2, answer_start 1",
        ),
        (
            "squad_empty",
            ", row 2: question \"q2\" has no answer, which only SQuAD v2.0 allows",
        ),
        (
            "squad_null_list",
            ", row 2: question \"q2\" has no answer, which only SQuAD v2.0 allows",
        ),
        ("squad_null", ", row 2: column \"answers.text\" is null"),
        (
            "squad_negative",
            ", row 2: question \"q2\" has an invalid answer_start, -3",
        ),
        (
            "squad_elsewhere",
            ", row 2: question \"q2\" has an answer \"it\" that is not at character 4 of the paragraph",
        ),
        (
            "squad_flat",
            ": there is no column \"answers.text\"; the columns are \"id\", \"context\", \"question\", \"answers\"",
        ),
        (
            "no_label",
            ": there is no column \"id\"; the columns are \"sentence\", \"label\"",
        ),
    ];
    for (name, expected) in cases {
        let path = folder("refused").join(format!("{name}.parquet"));
        let error = read_questions(&path, Unanswerable::Refused).unwrap_err();
        assert_eq!(error.to_string(), format!("{}{expected}", path.display()));
    }
}

#[test]
fn questions_without_an_answer_are_read_if_allowed() {
    for name in ["squad_empty", "squad_null_list"] {
        let read = read_questions(
            &folder("refused").join(format!("{name}.parquet")),
            Unanswerable::Allowed,
        )
        .unwrap();
        assert_eq!(
            read.questions
                .iter()
                .map(|question| question.answers.len())
                .collect::<Vec<_>>(),
            [1, 0],
            "{name}"
        );
    }
}

#[test]
fn truncated_or_missing_files_are_rejected() {
    let whole = fs::read(hub("sst2/train-00000-of-00001.parquet")).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("train.parquet");
    for content in [
        &whole[..0],
        &whole[..3],
        &whole[..whole.len() - 1],
        b"sentence,label\na,1\n",
    ] {
        fs::write(&path, content).unwrap();
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(matches!(error, DataError::NotParquet { .. }), "{error}");
        assert!(
            error.to_string().starts_with(&format!(
                "{}: not a complete Parquet file: ",
                path.display()
            )),
            "{error}"
        );
    }
    assert!(matches!(
        read_rows(
            folder.path().join("none.parquet").as_path(),
            &Columns::default()
        ),
        Err(DataError::File(FileError::NotFound { .. }))
    ));
}

/// Number of altered copies of each file.
const ALTERED: usize = 500;

#[test]
fn altered_files_are_read_or_rejected_without_a_panic() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("altered.parquet");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for task in &KNOWN_TASKS {
        let place = task.configuration.unwrap_or(task.name);
        let name = [
            "train-00000-of-00001.parquet",
            "train-00000-of-00002.parquet",
            "train.parquet",
        ];
        let file = name
            .iter()
            .map(|name| hub(place).join(name))
            .find(|path| path.exists())
            .unwrap();
        let content = fs::read(file).unwrap();
        let read = |path: &Path| match task.kind {
            TaskKind::Span => read_questions(path, task.unanswerable).map(|read| read.rows),
            _ => read_rows(path, &task.columns),
        };
        let mut refused = 0;
        for _ in 0..ALTERED {
            fs::write(&path, altered(&content, &mut random)).unwrap();
            match read(&path) {
                Ok(rows) => {
                    assert!(!rows.is_empty() && rows.iter().map(|row| row.line).eq(1..=rows.len()))
                }
                Err(error) => {
                    assert!(
                        error.to_string().starts_with(&path.display().to_string())
                            && !error.remedy().is_empty(),
                        "{error}"
                    );
                    refused += 1;
                }
            }
        }
        println!("{}: {refused} of {ALTERED} rejected", task.name);
        assert!(refused > 0, "{}: no altered file was rejected", task.name);
    }
}
