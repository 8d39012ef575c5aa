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
    let format = Format::from_path(path)?;
    if matches!(format, Format::JsonLines | Format::Parquet) && layout.header(format).is_some() {
        return Err(DataError::HasHeader { path: path.into() });
    }
    match format {
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
mod tests;
