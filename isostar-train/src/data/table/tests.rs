use super::super::Columns;
use super::*;

fn parse(content: &str, format: Format) -> Result<Vec<TextRow>, DataError> {
    parse_rows(content, format, &Columns::default(), Path::new("file")).map(|(rows, _)| rows)
}

fn row(text: &str, label: &str, line: usize) -> TextRow {
    TextRow {
        text: text.into(),
        pair: None,
        label: label.into(),
        line,
    }
}

#[test]
fn extensions_select_formats_in_any_case() {
    assert_eq!(
        Format::from_path(Path::new("a.b/C.TSV")).unwrap(),
        Format::Tsv
    );
    assert_eq!(
        Format::from_path(Path::new("rows.ndjson")).unwrap(),
        Format::JsonLines
    );
    assert!(matches!(
        Format::from_path(Path::new("rows.txt")),
        Err(DataError::UnknownFormat { .. })
    ));
    assert!(matches!(
        Format::from_path(Path::new("tsv")),
        Err(DataError::UnknownFormat { .. })
    ));
    assert_eq!(
        Format::from_path(Path::new("a.b/rows.jsonl.GZ")).unwrap(),
        Format::JsonLines
    );
    for name in ["rows.parquet.gz", "rows.gz", "csv.gz", ".gz"] {
        assert!(
            matches!(
                Format::from_path(Path::new(name)),
                Err(DataError::UnknownFormat { .. })
            ),
            "{name}"
        );
    }
}

#[test]
fn tsv_keeps_quotes_and_spaces_of_the_text() {
    let rows = parse(
        "sentence\tlabel\n\"so \"good\" \t1\nit 's \t 0 \n",
        Format::Tsv,
    )
    .unwrap();
    assert_eq!(rows, [row("\"so \"good\" ", "1", 2), row("it 's ", "0", 3)]);
}

#[test]
fn csv_line_numbers_are_correct_after_quoted_line_breaks() {
    for line_break in ["\n", "\r\n"] {
        let content = "text,label\n\n\"two\nlines, \"\"quoted\"\"\",yes\nplain,no\n\n\nlast,yes\n"
            .replace('\n', line_break);
        let two = format!("two{line_break}lines, \"quoted\"");
        let rows = parse(&content, Format::Csv).unwrap();
        assert_eq!(
            rows,
            [
                row(&two, "yes", 3),
                row("plain", "no", 5),
                row("last", "yes", 8)
            ],
            "{line_break:?}"
        );
    }
}

#[test]
fn malformed_quoting_is_reported_at_the_line_of_the_opening_mark() {
    let good = "label,text\nyes,\"one, two\"\n\nno,plain\n";
    let rest: String = (0..30).map(|at| format!("yes,row {at}\n")).collect();
    for line_break in ["\n", "\r\n"] {
        let parsed = |row: &str, rest: &str| {
            parse(
                &format!("{good}{row}\n{rest}").replace('\n', line_break),
                Format::Csv,
            )
            .unwrap_err()
        };
        let unclosed = parsed("no,\"never closed", &rest);
        assert_eq!(
            unclosed.to_string(),
            "file, line 5: the quotation mark that opens a value here is never closed"
        );
        let within = parsed("\"no\n\",\"never closed", &rest);
        assert!(
            matches!(within, DataError::UnclosedQuote { line: 6, .. }),
            "{within}"
        );
        let swallowed = parsed("no,\"never closed", &format!("{rest}no,\"quoted\"\n"));
        assert!(
            matches!(
                swallowed,
                DataError::TextAfterQuote {
                    line: 5,
                    end: 36,
                    ..
                }
            ),
            "{swallowed}"
        );
        let undoubled = parsed("no,\"he said \"no\" twice\"", &rest);
        assert!(
            matches!(
                undoubled,
                DataError::TextAfterQuote {
                    line: 5,
                    end: 5,
                    ..
                }
            ),
            "{undoubled}"
        );
    }
    assert!(matches!(
        parse("\"text,label\na,1\n", Format::Csv),
        Err(DataError::UnclosedQuote { line: 1, .. })
    ));
}

#[test]
fn a_separator_that_contradicts_the_extension_is_rejected() {
    for (content, format, found) in [
        ("text;label\ngood, really;1\n", Format::Csv, ';'),
        ("\"text\";\"label\"\n\"good\";\"1\"\n", Format::Csv, ';'),
        ("text\tlabel\ngood\t1\n", Format::Csv, '\t'),
        ("text,label\ngood,1\n", Format::Tsv, ','),
        ("text;label\ngood;1\n", Format::Tsv, ';'),
    ] {
        let error = parse(content, format).unwrap_err();
        assert!(
            matches!(error, DataError::Separator { found: f, .. } if f == found),
            "{content:?}: {error}"
        );
    }
    let headless = Columns {
        header: Some(["label", "text"].map(String::from).to_vec()),
        ..Columns::default()
    };
    let parse =
        |content: &str| parse_rows(content, Format::Csv, &headless, Path::new("file")).unwrap_err();
    assert!(matches!(
        parse("1;good\n"),
        DataError::Separator { found: ';', .. }
    ));
    assert!(matches!(
        parse("good; so; so\n"),
        DataError::ColumnCount {
            line: 1,
            found: 1,
            ..
        }
    ));
}

#[test]
fn a_whole_number_has_the_same_label_in_every_spelling() {
    let expected = [
        row("a", "1", 2),
        row("b", "1", 3),
        row("c", "0", 4),
        row("d", "01", 5),
    ];
    assert_eq!(
        parse("text,label\na,1\nb,1.0\nc,0.00\nd,01\n", Format::Csv).unwrap(),
        expected
    );
    let lines = "\n{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 1.0}\n{\"text\": \"c\", \"label\": -0.0}\n{\"text\": \"d\", \"label\": \"01\"}";
    assert_eq!(parse(lines, Format::JsonLines).unwrap(), expected);
}

#[test]
fn json_labels_may_be_numbers_and_booleans() {
    let content = "{\"text\": \"a\", \"label\": 1}\n\n{\"label\": true, \"text\": \"b\\tc\"}\n{\"text\": \"d\", \"label\": \"x\"}";
    let rows = parse(content, Format::JsonLines).unwrap();
    assert_eq!(
        rows,
        [row("a", "1", 1), row("b\tc", "true", 3), row("d", "x", 4)]
    );
}

#[test]
fn json_without_a_usable_value_names_line_and_column() {
    for (second, found) in [
        (r#"{"text": "b"}"#, "missing"),
        (r#"{"text": "b", "label": null}"#, "null"),
        (r#"{"text": "b", "label": " "}"#, "empty"),
        (r#"{"text": ["b"], "label": 1}"#, "an array"),
    ] {
        let error = parse(
            &format!("{}\n{second}\n", r#"{"text": "a", "label": 0}"#),
            Format::JsonLines,
        )
        .unwrap_err();
        assert!(
            matches!(&error, DataError::BadValue { line: 2, found: f, .. } if *f == found),
            "{second}: {error}"
        );
    }
    let error = parse("{\"text\": \"a\", \"label\": 0}\n[1]\n", Format::JsonLines).unwrap_err();
    assert!(
        matches!(error, DataError::NotJson { line: 2, .. }),
        "{error}"
    );
}

#[test]
fn rows_with_a_wrong_number_of_columns_are_rejected() {
    for (content, format, width) in [
        ("text\tlabel\na\t1\nno label\n", Format::Tsv, 1),
        ("text\tlabel\na\t1\na\ttab\t1\n", Format::Tsv, 3),
        ("text,label\na,1\nunquoted, comma,1\n", Format::Csv, 3),
    ] {
        let error = parse(content, format).unwrap_err();
        assert!(
            matches!(&error, DataError::ColumnCount { line: 3, found, .. } if *found == width),
            "{content:?}: {error}"
        );
    }
}

#[test]
fn a_file_without_a_header_is_read_from_its_first_line() {
    let header = ["source", "label", "mark", "text"]
        .map(String::from)
        .to_vec();
    let columns = Columns {
        header: Some(header),
        ..Columns::default()
    };
    let (rows, _) = parse_rows(
        "gj04\t1\t\tOne.\nbc01\t0\t*\tTwo.\n",
        Format::Tsv,
        &columns,
        Path::new("file"),
    )
    .unwrap();
    assert_eq!(rows, [row("One.", "1", 1), row("Two.", "0", 2)]);
}

#[test]
fn broken_rows_are_counted_per_row_and_not_per_line() {
    for (widths, expected) in [
        (&[4, 4][..], 0),
        (&[3, 2], 1),
        (&[2, 1, 3, 4], 1),
        (&[3, 2, 3, 2], 2),
        (&[4, 6, 4, 3, 2], 2),
        (&[3, 4, 2, 3], 2),
        (&[4, 3], 1),
    ] {
        let mut broken = BrokenRows {
            width: 4,
            ..BrokenRows::default()
        };
        let whole = widths
            .iter()
            .filter(|width| broken.is_whole(**width))
            .count();
        assert_eq!(whole, widths.iter().filter(|width| **width == 4).count());
        assert_eq!(broken.count(), expected, "{widths:?}");
    }
}

#[test]
fn files_without_rows_are_rejected() {
    assert!(matches!(
        parse("", Format::Csv),
        Err(DataError::EmptyFile { .. })
    ));
    assert!(matches!(
        parse("\u{feff}\r\n", Format::JsonLines),
        Err(DataError::EmptyFile { .. })
    ));
    assert!(matches!(
        parse("text\tlabel\n\n", Format::Tsv),
        Err(DataError::NoRows { .. })
    ));
    assert!(matches!(
        parse("text,label", Format::Csv),
        Err(DataError::NoRows { .. })
    ));
}

#[test]
fn an_empty_label_is_rejected_and_an_empty_text_is_not() {
    assert_eq!(
        parse("text\tlabel\n\t1\n", Format::Tsv).unwrap(),
        [row("", "1", 2)]
    );
    let error = parse("text\tlabel\na\t \n", Format::Tsv).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"file, line 2: column "label" is empty"#
    );
}
