//! Compressed files of tasks and of your own rows.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

use super::fixtures::{folder, read};
use super::regression::{PAIRS, write};
use super::runs::isostar;

/// Replaces a file by a gzip-compressed copy.
fn compress(path: &Path) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(path.with_added_extension("gz"), encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn compressed_files_give_the_same_result_as_plain_ones() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("numbers.toml"), PAIRS).unwrap();
    for name in ["rows.csv", "rows.tsv", "rows.jsonl"] {
        write(at, name);
        let of_file = |name: &str, out: &str| {
            let (stdout, _) = isostar(
                at,
                &[
                    "train",
                    "numbers.toml",
                    "--task",
                    name,
                    "--out",
                    out,
                    "--json",
                ],
            );
            serde_json::from_str::<Value>(&stdout).unwrap()
        };
        let plain = of_file(name, &format!("{name}-plain"));
        compress(&at.join(name));
        let compressed = of_file(&format!("{name}.gz"), &format!("{name}-compressed"));
        assert_eq!(
            (
                &compressed["task"],
                &compressed["metrics"],
                &compressed["task_loss"]
            ),
            (&"rows".into(), &plain["metrics"], &plain["task_loss"])
        );
    }
}

/// Compressed copy of a task's files.
fn compressed(task: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder(task)).unwrap() {
        let entry = entry.unwrap();
        let path = copy.path().join(entry.file_name());
        fs::copy(entry.path(), &path).unwrap();
        compress(&path);
    }
    copy
}

#[test]
fn the_official_files_of_a_task_may_be_compressed() {
    for task in ["cola", "sst5", "squad", "squad2", "mnli"] {
        let (plain, copy) = (read(task, &folder(task)).unwrap(), compressed(task));
        let read = read(task, copy.path()).unwrap();
        assert_eq!(
            (&read.splits.train.rows, &read.splits.dev.rows),
            (&plain.splits.train.rows, &plain.splits.dev.rows),
            "{task}"
        );
        assert_eq!(read.questions, plain.questions);
        assert!(
            read.splits
                .train
                .path
                .extension()
                .is_some_and(|extension| extension == "gz")
        );
    }
    let lines = compressed("hub/lines");
    for (split, shard) in [
        ("train", "train-00000-of-00001"),
        ("validation", "validation-00000-of-00001"),
    ] {
        fs::rename(
            lines.path().join(format!("{split}.jsonl.gz")),
            lines.path().join(format!("{shard}.jsonl.gz")),
        )
        .unwrap();
    }
    assert_eq!(
        read("squad", lines.path()).unwrap().questions,
        read("squad", &folder("squad")).unwrap().questions
    );

    let cut = compressed("sst2");
    let path = cut.path().join("dev.tsv.gz");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    let error = read("sst2", cut.path()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: not a complete gzip file: ", path.display())),
        "{error}"
    );
}
