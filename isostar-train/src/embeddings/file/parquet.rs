//! Points in Parquet files: columns of lists of floating-point numbers, a point a row.
//!
//! Lists of fixed size are stored as any others. The column is decoded once, a batch of rows at a time, into a temporary file of plain
//! numbers, which gives passes and samples the random access that Parquet's pages do not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::schema::types::ColumnDescriptor;

use super::element::Element;
use super::mapped::Mapped;
use super::tensor::{Storage, StoredTensor};
use super::{FormatError, Place};
use crate::parquet_file::{self, ParquetReader};

/// What every Parquet file begins and ends with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Numbers decoded at a time: 4 MB of f32, and as much again for the levels.
const BATCH_NUMBERS: usize = 1 << 20;

/// A column of lists.
#[derive(Clone, Debug)]
pub(super) struct Column {
    file: Arc<Mapped>,
    index: usize,
    /// The definition level of a number that is there.
    present: i16,
    /// How many numbers the first row holds, 0 if one of them is null.
    pub width: usize,
}

/// The columns of a file. Only those of lists are tensors that hold points; the others are there to be named.
pub(super) fn tensors(path: &Path, file: &Arc<Mapped>) -> Result<Vec<StoredTensor>, FormatError> {
    let refused = |source| FormatError::Parquet { path: path.into(), source };
    let reader = open(file).map_err(refused)?;
    let metadata = reader.metadata();
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let tensor = |(index, column): (usize, &Arc<ColumnDescriptor>)| {
        let element = if column.max_rep_level() <= 1 { element(column) } else { None };
        let mut storage = Column { file: file.clone(), index, present: column.max_def_level(), width: 0 };
        let mut shape = vec![rows];
        if column.max_rep_level() == 1 {
            if element.is_some() {
                storage.width = storage.first_width(&reader).map_err(refused)?;
            }
            shape.push(storage.width);
        }
        let element_name = column.logical_type_ref().map_or(column.physical_type().to_string(), |logical| format!("{logical:?}"));
        let storage = Storage::Column(storage);
        Ok(StoredTensor { name: Some(name(column)), element, element_name, shape, fortran_order: false, storage })
    };
    metadata.file_metadata().schema_descr().columns().iter().enumerate().map(tensor).collect()
}

fn open(file: &Arc<Mapped>) -> Result<ParquetReader<Bytes>, ParquetError> {
    struct Owner(Arc<Mapped>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.bytes()
        }
    }
    parquet_file::open(Bytes::from_owner(Owner(file.clone())))
}

/// The column's name in the table, without the two levels below it of which Parquet makes lists.
fn name(column: &ColumnDescriptor) -> String {
    let parts = column.path().parts();
    let own = if column.max_rep_level() == 0 { parts.len() } else { parts.len().saturating_sub(2).max(1) };
    parts[..own].join(".")
}

fn element(column: &ColumnDescriptor) -> Option<Element> {
    let description = match (column.physical_type(), column.logical_type_ref()) {
        (Type::FLOAT, _) => "<f4",
        (Type::DOUBLE, _) => "<f8",
        (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) if column.type_length() == 2 => "<f2",
        _ => return None,
    };
    Element::of_npy(description)
}

impl Column {
    fn first_width(&self, reader: &ParquetReader<Bytes>) -> Result<usize, ParquetError> {
        let groups = reader.metadata().row_groups();
        let Some(first) = groups.iter().position(|group| group.num_rows() > 0) else { return Ok(0) };
        let batch = Batch::read(&mut parquet_file::column(reader, first, self.index)?, 1)?;
        let whole = batch.definitions.iter().all(|level| *level == self.present);
        Ok(if whole { batch.definitions.len() } else { 0 })
    }

    /// Writes the numbers of all rows; `progress` is told of bytes done.
    ///
    /// # Errors
    /// If a row is not as wide as the first or holds a null, the file is corrupt, or the numbers cannot be written.
    pub fn unpack(&self, place: &Place, to: &mut File, progress: &dyn Fn(usize)) -> Result<(), FormatError> {
        let refused = |source| FormatError::Parquet { path: place.path.clone(), source };
        let temporary = |source| FormatError::Temporary { place: place.clone(), source };
        let reader = open(&self.file).map_err(refused)?;
        let mut to = BufWriter::new(to);
        let mut done = 0;
        for group in 0..reader.num_row_groups() {
            let mut column = parquet_file::column(&reader, group, self.index).map_err(refused)?;
            loop {
                let batch = Batch::read(&mut column, (BATCH_NUMBERS / self.width).max(1)).map_err(refused)?;
                if batch.rows == 0 {
                    break;
                }
                batch.check(self.width, self.present).map_err(|fault| match fault {
                    Fault::Null { row } => FormatError::Null { place: place.clone(), row: done + row },
                    Fault::Width { row, found } => {
                        FormatError::RowWidth { place: place.clone(), row: done + row, expected: self.width, found }
                    }
                })?;
                to.write_all(&batch.bytes).map_err(temporary)?;
                done += batch.rows;
                progress(batch.bytes.len());
                self.file.release();
            }
        }
        let declared = reader.metadata().file_metadata().num_rows();
        if done as i64 != declared {
            return Err(FormatError::Rows { place: place.clone(), declared, found: done });
        }
        to.flush().map_err(temporary)
    }
}

/// A few rows of a column of lists.
struct Batch {
    rows: usize,
    /// A level for each number, and for each row without any.
    definitions: Vec<i16>,
    /// 0 where a row begins.
    repetitions: Vec<i16>,
    /// The numbers that are not null.
    bytes: Vec<u8>,
}

/// What is wrong with a row, counted from the first of its batch.
enum Fault {
    Null { row: usize },
    Width { row: usize, found: usize },
}

impl Batch {
    /// The next rows.
    fn read(column: &mut ColumnReader, rows: usize) -> Result<Self, ParquetError> {
        parquet_file::decoded(|| Self::read_any(column, rows))
    }

    fn read_any(column: &mut ColumnReader, rows: usize) -> Result<Self, ParquetError> {
        match column {
            ColumnReader::FloatColumnReader(column) => Self::read_as(column, rows, |value, bytes| bytes.extend(value.to_le_bytes())),
            ColumnReader::DoubleColumnReader(column) => Self::read_as(column, rows, |value, bytes| bytes.extend(value.to_le_bytes())),
            ColumnReader::FixedLenByteArrayColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| bytes.extend_from_slice(value.data()))
            }
            _ => Err(ParquetError::General("a column of another type than its schema says".into())),
        }
    }

    fn read_as<T: DataType>(
        column: &mut ColumnReaderImpl<T>,
        rows: usize,
        encode: impl Fn(&T::T, &mut Vec<u8>),
    ) -> Result<Self, ParquetError> {
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (rows, ..) = column.read_records(rows, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
        let mut bytes = Vec::with_capacity(values.len() * size_of::<T::T>());
        for value in &values {
            encode(value, &mut bytes);
        }
        Ok(Self { rows, definitions, repetitions, bytes })
    }

    /// That every row holds `width` numbers and no null.
    fn check(&self, width: usize, present: i16) -> Result<(), Fault> {
        let mut starts = self.repetitions.iter().enumerate().filter(|(_, level)| **level == 0).map(|(at, _)| at).peekable();
        let mut row = 0;
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(self.repetitions.len());
            if self.definitions[start..end].iter().any(|level| *level != present) {
                return Err(Fault::Null { row });
            }
            if end - start != width {
                return Err(Fault::Width { row, found: end - start });
            }
            row += 1;
        }
        Ok(())
    }
}
