//! Protection against corrupt Parquet files: the parquet crate panics on some of them, and
//! allocates as much memory as others declare.

use std::io::{self, ErrorKind, Read};
use std::panic::{self, AssertUnwindSafe};

use bytes::Bytes;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};

/// Open Parquet file.
pub type ParquetReader<R> = SerializedFileReader<Ending<R>>;

/// Opens a Parquet file and checks that its columns lie within the file.
///
/// # Errors
/// If it is not a complete Parquet file.
pub fn open<R: ChunkReader + 'static>(file: R) -> Result<ParquetReader<R>, ParquetError> {
    let length = file.len();
    let reader = decoded(|| SerializedFileReader::new(Ending(file)))?;
    let columns = reader
        .metadata()
        .row_groups()
        .iter()
        .flat_map(|group| group.columns());
    // The reader assumes this and panics otherwise.
    let within = |column: &ColumnChunkMetaData| {
        let start = u64::try_from(
            column
                .dictionary_page_offset()
                .unwrap_or(column.data_page_offset()),
        )
        .ok()?;
        start
            .checked_add(u64::try_from(column.compressed_size()).ok()?)
            .filter(|end| *end <= length)
    };
    match columns.map(within).all(|end| end.is_some()) {
        true => Ok(reader),
        false => Err(ParquetError::General(
            "a column lies outside the file".into(),
        )),
    }
}

/// Wrapper that returns an error at the end of the file.
///
/// The parquet crate skips unknown fields without checking for the end of the file, and would
/// iterate over billions of values that a corrupt header declares.
pub struct Ending<T>(T);

impl<R: ChunkReader> Length for Ending<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Ending<R> {
    type T = Ending<R::T>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.0.get_read(start).map(Ending)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

impl<T: Read> Read for Ending<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// Maximum number of values in a data page. Values such as nulls take almost no space in the file,
/// but each has a level of two bytes in memory.
const MOST_LEVELS: usize = 1 << 26;

/// Creates a reader of a column of a row group; read it only within [`decoded`].
///
/// The reader rejects pages that declare more values than they can hold.
///
/// # Errors
/// If the pages cannot be found.
pub fn column<R: ChunkReader + 'static>(
    reader: &ParquetReader<R>,
    group: usize,
    leaf: usize,
) -> Result<ColumnReader, ParquetError> {
    decoded(|| {
        let pages = reader.get_row_group(group)?.get_column_page_reader(leaf)?;
        let descriptor = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .column(leaf);
        Ok(get_column_reader(descriptor, Box::new(Checked(pages))))
    })
}

/// Page reader that rejects pages that declare more values than they can hold.
struct Checked(Box<dyn PageReader>);

impl Checked {
    fn check(page: Page) -> Result<Page, ParquetError> {
        let most = match &page {
            // Every value of a dictionary takes at least one byte.
            Page::DictionaryPage { buf, .. } => buf.len(),
            Page::DataPage { .. } | Page::DataPageV2 { .. } => MOST_LEVELS,
        };
        match page.num_values() as usize <= most {
            true => Ok(page),
            false => Err(ParquetError::General(format!(
                "a page declares {} values, more than it can hold",
                page.num_values()
            ))),
        }
    }
}

impl Iterator for Checked {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        self.0.get_next_page()?.map(Self::check).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.0.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.0.at_record_boundary()
    }
}

/// Runs `decode` and converts a panic into an error.
///
/// The decoder panics on some corrupt pages, such as one that refers to a missing dictionary. After
/// an error, do not use the reader again.
pub fn decoded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("a page cannot be decoded".into())))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::basic::Encoding;

    use super::*;

    #[test]
    fn a_page_that_declares_more_values_than_it_can_hold_is_rejected() {
        let dictionary = |num_values| {
            let buf = Bytes::from_static(&[1, 0, 0, 0, b'a', 1, 0, 0, 0, b'b']);
            Checked::check(Page::DictionaryPage {
                buf,
                num_values,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            })
        };
        assert!(dictionary(2).is_ok());
        let error = dictionary(u32::MAX).unwrap_err().to_string();
        assert!(
            error.contains("a page declares 4294967295 values"),
            "{error}"
        );
    }

    #[test]
    fn the_end_of_a_file_is_an_error() {
        let file = Ending(Bytes::from_static(b"abc"));
        let mut reader = file.get_read(1).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 2);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        assert_eq!(
            reader.read(&mut buffer).unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
    }
}
