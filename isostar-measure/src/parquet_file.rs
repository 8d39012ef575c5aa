//! Protection against corrupt Parquet files: the parquet crate panics on some of them, and
//! allocates as much memory as others declare.

use std::io::{self, ErrorKind, Read};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use ruzstd::decoding::StreamingDecoder;

/// Open Parquet file.
pub struct ParquetReader<R> {
    file: Arc<Ending<R>>,
    metadata: ParquetMetaData,
}

impl<R> ParquetReader<R> {
    /// The metadata of the file.
    pub fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// Opens a Parquet file and checks that its columns lie within the file.
///
/// # Errors
/// If it is not a complete Parquet file.
pub fn open<R: ChunkReader + 'static>(file: R) -> Result<ParquetReader<R>, ParquetError> {
    let length = file.len();
    let file = Arc::new(Ending(file));
    let metadata = decoded(|| ParquetMetaDataReader::new().parse_and_finish(&*file))?;
    let columns = metadata
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
        true => Ok(ParquetReader { file, metadata }),
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
        let group = reader.metadata.row_group(group);
        let chunk = group.column(leaf);
        let rows = usize::try_from(group.num_rows())?;
        let pages: Box<dyn PageReader> = match chunk.compression() {
            Compression::ZSTD(_) => {
                let stored = chunk
                    .clone()
                    .into_builder()
                    .set_compression(Compression::UNCOMPRESSED)
                    .build()?;
                Box::new(Pages {
                    stored: SerializedPageReader::new(reader.file.clone(), &stored, rows, None)?,
                    open: unpack,
                })
            }
            _ => Box::new(Pages {
                stored: SerializedPageReader::new(reader.file.clone(), chunk, rows, None)?,
                open: Ok,
            }),
        };
        let descriptor = reader.metadata.file_metadata().schema_descr().column(leaf);
        Ok(get_column_reader(descriptor, pages))
    })
}

/// Decompresses a page.
///
/// zstd's pages are read as they are stored, and decompressed here: the parquet crate knows only
/// zstd in C, which takes a C compiler and a minute of its time.
fn unpack(mut page: Page) -> Result<Page, ParquetError> {
    match &mut page {
        Page::DictionaryPage { buf, .. } | Page::DataPage { buf, .. } => *buf = decompress(buf, 0)?,
        Page::DataPageV2 {
            buf,
            def_levels_byte_len,
            rep_levels_byte_len,
            is_compressed,
            ..
        } => {
            // The levels come first, and are not compressed.
            if *is_compressed {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                *buf = decompress(buf, levels)?;
            }
            *is_compressed = false;
        }
    }
    Ok(page)
}

/// The most bytes that a page may hold.
const MOST_BYTES: u64 = i32::MAX as u64;

/// Returns the bytes with those after `start` decompressed: frames of zstd, or nothing.
fn decompress(bytes: &Bytes, start: usize) -> Result<Bytes, ParquetError> {
    let refused =
        |reason: String| ParquetError::General(format!("a page is not zstd data: {reason}"));
    let (plain, mut packed) = bytes
        .split_at_checked(start)
        .ok_or_else(|| refused("it is too short".into()))?;
    let mut unpacked = plain.to_vec();
    while !packed.is_empty() {
        let frame =
            StreamingDecoder::new(&mut packed).map_err(|error| refused(error.to_string()))?;
        let left = (MOST_BYTES + 1).saturating_sub(unpacked.len() as u64);
        frame
            .take(left)
            .read_to_end(&mut unpacked)
            .map_err(|error| refused(error.to_string()))?;
        if unpacked.len() as u64 > MOST_BYTES {
            return Err(refused("it is larger than a page may be".into()));
        }
    }
    Ok(unpacked.into())
}

/// Page reader that decompresses pages, and rejects those that declare more values than they can
/// hold.
struct Pages<P> {
    stored: P,
    open: fn(Page) -> Result<Page, ParquetError>,
}

impl<P: PageReader> Pages<P> {
    fn read(&self, page: Page) -> Result<Page, ParquetError> {
        check((self.open)(page)?)
    }
}

/// Rejects a page that declares more values than it can hold.
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

impl<P: PageReader> Iterator for Pages<P> {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P: PageReader> PageReader for Pages<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        self.stored
            .get_next_page()?
            .map(|page| self.read(page))
            .transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.stored.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.stored.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.stored.at_record_boundary()
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
            check(Page::DictionaryPage {
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
