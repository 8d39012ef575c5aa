//! Records of TSV files, and of CSV files with RFC 4180 quoting.

use std::path::Path;

use super::text_file::line_breaks;
use super::{DataError, Format};

/// Columns of one record, and the line on which it begins.
pub(super) struct Record {
    pub line: usize,
    pub values: Vec<String>,
}

/// Records of a TSV file: each line, split at tabs. Quotation marks are part of the values.
pub(super) fn tsv_records(content: &str) -> impl Iterator<Item = Result<Record, DataError>> {
    let split = |(index, line): (usize, &str)| {
        Ok(Record {
            line: index + 1,
            values: line.split('\t').map(String::from).collect(),
        })
    };
    content
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(split)
}

/// Records of a CSV file; errors name `path`.
///
/// An item is [`DataError::UnclosedQuote`] or [`DataError::TextAfterQuote`] if the quoting of a
/// record is malformed, and [`DataError::Separator`] if the first record has quoted values between
/// other separators.
pub(super) fn csv_records<'a>(
    content: &'a str,
    path: &'a Path,
) -> impl Iterator<Item = Result<Record, DataError>> + 'a {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(content.as_bytes());
    let mut record = csv::StringRecord::new();
    let (mut counted, mut line, mut is_first) = (0, 1, true);
    std::iter::from_fn(move || {
        if !reader
            .read_record(&mut record)
            .expect("a flexible reader accepts any record of text in memory")
        {
            return None;
        }
        // The reader's own line number is that of the preceding line break if lines end in CR LF or
        // are empty, so lines are counted here.
        let begin = record
            .position()
            .map_or(counted, |position| position.byte() as usize);
        let begin = begin
            + content.as_bytes()[begin..]
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
        line += line_breaks(&content.as_bytes()[counted..begin]);
        counted = begin;
        let could_be_header = std::mem::replace(&mut is_first, false);
        let raw = &content.as_bytes()[begin..reader.position().byte() as usize];
        Some(match quoting_fault(raw) {
            None => Ok(Record {
                line,
                values: record.iter().map(String::from).collect(),
            }),
            Some(QuotingFault::Unclosed { opened }) => Err(DataError::UnclosedQuote {
                path: path.into(),
                line: line + line_breaks(&raw[..opened]),
            }),
            Some(QuotingFault::TextAfter { at, .. })
                if could_be_header && others(Format::Csv).contains(&char::from(raw[at])) =>
            {
                Err(DataError::Separator {
                    path: path.into(),
                    found: char::from(raw[at]),
                    format: Format::Csv,
                })
            }
            Some(QuotingFault::TextAfter { opened, at }) => {
                let lines = [opened, at].map(|at| line + line_breaks(&raw[..at]));
                Err(DataError::TextAfterQuote {
                    path: path.into(),
                    line: lines[0],
                    end: lines[1],
                })
            }
        })
    })
}

/// Fault in the quoting of a record, with byte positions in the record.
#[derive(Debug, PartialEq)]
enum QuotingFault {
    /// A quoted value is never closed.
    Unclosed { opened: usize },
    /// Text follows the closing quotation mark of a value.
    TextAfter { opened: usize, at: usize },
}

/// Finds quoting faults that the csv crate accepts silently: it lets an unclosed value extend to
/// the end of the file, and treats text after a closing quotation mark as part of the value.
fn quoting_fault(record: &[u8]) -> Option<QuotingFault> {
    #[derive(PartialEq)]
    enum Place {
        Start,
        Unquoted,
        Quoted,
        /// After a quotation mark that closes the value, unless another one follows.
        Closed,
        /// After the closing mark and white space.
        Behind,
    }
    let (mut place, mut opened) = (Place::Start, 0);
    for (at, byte) in record.iter().enumerate() {
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Closed, b'"') | (Place::Quoted, _) => Place::Quoted,
            (_, b',') => Place::Start,
            (Place::Start, b'"') => {
                opened = at;
                Place::Quoted
            }
            (Place::Start | Place::Unquoted, _) => Place::Unquoted,
            (Place::Closed | Place::Behind, b' ' | b'\r' | b'\n') => Place::Behind,
            (Place::Closed | Place::Behind, _) => {
                return Some(QuotingFault::TextAfter { opened, at });
            }
        };
    }
    (place == Place::Quoted).then_some(QuotingFault::Unclosed { opened })
}

/// Column separators of other formats.
fn others(format: Format) -> [char; 3] {
    if format == Format::Tsv {
        [';', ',', '|']
    } else {
        [';', '\t', '|']
    }
}

/// Rejects a table whose first record is a single column that contains another format's separator.
/// If `expected` is given (the file has no header), that separator must yield this many columns.
///
/// # Errors
/// [`DataError::Separator`].
pub(super) fn check_separator(
    first: &Record,
    expected: Option<usize>,
    format: Format,
    path: &Path,
) -> Result<(), DataError> {
    let [only] = &first.values[..] else {
        return Ok(());
    };
    let separates = |character: &char| {
        let columns = only.split(*character).count();
        columns > 1 && expected.is_none_or(|expected| columns == expected)
    };
    match others(format).into_iter().find(separates) {
        Some(found) => Err(DataError::Separator {
            path: path.into(),
            found,
            format,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_quoting_is_found_anywhere_in_a_record() {
        for whole in [
            "a,b",
            "\"a, b\",\"c\"\r\n",
            "\"say \"\"hi\"\"\",1\n",
            "\"\",\"\"\"\"",
            "it's \"fine\",0",
            "\"a\" ,1\n",
            "\"two\nlines\",1\n",
            " \"a\"",
        ] {
            assert_eq!(quoting_fault(whole.as_bytes()), None, "{whole:?}");
        }
        for (broken, fault) in [
            ("\"a,b\n", QuotingFault::Unclosed { opened: 0 }),
            ("1,\"a\"\"\n", QuotingFault::Unclosed { opened: 2 }),
            ("1,\"a\"b\n", QuotingFault::TextAfter { opened: 2, at: 5 }),
            (
                "\"so \"good\" it is\",1\n",
                QuotingFault::TextAfter { opened: 0, at: 5 },
            ),
            (
                "\"a\" \"b\",1\n",
                QuotingFault::TextAfter { opened: 0, at: 4 },
            ),
        ] {
            assert_eq!(quoting_fault(broken.as_bytes()), Some(fault), "{broken:?}");
        }
    }
}
