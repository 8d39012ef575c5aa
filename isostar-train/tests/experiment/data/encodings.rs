//! Byte-order marks and encodings of text files.

use isostar_train::data::{
    Columns, DataError, EncodingFault, TextRow, Unanswerable, read_questions, read_rows, read_trees,
};

use super::{file, read};

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
