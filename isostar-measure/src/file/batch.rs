//! A batch of rows of a Parquet column.

use parquet::basic::Repetition;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use crate::parquet_file;

/// The definition levels of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// The definition level of a number that is not null.
    present: i16,
    /// The lowest definition level of a list element. If elements are nullable, it is that of a
    /// null.
    element: i16,
}

impl Levels {
    /// Returns the levels of a column.
    pub fn of(column: &ColumnDescriptor) -> Self {
        let present = column.max_def_level();
        let may_be_null = column.max_rep_level() > 0
            && column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
        Self {
            present,
            element: present - i16::from(may_be_null),
        }
    }
}

/// A batch of rows of a column of lists or of single numbers.
pub(super) struct Batch {
    pub rows: usize,
    /// One level per number, and one per row without numbers; empty if nothing is nullable.
    definitions: Vec<i16>,
    /// 0 at the start of each row; empty for single numbers.
    repetitions: Vec<i16>,
    /// The numbers that are not null.
    pub bytes: Vec<u8>,
}

/// An invalid row, with its index in the batch.
pub(super) enum Fault {
    Null { row: usize },
    NullElement { row: usize, element: usize },
    Width { row: usize, found: usize },
}

impl Batch {
    /// Reads the next rows.
    pub fn read(column: &mut ColumnReader, rows: usize) -> Result<Self, ParquetError> {
        parquet_file::decoded(|| Self::read_any(column, rows))
    }

    fn read_any(column: &mut ColumnReader, rows: usize) -> Result<Self, ParquetError> {
        match column {
            ColumnReader::BoolColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| bytes.push((*value).into()))
            }
            ColumnReader::Int32ColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| {
                    bytes.extend(value.to_le_bytes())
                })
            }
            ColumnReader::Int64ColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| {
                    bytes.extend(value.to_le_bytes())
                })
            }
            ColumnReader::FloatColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| {
                    bytes.extend(value.to_le_bytes())
                })
            }
            ColumnReader::DoubleColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| {
                    bytes.extend(value.to_le_bytes())
                })
            }
            ColumnReader::FixedLenByteArrayColumnReader(column) => {
                Self::read_as(column, rows, |value, bytes| {
                    bytes.extend_from_slice(value.data())
                })
            }
            _ => Err(ParquetError::General(
                "the type of the column differs from its schema".into(),
            )),
        }
    }

    fn read_as<T: DataType>(
        column: &mut ColumnReaderImpl<T>,
        rows: usize,
        encode: impl Fn(&T::T, &mut Vec<u8>),
    ) -> Result<Self, ParquetError> {
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (rows, ..) = column.read_records(
            rows,
            Some(&mut definitions),
            Some(&mut repetitions),
            &mut values,
        )?;
        let mut bytes = Vec::with_capacity(values.len() * size_of::<T::T>());
        for value in &values {
            encode(value, &mut bytes);
        }
        Ok(Self {
            rows,
            definitions,
            repetitions,
            bytes,
        })
    }

    /// Returns the length of the list in the only row; 0 if it is null or empty.
    pub fn first_width(&self, levels: &Levels) -> usize {
        match self.definitions.first() {
            Some(level) if *level >= levels.element => self.definitions.len(),
            _ => 0,
        }
    }

    /// Checks that every row holds `width` numbers and no null.
    pub fn check(&self, width: usize, levels: &Levels) -> Result<(), Fault> {
        let is_null = |level: &i16| *level != levels.present;
        if self.repetitions.is_empty() {
            return match self.definitions.iter().position(is_null) {
                Some(row) => Err(Fault::Null { row }),
                None => Ok(()),
            };
        }
        let mut starts = self
            .repetitions
            .iter()
            .enumerate()
            .filter(|(_, level)| **level == 0)
            .map(|(at, _)| at)
            .peekable();
        let mut row = 0;
        while let Some(start) = starts.next() {
            let end = starts.peek().copied().unwrap_or(self.repetitions.len());
            let definitions = &self.definitions[start..end];
            match definitions.iter().position(is_null) {
                Some(_) if definitions[0] < levels.element => return Err(Fault::Null { row }),
                Some(element) => return Err(Fault::NullElement { row, element }),
                None if end - start != width => {
                    return Err(Fault::Width {
                        row,
                        found: end - start,
                    });
                }
                None => row += 1,
            }
        }
        Ok(())
    }
}
