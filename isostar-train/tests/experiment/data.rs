//! Reading files as they occur in practice, from disk to batches.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn::data::dataloader::DataLoader;
use burn::data::dataloader::split::split_dataloader;
use burn::nn::DropoutConfig;
use burn::tensor::{Device, Tensor};
use flate2::Compression;
use flate2::write::GzEncoder;
use isostar_measure::FileError;
use isostar_train::data::{
    BatchLoader, Batching, Columns, DEFAULT_TOKENIZER, DataError, EncodingFault, Labels,
    SequenceBatch, Split, Splits, TextEncoder, TextRow, TrainingOrder, Unanswerable, default_rows,
    order, read_questions, read_rows, read_trees,
};
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

/// The text with a byte-order mark in UTF-8, UTF-16LE and UTF-16BE.
fn marked(text: &str) -> [Vec<u8>; 3] {
    let marked = format!("\u{feff}{text}");
    let utf16 = |unit: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(unit).collect();
    [
        marked.clone().into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ]
}

#[test]
fn the_byte_order_mark_selects_the_encoding_of_every_text_format() {
    let squad = r#"{"data": [{"paragraphs": [{"context": "Zoë saw 東京 😀.", "qas": [{"id": "q", "question": "?", "answers": [{"text": "東京", "answer_start": 8}]}]}]}]}"#;
    let hub = r#"{"id": "q", "context": "Zoë saw 東京 😀.", "question": "?", "answers": {"text": ["東京"], "answer_start": [8]}}"#;
    for (name, content) in [
        (
            "rows.csv",
            "text,label\r\n\"naïve, 東京\r\n😀\",ja\r\nplain,nein\r\n",
        ),
        (
            "rows.tsv",
            "text\tlabel\r\nnaïve 東京 😀\tja\r\nplain\tnein\r\n",
        ),
        (
            "rows.jsonl",
            "{\"text\": \"naïve 東京 😀\", \"label\": \"ja\"}\n{\"text\": \"plain\", \"label\": \"nein\"}\n",
        ),
        ("trees.txt", "(3 (2 naïve) (2 東京😀))\n(1 plain)\n"),
        ("train.json", squad),
        ("train.jsonl", hub),
    ] {
        let read = |bytes: &[u8]| -> Vec<TextRow> {
            let (_folder, path) = file(name, bytes);
            match name {
                "trees.txt" => read_trees(&path).unwrap(),
                "train.json" | "train.jsonl" => {
                    read_questions(&path, Unanswerable::Refused).unwrap().rows
                }
                _ => read_rows(&path, &Columns::default()).unwrap(),
            }
        };
        let expected = read(content.as_bytes());
        assert!(
            expected[0].text.contains("東京")
                || expected[0]
                    .pair
                    .as_deref()
                    .is_some_and(|pair| pair.contains("東京"))
        );
        for bytes in marked(content) {
            assert_eq!(read(&bytes), expected, "{name}");
        }
    }
}

#[test]
fn line_numbers_of_utf16_files_are_correct() {
    for bytes in marked("text,label\r\n\"one\r\ntwo\",1\r\n\r\nnone\r\n") {
        let error = read("rows.csv", bytes).unwrap_err();
        assert!(
            matches!(
                error,
                DataError::ColumnCount {
                    line: 5,
                    found: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn undecodable_files_report_their_encoding() {
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let rows = "text,label\ngood 東京,1\n";
    let lone = [
        &[0xff, 0xfe][..],
        &utf16(rows),
        &[0x3d, 0xd8],
        &utf16("bad,0\n"),
    ]
    .concat();
    let utf32: Vec<u8> = format!("\u{feff}{rows}")
        .chars()
        .flat_map(|character| u32::from(character).to_le_bytes())
        .collect();
    for (bytes, line, fault) in [
        (
            b"text,label\ngood,1\ncaf\xe9,0\n".to_vec(),
            3,
            EncodingFault::OneByte,
        ),
        (
            [rows.as_bytes(), b"caf\xe9,0\n"].concat(),
            3,
            EncodingFault::BrokenUtf8,
        ),
        (
            utf16(rows),
            1,
            EncodingFault::UnmarkedUtf16 {
                little_endian: true,
            },
        ),
        (lone, 3, EncodingFault::LoneSurrogate),
        (utf32, 1, EncodingFault::Utf32),
    ] {
        let (_folder, path) = file("rows.csv", &bytes);
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(
            matches!(error, DataError::Encoding { line: l, fault: f, .. } if (l, f) == (line, fault)),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("{}, line {line}: {fault}", path.display())),
            "{error}"
        );
    }
    let cut = [&[0xff, 0xfe][..], &utf16(rows), b"x"].concat();
    let error = read("rows.csv", cut).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::Encoding {
                line: 3,
                fault: EncodingFault::CutShort,
                ..
            }
        ),
        "{error}"
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

/// Compresses content with gzip.
fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_text_is_decompressed() {
    for (name, content) in [
        ("rows.csv.gz", "text,label\r\n\"two\nlines\",0\r\nb,1\r\n"),
        (
            "rows.tsv.gz",
            "\u{feff}sentence\tlabel\n\"naïve\t0\n\nb\t1\n",
        ),
        (
            "rows.jsonl.GZ",
            "{\"text\": \"two\\nlines\", \"label\": 0}\n\n{\"text\": \"b\", \"label\": 1}\n",
        ),
    ] {
        let plain = name.rsplit_once('.').unwrap().0;
        assert_eq!(
            read(name, gzip(content)).unwrap(),
            read(plain, content).unwrap(),
            "{name}"
        );
    }
    let bytes = gzip("text,label\na,0\nb,1\n");
    assert_eq!(
        read("rows.csv", &bytes).unwrap().len(),
        2,
        "gzip is recognized by the first bytes, without the extension"
    );
    let members = [
        gzip("text,label\na,0\n"),
        gzip(""),
        gzip("b,1\nc"),
        gzip(",0\n"),
    ]
    .concat();
    assert_eq!(
        pairs(&read("rows.csv.gz", members).unwrap()),
        [("a", "0"), ("b", "1"), ("c", "0")],
        "all members are read"
    );
}

#[test]
fn truncated_or_altered_gzip_files_are_rejected() {
    let content: String = (0..200)
        .map(|row| format!("row {row},{}\n", row % 2))
        .collect();
    let members = [gzip(format!("text,label\n{content}")), gzip(&content)];
    let whole = members.concat();
    let refused = |bytes: &[u8], what: &str| {
        let (_folder, path) = file("rows.csv.gz", bytes);
        let error = read_rows(&path, &Columns::default()).unwrap_err();
        assert!(
            matches!(error, DataError::NotGzip { .. }),
            "{what}: {error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("{}: not a complete gzip file: ", path.display())),
            "{error}"
        );
    };
    // A file truncated at the end of a member is complete.
    (0..whole.len())
        .filter(|length| *length != members[0].len())
        .for_each(|length| refused(&whole[..length], &format!("{length} bytes")));
    for at in [
        0,
        2,
        members[0].len() - 1,
        members[0].len() - 5,
        members[0].len() / 2,
        whole.len() - 1,
    ] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        refused(&altered, &format!("byte {at} altered"));
    }
    refused(
        &[&whole[..], b"text"].concat(),
        "text after the last member",
    );
    refused(b"text,label\na,0\n", "text that is not compressed");
    assert_eq!(read("rows.csv.gz", whole).unwrap().len(), 400);
}

#[test]
fn the_batches_of_the_default_rows_cover_every_row_once() {
    let Splits { train, dev } = default_rows();
    let labels = Labels::from_rows(&train.rows).unwrap();
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64).unwrap();
    let examples = Arc::new(
        encoder
            .encode(&dev.rows, labels.indices_of(&dev.rows, &dev.path).unwrap())
            .unwrap(),
    );

    let loader = BatchLoader::evaluation(examples.clone(), 64, &Device::default());
    let mut predictions = vec![None; dev.rows.len()];
    for batch in loader.iter() {
        let batch = batch.unwrap();
        let classes: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
        for (row, class) in batch.rows.into_iter().zip(classes) {
            assert_eq!(
                predictions[row as usize].replace(class),
                None,
                "row {row} appears twice"
            );
        }
    }
    let expected: Vec<Option<u32>> = dev.rows.iter().map(|row| row.label.parse().ok()).collect();
    assert_eq!(predictions, expected);

    let unknown = encoder.tokenizer().token_to_id("[UNK]").unwrap();
    assert!(
        (0..examples.len() as u32).all(|row| !examples.ids(row).contains(&unknown)),
        "the vocabulary covers every validation headline"
    );
}

/// Lock for tests that use the device's random number generator, which is global to the process.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Training loader over 24 rows in batches of 8, on a device with autodiff.
fn training(seed: u64, first_epoch: usize) -> BatchLoader {
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
    let examples = encoder
        .encode(&default_rows().train.rows[..24], vec![0; 24])
        .unwrap();
    let order = TrainingOrder {
        batch_size: 8,
        batching: Batching::Random,
        seed,
        first_epoch,
    };
    BatchLoader::training(Arc::new(examples), order, &Device::flex().autodiff())
}

/// First 64 numbers of the first dropout mask in each step of a pass; `after_batch` runs between
/// the batch and the mask.
fn masks(loader: &dyn DataLoader<SequenceBatch>, after_batch: impl Fn()) -> Vec<Vec<f32>> {
    let dropout = DropoutConfig::new(0.5).init();
    let mask = |batch: SequenceBatch| {
        after_batch();
        dropout
            .forward(Tensor::<1>::ones([64], &batch.input.ids.device()))
            .try_into_vec_as()
            .unwrap()
    };
    loader.iter().map(|batch| mask(batch.unwrap())).collect()
}

#[test]
fn different_steps_epochs_and_seeds_have_different_dropout_streams() {
    let _generator = GENERATOR.lock();
    let mut drawn: Vec<(String, Vec<f32>)> = Vec::new();
    for seed in 1..=5 {
        let whole: Arc<dyn DataLoader<SequenceBatch>> = Arc::new(training(seed, 0));
        // The slices use other epochs than the whole loader, so that their steps differ.
        let slices = split_dataloader(
            Arc::new(training(seed, 3)),
            &[Device::flex().autodiff(), Device::flex().autodiff()],
        );
        for (name, loader, epochs) in [
            ("whole", &whole, 0..3),
            ("slice 1", &slices[0], 3..6),
            ("slice 2", &slices[1], 3..6),
        ] {
            for epoch in epochs {
                let masks = masks(loader.as_ref(), || ()).into_iter().enumerate();
                drawn.extend(masks.map(|(step, mask)| {
                    (
                        format!("seed {seed}, epoch {epoch}, step {step}, {name}"),
                        mask,
                    )
                }));
            }
        }
    }
    assert_eq!(drawn.len(), 5 * 3 * (3 + 2 * 2));
    for (at, (name, mask)) in drawn.iter().enumerate() {
        let same = drawn[..at].iter().find(|(_, other)| mask == other);
        assert!(same.is_none(), "{name} has the mask of {}", same.unwrap().0);
    }
}

#[test]
fn dropout_depends_only_on_seed_epoch_and_step() {
    let _generator = GENERATOR.lock();
    let whole = training(7, 0);
    let passes: Vec<_> = (0..3).map(|_| masks(&whole, || ())).collect();
    // Resumed after two epochs, with a calibration pass over a copy without autodiff in every step.
    let resumed = training(7, 2);
    let copy = resumed.on_device(&Device::flex());
    let _ = Tensor::<1>::random([5], burn::tensor::Distribution::Default, &Device::flex());
    let again = masks(&resumed, || assert_eq!(copy.iter().count(), 3));
    assert_eq!(again, passes[2]);
    assert_ne!(passes[1], passes[2]);
}

/// Official SST-2 data, or `None` if it is not available next to the checkout.
fn sst2() -> Option<Splits> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/glue/SST-2");
    if !folder.is_dir() {
        eprintln!("skipped: {} does not exist", folder.display());
        return None;
    }
    let (train, dev) = Split::read_folder(&folder, &Columns::default()).unwrap();
    Some(Splits {
        train,
        dev: dev.unwrap(),
    })
}

#[test]
fn sst2_has_its_published_number_of_rows() {
    let Some(Splits { train, dev }) = sst2() else {
        return;
    };
    assert_eq!((train.rows.len(), dev.rows.len()), (67_349, 872));
    assert_eq!(Labels::from_rows(&train.rows).unwrap().names(), ["0", "1"]);
    let positive = dev.rows.iter().filter(|row| row.label == "1").count();
    assert_eq!(positive, 444);
    assert_eq!(train.rows.last().unwrap().line, 67_350);
}

#[test]
fn length_batching_avoids_most_of_the_padding_of_sst2() {
    let Some(Splits { train, .. }) = sst2() else {
        return;
    };
    let rows = &train.rows[..4_000];
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 256).unwrap();
    let lengths = encoder.encode(rows, vec![0; rows.len()]).unwrap().lengths();
    let share =
        |batching| order::padding_share(&lengths, &order::batches(&lengths, 32, batching, 1, 0));
    let (length, random) = (share(Batching::Length), share(Batching::Random));
    assert!(
        length < 0.1 && random > 0.5,
        "length {length}, random {random}"
    );
}
