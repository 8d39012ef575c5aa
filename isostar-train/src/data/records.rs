//! The records of a table of text: the lines of TSV, and CSV as RFC 4180 quotes it.

use std::path::Path;

use super::text_file::line_breaks;
use super::{DataError, Format};

/// The columns of one line or quoted record, and the line on which it begins.
pub(super) struct Record {
    pub line: usize,
    pub values: Vec<String>,
}

/// The records of a TSV file: what stands between tabs, quotation marks included.
pub(super) fn tsv_records(content: &str) -> impl Iterator<Item = Result<Record, DataError>> {
    let split = |(index, line): (usize, &str)| Ok(Record { line: index + 1, values: line.split('\t').map(String::from).collect() });
    content.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(split)
}

/// The records of a CSV file; `path` is named in errors.
///
/// An item is [`DataError::UnclosedQuote`] or [`DataError::TextAfterQuote`] where a record is quoted in a way that cannot be meant, and
/// [`DataError::Separator`] where it is the first and quoted between other separators.
pub(super) fn csv_records<'a>(content: &'a str, path: &'a Path) -> impl Iterator<Item = Result<Record, DataError>> + 'a {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content.as_bytes());
    let mut record = csv::StringRecord::new();
    let (mut counted, mut line, mut is_first) = (0, 1, true);
    std::iter::from_fn(move || {
        if !reader.read_record(&mut record).expect("a record of text in memory, of any width, can be read") {
            return None;
        }
        // The reader's own line number is that of the line break before the record where lines end in CR LF or are empty.
        let begin = record.position().map_or(counted, |position| position.byte() as usize);
        let begin = begin + content.as_bytes()[begin..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line += line_breaks(&content.as_bytes()[counted..begin]);
        counted = begin;
        let could_be_header = std::mem::replace(&mut is_first, false);
        let raw = &content.as_bytes()[begin..reader.position().byte() as usize];
        Some(match quoting_fault(raw) {
            None => Ok(Record { line, values: record.iter().map(String::from).collect() }),
            Some(QuotingFault::Unclosed { opened }) => {
                Err(DataError::UnclosedQuote { path: path.into(), line: line + line_breaks(&raw[..opened]) })
            }
            Some(QuotingFault::TextAfter { at, .. }) if could_be_header && others(Format::Csv).contains(&char::from(raw[at])) => {
                Err(DataError::Separator { path: path.into(), found: char::from(raw[at]), format: Format::Csv })
            }
            Some(QuotingFault::TextAfter { opened, at }) => {
                let lines = [opened, at].map(|at| line + line_breaks(&raw[..at]));
                Err(DataError::TextAfterQuote { path: path.into(), line: lines[0], end: lines[1] })
            }
        })
    })
}

/// What is wrong with the quotation marks of a record, at positions in it.
#[derive(Debug, PartialEq)]
enum QuotingFault {
    /// A value is opened and never closed.
    Unclosed { opened: usize },
    /// Text follows the mark that closes a value.
    TextAfter { opened: usize, at: usize },
}

/// What the csv crate passes over in silence: it gives a value that is never closed everything that follows, and takes what stands behind a
/// closing mark for a part of the value.
fn quoting_fault(record: &[u8]) -> Option<QuotingFault> {
    #[derive(PartialEq)]
    enum Place {
        Start,
        Unquoted,
        Quoted,
        /// Behind a mark that closes the value, unless another one follows.
        Closed,
        /// Behind such a mark and a space, or at the end of the record.
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
            (Place::Closed | Place::Behind, _) => return Some(QuotingFault::TextAfter { opened, at }),
        };
    }
    (place == Place::Quoted).then_some(QuotingFault::Unclosed { opened })
}

/// What separates columns in files of another format.
fn others(format: Format) -> [char; 3] {
    if format == Format::Tsv { [';', ',', '|'] } else { [';', '\t', '|'] }
}

/// Refuses a table whose first record is one column that holds what separates columns elsewhere. Where the file has no header, but `expected`
/// columns, that must cut the record into so many.
///
/// # Errors
/// [`DataError::Separator`].
pub(super) fn check_separator(first: &Record, expected: Option<usize>, format: Format, path: &Path) -> Result<(), DataError> {
    let [only] = &first.values[..] else { return Ok(()) };
    let separates = |character: &char| {
        let columns = only.split(*character).count();
        columns > 1 && expected.is_none_or(|expected| columns == expected)
    };
    match others(format).into_iter().find(separates) {
        Some(found) => Err(DataError::Separator { path: path.into(), found, format }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_checked_to_the_end_of_a_record() {
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
            ("\"so \"good\" it is\",1\n", QuotingFault::TextAfter { opened: 0, at: 5 }),
            ("\"a\" \"b\",1\n", QuotingFault::TextAfter { opened: 0, at: 4 }),
        ] {
            assert_eq!(quoting_fault(broken.as_bytes()), Some(fault), "{broken:?}");
        }
    }
}
