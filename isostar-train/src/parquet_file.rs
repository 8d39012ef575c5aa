//! What every reader of Parquet files needs against corrupt ones: the parquet crate panics on some of them.

use std::panic::{self, AssertUnwindSafe};

use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

/// Opens a file whose columns lie within it.
///
/// # Errors
/// If it is not a complete Parquet file.
pub(crate) fn open<R: ChunkReader + 'static>(file: R) -> Result<SerializedFileReader<R>, ParquetError> {
    let length = file.len();
    let reader = decoded(|| SerializedFileReader::new(file))?;
    let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    // The reader takes this for granted, and panics where it is not so.
    let within = |column: &ColumnChunkMetaData| {
        let start = u64::try_from(column.dictionary_page_offset().unwrap_or(column.data_page_offset())).ok()?;
        start.checked_add(u64::try_from(column.compressed_size()).ok()?).filter(|end| *end <= length)
    };
    match columns.map(within).all(|end| end.is_some()) {
        true => Ok(reader),
        false => Err(ParquetError::General("a column lies outside of the file".into())),
    }
}

/// What `decode` returns. The decoder panics on some corrupt pages, such as one that refers to a dictionary that is not there; here that is an error,
/// after which what it was reading must not be read again.
pub(crate) fn decoded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("a page that cannot be decoded".into())))
}
