//! Compressed text files, whole and damaged.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use isostar_train::data::{Columns, DataError, read_rows};

use super::{file, pairs, read};

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
