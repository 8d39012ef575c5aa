//! Files as users have them, warts included, from disk to batches.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use flate2::Compression;
use flate2::write::GzEncoder;
use isostar_train::data::{
    BatchLoader, Batching, Columns, DEFAULT_TOKENIZER, DataError, Labels, Split, Splits, TextEncoder, TextRow, default_rows, order,
    read_rows,
};
use tempfile::TempDir;

/// A folder with one file of the given bytes.
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
    rows.iter().map(|row| (row.text.as_str(), row.label.as_str())).collect()
}

#[test]
fn a_file_saved_on_windows_reads_like_any_other() {
    let rows = read("rows.tsv", "\u{feff}sentence\tlabel\r\nnaïve café 😀\t1\r\nplain\t0\r\n\r\n").unwrap();
    assert_eq!(pairs(&rows), [("naïve café 😀", "1"), ("plain", "0")]);
    let rows = read("rows.csv", "\u{feff}\"text\",\"label\"\r\n\"one, two\",pos\r\nthree,neg\r\n\r\n").unwrap();
    assert_eq!(pairs(&rows), [("one, two", "pos"), ("three", "neg")]);
    let rows = read("rows.jsonl", "\u{feff}{\"text\": \"a\", \"label\": false}\r\n{\"text\": \"b\", \"label\": true}\r\n\r\n").unwrap();
    assert_eq!(pairs(&rows), [("a", "false"), ("b", "true")]);
}

#[test]
fn quotes_are_text_in_tsv_and_quoting_in_csv() {
    let rows = read("rows.tsv", "text\tlabel\n\"unbalanced\t1\nsay \"\"hi\"\"\t0\n").unwrap();
    assert_eq!(pairs(&rows), [("\"unbalanced", "1"), ("say \"\"hi\"\"", "0")]);
    let rows = read("rows.csv", "text,label\n\"say \"\"hi\"\"\",1\nit's \"fine\",0\n").unwrap();
    assert_eq!(pairs(&rows), [("say \"hi\"", "1"), ("it's \"fine\"", "0")]);
}

#[test]
fn a_missing_column_is_named_with_file_and_line() {
    let (_folder, path) = file("reviews.tsv", "text\tlabel\ngood\t1\nno label here\n");
    let error = read_rows(&path, &Columns::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}, line 3: 1 column, expected 2: \"text\", \"label\"", path.display()));

    let columns = Columns { text: Some("body".into()), ..Columns::default() };
    let error = read_rows(&path, &columns).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: there is no column \"body\"; the columns are \"text\", \"label\"", path.display()));
    assert_eq!(error.remedy(), "name one of \"text\", \"label\"");
}

#[test]
fn bytes_that_are_not_utf8_are_an_error_with_their_line() {
    let error = read("rows.csv", b"text,label\ngood,1\ncaf\xe9,0\n").unwrap_err();
    assert!(matches!(error, DataError::NotUtf8 { line: 3, .. }), "{error}");
    assert!(error.remedy().contains("UTF-8"));
}

#[test]
fn a_path_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_rows(&folder.path().join("none.csv"), &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
    let named_like_a_file = folder.path().join("folder.csv");
    fs::create_dir(&named_like_a_file).unwrap();
    let error = read_rows(&named_like_a_file, &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::Unreadable { .. }), "{error}");
    let error = read_rows(&folder.path().join("rows.arrow"), &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::UnknownFormat { .. }), "{error}");
}

#[test]
fn a_folder_needs_train_and_may_have_dev() {
    let (folder, _) = file("train.csv", "text,label\na,0\nb,1\n");
    let (train, dev) = Split::read_folder(folder.path(), &Columns::default()).unwrap();
    assert_eq!((pairs(&train.rows), dev), (vec![("a", "0"), ("b", "1")], None));

    fs::write(folder.path().join("validation.jsonl"), "{\"text\": \"c\", \"label\": 1}\n").unwrap();
    let (train, dev) = Split::read_folder(folder.path(), &Columns::default()).unwrap();
    assert_eq!(pairs(&train.rows), [("a", "0"), ("b", "1")]);
    assert_eq!(pairs(&dev.unwrap().rows), [("c", "1")]);

    fs::remove_file(folder.path().join("train.csv")).unwrap();
    let error = Split::read_folder(folder.path(), &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::MissingSplit { split: "train", .. }), "{error}");
    let error = Split::read_folder(Path::new("no/such/folder"), &Columns::default()).unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
}

/// The bytes that gzip makes of some.
fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_text_reads_as_the_text() {
    for (name, content) in [
        ("rows.csv.gz", "text,label\r\n\"two\nlines\",0\r\nb,1\r\n"),
        ("rows.tsv.gz", "\u{feff}sentence\tlabel\n\"naïve\t0\n\nb\t1\n"),
        ("rows.jsonl.GZ", "{\"text\": \"two\\nlines\", \"label\": 0}\n\n{\"text\": \"b\", \"label\": 1}\n"),
    ] {
        let plain = name.rsplit_once('.').unwrap().0;
        assert_eq!(read(name, gzip(content)).unwrap(), read(plain, content).unwrap(), "{name}");
    }
    let bytes = gzip("text,label\na,0\nb,1\n");
    assert_eq!(read("rows.csv", &bytes).unwrap().len(), 2, "its first bytes say so, whatever it is called");
    let members = [gzip("text,label\na,0\n"), gzip(""), gzip("b,1\nc"), gzip(",0\n")].concat();
    assert_eq!(pairs(&read("rows.csv.gz", members).unwrap()), [("a", "0"), ("b", "1"), ("c", "0")], "all members are read");
}

#[test]
fn compressed_text_that_is_cut_or_altered_is_refused_by_its_name() {
    let content: String = (0..200).map(|row| format!("row {row},{}\n", row % 2)).collect();
    let members = [gzip(format!("text,label\n{content}")), gzip(&content)];
    let whole = members.concat();
    let refused = |bytes: &[u8], what: &str| {
        let (_folder, path) = file("rows.csv.gz", bytes);
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(matches!(error, DataError::NotGzip { .. }), "{what}: {error}");
        assert!(error.to_string().starts_with(&format!("{}: not a complete gzip file: ", path.display())), "{error}");
        assert!(error.remedy().contains("again"), "{}", error.remedy());
    };
    // Cut where a member ends, the file is a whole one.
    (0..whole.len()).filter(|length| *length != members[0].len()).for_each(|length| refused(&whole[..length], &format!("{length} bytes")));
    for at in [0, 2, members[0].len() - 1, members[0].len() - 5, members[0].len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        refused(&altered, &format!("byte {at} altered"));
    }
    refused(&[&whole[..], b"text"].concat(), "text after the last member");
    refused(b"text,label\na,0\n", "text that is not compressed");
    assert_eq!(read("rows.csv.gz", whole).unwrap().len(), 400);
}

#[test]
fn the_default_rows_become_batches_that_cover_them_once() {
    let Splits { train, dev } = default_rows();
    let labels = Labels::of(&train.rows).unwrap();
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64).unwrap();
    let examples = Arc::new(encoder.encode(&dev.rows, labels.indices_of(&dev.rows, &dev.path).unwrap()).unwrap());

    let loader = BatchLoader::evaluation(examples.clone(), 64, &Device::default());
    let mut predictions = vec![None; dev.rows.len()];
    for batch in loader.iter() {
        let batch = batch.unwrap();
        let classes: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
        for (row, class) in batch.rows.into_iter().zip(classes) {
            assert_eq!(predictions[row as usize].replace(class), None, "row {row} came twice");
        }
    }
    let expected: Vec<Option<u32>> = dev.rows.iter().map(|row| row.label.parse().ok()).collect();
    assert_eq!(predictions, expected);

    let unknown = encoder.tokenizer().token_to_id("[UNK]").unwrap();
    assert!((0..examples.len() as u32).all(|row| !examples.ids(row).contains(&unknown)), "the vocabulary spells every dev headline");
}

/// SST-2 as its owners publish it, or nothing where it is not beside the checkout.
fn sst2() -> Option<Splits> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/glue/SST-2");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    let (train, dev) = Split::read_folder(&folder, &Columns::default()).unwrap();
    Some(Splits { train, dev: dev.unwrap() })
}

#[test]
fn sst2_has_its_published_number_of_rows() {
    let Some(Splits { train, dev }) = sst2() else { return };
    assert_eq!((train.rows.len(), dev.rows.len()), (67_349, 872));
    assert_eq!(Labels::of(&train.rows).unwrap().names(), ["0", "1"]);
    let positive = dev.rows.iter().filter(|row| row.label == "1").count();
    assert_eq!(positive, 444);
    assert_eq!(train.rows.last().unwrap().line, 67_350);
}

#[test]
fn windows_sorted_by_length_spare_sst2_most_of_its_padding() {
    let Some(Splits { train, .. }) = sst2() else { return };
    let rows = &train.rows[..4_000];
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 256).unwrap();
    let lengths = encoder.encode(rows, vec![0; rows.len()]).unwrap().lengths();
    let share = |batching| order::padding_share(&lengths, &order::batches(&lengths, 32, batching, 1, 0));
    let (length, random) = (share(Batching::Length), share(Batching::Random));
    assert!(length < 0.1 && random > 0.5, "length {length}, random {random}");
}
