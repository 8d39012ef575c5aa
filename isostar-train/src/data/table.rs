//! Reading rows of labelled text from TSV, CSV, JSON lines or Parquet files.

use std::path::Path;

use serde_json::{Map, Value};

use super::columns::{ColumnIndices, Layout};
use super::labels::label_text;
use super::records::{Record, check_separator, csv_records, tsv_records};
use super::text_file::{content, is_gzip, plain_name, read_text};
use super::{DataError, Format, TextRow, parquet};

impl Format {
    /// Format of `path` according to its extension; extensions of text formats may be followed by
    /// `.gz`.
    ///
    /// # Errors
    /// [`DataError::UnknownFormat`] if the extension is not `tsv`, `csv`, `jsonl`, `ndjson` or
    /// `parquet`.
    pub fn from_path(path: &Path) -> Result<Self, DataError> {
        let extension = plain_name(path).extension().unwrap_or_default();
        let found = Self::EXTENSIONS
            .iter()
            .find_map(|(name, format)| extension.eq_ignore_ascii_case(name).then_some(*format));
        // Parquet has its own compression.
        found
            .filter(|format| *format != Self::Parquet || !is_gzip(path))
            .ok_or_else(|| DataError::UnknownFormat { path: path.into() })
    }
}

/// Reads all rows of a file, in the format given by [`Format::from_path`].
///
/// Text files may have LF or CR LF line endings and empty lines, may be encoded in UTF-8 (with or
/// without a byte-order mark) or in UTF-16 with a byte-order mark, and may be gzip-compressed.
///
/// # Errors
/// Every [`DataError`] about a file, with the line if applicable.
pub fn read_rows(path: &Path, layout: &dyn Layout) -> Result<Vec<TextRow>, DataError> {
    read_table(path, layout).map(|(rows, _)| rows)
}

/// Reads all rows of a file; also returns the number of broken rows that were skipped.
pub(super) fn read_table(
    path: &Path,
    layout: &dyn Layout,
) -> Result<(Vec<TextRow>, usize), DataError> {
    match Format::from_path(path)? {
        Format::Parquet => Ok((parquet::read_rows(path, layout)?, 0)),
        format => parse_rows(&read_text(path)?, format, layout, path),
    }
}

/// Parses the content of a text file into rows; also returns the number of broken rows that were
/// skipped. Errors name `path`.
///
/// # Panics
/// If the format is Parquet, which is not text.
pub(super) fn parse_rows(
    text: &str,
    format: Format,
    layout: &dyn Layout,
    path: &Path,
) -> Result<(Vec<TextRow>, usize), DataError> {
    let content = content(text, path)?;
    let (rows, left_out) = match format {
        Format::Tsv => table_rows(tsv_records(content), format, layout, path)?,
        Format::Csv => table_rows(csv_records(content, path), format, layout, path)?,
        Format::JsonLines => (json_rows(content, layout, path)?, 0),
        Format::Parquet => panic!("a Parquet file is not text"),
    };
    if rows.is_empty() {
        Err(DataError::NoRows { path: path.into() })
    } else {
        Ok((rows, left_out))
    }
}

/// Converts records to rows; also returns the number of broken rows that were skipped. The first
/// record is the header, unless the layout provides one.
fn table_rows(
    records: impl Iterator<Item = Result<Record, DataError>>,
    format: Format,
    layout: &dyn Layout,
    path: &Path,
) -> Result<(Vec<TextRow>, usize), DataError> {
    let mut records = records.peekable();
    let given = layout.header(format);
    if let Some(Ok(first)) = records.peek() {
        check_separator(first, given.as_ref().map(Vec::len), format, path)?;
    }
    let header: Vec<String> = match given {
        Some(names) => names,
        None => records.next().transpose()?.map_or_else(Vec::new, |record| {
            record
                .values
                .iter()
                .map(|name| name.trim().into())
                .collect()
        }),
    };
    let indices = layout.locate(&header, path)?;
    let mut broken = BrokenRows {
        width: header.len(),
        ..BrokenRows::default()
    };
    let mut rows = Vec::new();
    for record in records {
        let record = record?;
        if !layout.leaves_out_broken_rows() || broken.is_whole(record.values.len()) {
            rows.push(table_row(record, &header, indices, path)?);
        }
    }
    Ok((rows, broken.count()))
}

/// Counter of rows that a line break within a text split into several records.
#[derive(Default)]
struct BrokenRows {
    /// Number of columns of a complete row.
    width: usize,
    /// Number of columns seen so far of the current broken row; 0 if there is none.
    met: usize,
    counted: usize,
}

impl BrokenRows {
    /// Whether a record with this number of columns is a complete row.
    fn is_whole(&mut self, columns: usize) -> bool {
        if columns == self.width {
            self.end();
            return true;
        }
        // The split text is the last column of one part and the first column of the next.
        self.met = if self.met == 0 {
            columns
        } else {
            self.met + columns - 1
        };
        if self.met >= self.width {
            self.end();
        }
        false
    }

    fn end(&mut self) {
        self.counted += usize::from(self.met > 0);
        self.met = 0;
    }

    fn count(mut self) -> usize {
        self.end();
        self.counted
    }
}

fn table_row(
    mut record: Record,
    header: &[String],
    indices: ColumnIndices,
    path: &Path,
) -> Result<TextRow, DataError> {
    let line = record.line;
    if record.values.len() != header.len() {
        return Err(DataError::ColumnCount {
            path: path.into(),
            line,
            expected: header.to_vec(),
            found: record.values.len(),
        });
    }
    let label = label_text(
        &record.values[indices.label],
        &header[indices.label],
        line,
        path,
    )?;
    let mut take = |index: usize| std::mem::take(&mut record.values[index]);
    Ok(TextRow {
        text: take(indices.text),
        pair: indices.pair.map(take),
        label,
        line,
    })
}

/// Rows of JSON lines; the keys of the first object are the header.
fn json_rows(content: &str, layout: &dyn Layout, path: &Path) -> Result<Vec<TextRow>, DataError> {
    let mut located: Option<(Vec<String>, ColumnIndices)> = None;
    let mut rows = Vec::new();
    for (index, text) in content
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let line = index + 1;
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| DataError::NotJson {
                path: path.into(),
                line,
                reason: error.to_string(),
            })?;
        let (header, indices) = match &located {
            Some(located) => located,
            None => {
                let header: Vec<String> = object.keys().cloned().collect();
                let indices = layout.locate(&header, path)?;
                located.insert((header, indices))
            }
        };
        let value = |index: usize| json_text(&object, &header[index], line, path);
        rows.push(TextRow {
            text: value(indices.text)?,
            pair: indices.pair.map(value).transpose()?,
            label: label_text(&value(indices.label)?, &header[indices.label], line, path)?,
            line,
        });
    }
    Ok(rows)
}

/// Text of a JSON value: a string unchanged, a number or boolean in JSON notation.
fn json_text(
    object: &Map<String, Value>,
    column: &str,
    line: usize,
    path: &Path,
) -> Result<String, DataError> {
    let found = match object.get(column) {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => return Ok(value.to_string()),
        Some(Value::Null) => "null",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
        None => "missing",
    };
    Err(DataError::BadValue {
        path: path.into(),
        line,
        column: column.into(),
        found,
    })
}

#[cfg(test)]
mod tests {
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
            let content =
                "text,label\n\n\"two\nlines, \"\"quoted\"\"\",yes\nplain,no\n\n\nlast,yes\n"
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
        let parse = |content: &str| {
            parse_rows(content, Format::Csv, &headless, Path::new("file")).unwrap_err()
        };
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
}
