//! Reading files as they occur in practice, from disk to batches.

mod compressed;
mod encodings;
mod loading;

use std::fs;
use std::path::{Path, PathBuf};

use isostar_measure::FileError;
use isostar_train::data::{Columns, DataError, Split, TextRow, read_rows};
use tempfile::TempDir;

/// Temporary folder with one file of the given content.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn read(name: &str, content: impl AsRef<[u8]>) -> Result<Vec<TextRow>, DataError> {
    let (_folder, path) = file(name, content);
    read_rows(&path, &Columns::default())
}

/// Text and label of each row.
fn pairs(rows: &[TextRow]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|row| (row.text.as_str(), row.label.as_str()))
        .collect()
}

#[test]
fn byte_order_marks_and_windows_line_endings_are_accepted() {
    let rows = read(
        "rows.tsv",
        "\u{feff}sentence\tlabel\r\nnaïve café 😀\t1\r\nplain\t0\r\n\r\n",
    )
    .unwrap();
    assert_eq!(pairs(&rows), [("naïve café 😀", "1"), ("plain", "0")]);
    let rows = read(
        "rows.csv",
        "\u{feff}\"text\",\"label\"\r\n\"one, two\",pos\r\nthree,neg\r\n\r\n",
    )
    .unwrap();
    assert_eq!(pairs(&rows), [("one, two", "pos"), ("three", "neg")]);
    let rows = read(
        "rows.jsonl",
        "\u{feff}{\"text\": \"a\", \"label\": false}\r\n{\"text\": \"b\", \"label\": true}\r\n\r\n",
    )
    .unwrap();
    assert_eq!(pairs(&rows), [("a", "false"), ("b", "true")]);
}

#[test]
fn quotation_marks_are_text_in_tsv_and_quoting_in_csv() {
    let rows = read(
        "rows.tsv",
        "text\tlabel\n\"unbalanced\t1\nsay \"\"hi\"\"\t0\n",
    )
    .unwrap();
    assert_eq!(
        pairs(&rows),
        [("\"unbalanced", "1"), ("say \"\"hi\"\"", "0")]
    );
    let rows = read(
        "rows.csv",
        "text,label\n\"say \"\"hi\"\"\",1\nit's \"fine\",0\n",
    )
    .unwrap();
    assert_eq!(pairs(&rows), [("say \"hi\"", "1"), ("it's \"fine\"", "0")]);
}

#[test]
fn missing_columns_are_reported_with_file_and_line() {
    let (_folder, path) = file("reviews.tsv", "text\tlabel\ngood\t1\nno label here\n");
    let error = read_rows(&path, &Columns::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}, line 3: 1 column, expected 2: \"text\", \"label\"",
            path.display()
        )
    );

    let columns = Columns {
        text: Some("body".into()),
        ..Columns::default()
    };
    let error = read_rows(&path, &columns).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: there is no column \"body\"; the columns are \"text\", \"label\"",
            path.display()
        )
    );
}

#[test]
fn an_unreadable_path_is_reported_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_rows(&folder.path().join("none.csv"), &Columns::default()).unwrap_err();
    assert!(
        matches!(error, DataError::File(FileError::NotFound { .. })),
        "{error}"
    );
    let named_like_a_file = folder.path().join("folder.csv");
    fs::create_dir(&named_like_a_file).unwrap();
    let error = read_rows(&named_like_a_file, &Columns::default()).unwrap_err();
    assert!(
        matches!(error, DataError::File(FileError::Unreadable { .. })),
        "{error}"
    );
    let error = read_rows(&folder.path().join("rows.arrow"), &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::UnknownFormat { .. }), "{error}");
}

#[test]
fn a_folder_requires_a_train_file_and_may_have_a_dev_file() {
    let (folder, _) = file("train.csv", "text,label\na,0\nb,1\n");
    let (train, dev) = Split::read_folder(folder.path(), &Columns::default()).unwrap();
    assert_eq!(
        (pairs(&train.rows), dev),
        (vec![("a", "0"), ("b", "1")], None)
    );

    fs::write(
        folder.path().join("validation.jsonl"),
        "{\"text\": \"c\", \"label\": 1}\n",
    )
    .unwrap();
    let (train, dev) = Split::read_folder(folder.path(), &Columns::default()).unwrap();
    assert_eq!(pairs(&train.rows), [("a", "0"), ("b", "1")]);
    assert_eq!(pairs(&dev.unwrap().rows), [("c", "1")]);

    fs::remove_file(folder.path().join("train.csv")).unwrap();
    let error = Split::read_folder(folder.path(), &Columns::default()).unwrap_err();
    assert!(
        matches!(error, DataError::MissingSplit { split: "train", .. }),
        "{error}"
    );
    let error = Split::read_folder(Path::new("no/such/folder"), &Columns::default()).unwrap_err();
    assert!(
        matches!(error, DataError::File(FileError::NotFound { .. })),
        "{error}"
    );
}
