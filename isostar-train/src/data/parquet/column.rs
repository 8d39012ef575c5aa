//! One column of a Parquet file, with values converted to the text they would have in a CSV file.

use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use super::super::DataError;

/// Required content of a column.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Expected {
    Text,
    Label,
    Integers,
}

/// Supported type of a column.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Boolean,
    Signed,
    Unsigned,
    Float,
}

/// Column to read.
pub(super) struct Column {
    pub name: String,
    /// Position among the leaf columns.
    pub leaf: usize,
    /// Whether integers are unsigned.
    is_unsigned: bool,
    /// Definition level of a value that is present.
    present: i16,
    /// Minimum definition level of an element of a list; 0 if the column has no lists.
    listed: i16,
}

/// Value of a row, or of one element of its list.
#[derive(Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    NotUtf8,
    Null,
    /// Placeholder for an empty list.
    EmptyList,
}

/// Values of a chunk of rows.
pub(super) struct Cells {
    cells: Vec<Cell>,
    /// Repetition levels: 0 where the list of a row begins. Empty if the column has no lists.
    repetitions: Vec<i16>,
}

impl Expected {
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Label => "text, numbers or booleans",
            Self::Integers => "integers",
        }
    }

    fn takes(self, kind: Kind) -> bool {
        match self {
            Self::Text => kind == Kind::Text,
            Self::Label => true,
            Self::Integers => matches!(kind, Kind::Signed | Kind::Unsigned),
        }
    }
}

impl Kind {
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        use ConvertedType::{
            ENUM, INT_8, INT_16, INT_32, INT_64, JSON, NONE, UINT_8, UINT_16, UINT_32, UINT_64,
            UTF8,
        };
        match (
            column.physical_type(),
            column.converted_type(),
            column.logical_type_ref(),
        ) {
            (Type::BYTE_ARRAY, NONE, None) | (Type::BYTE_ARRAY, UTF8 | ENUM | JSON, _) => {
                Some(Self::Text)
            }
            (Type::BOOLEAN, ..) => Some(Self::Boolean),
            (Type::INT32 | Type::INT64, NONE, None) => Some(Self::Signed),
            (Type::INT32 | Type::INT64, INT_8 | INT_16 | INT_32 | INT_64, _) => Some(Self::Signed),
            (Type::INT32 | Type::INT64, UINT_8 | UINT_16 | UINT_32 | UINT_64, _) => {
                Some(Self::Unsigned)
            }
            (Type::FLOAT | Type::DOUBLE, ..) => Some(Self::Float),
            _ => None,
        }
    }
}

impl Column {
    /// Leaf column `leaf`, named `name` in errors.
    ///
    /// # Errors
    /// [`DataError::ColumnType`] if its type is not the expected one.
    pub fn new(
        leaf: usize,
        column: &ColumnDescriptor,
        name: &str,
        expected: Expected,
        path: &Path,
    ) -> Result<Self, DataError> {
        let kind = Kind::of(column)
            .filter(|kind| expected.takes(*kind))
            .ok_or_else(|| {
                let physical = column.physical_type().to_string();
                let found = match column.logical_type_ref() {
                    Some(LogicalType::String) => "text".into(),
                    Some(logical) => format!("{physical} {logical:?}"),
                    None => physical,
                };
                DataError::ColumnType {
                    path: path.into(),
                    column: name.into(),
                    expected: expected.name(),
                    found,
                }
            })?;
        let (present, listed) = (column.max_def_level(), column.repeated_ancestor_def_level());
        Ok(Self {
            name: name.into(),
            leaf,
            is_unsigned: kind == Kind::Unsigned,
            present,
            listed,
        })
    }

    /// Reads the cells of the next `rows` rows, or fewer at the end of the row group.
    pub fn next(&self, reader: &mut ColumnReader, rows: usize) -> Result<Cells, ParquetError> {
        let unsigned = self.is_unsigned;
        match reader {
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.decode(reader, rows, |value| match str::from_utf8(value.data()) {
                    Ok(text) => Cell::Text(text.into()),
                    Err(_) => Cell::NotUtf8,
                })
            }
            ColumnReader::BoolColumnReader(reader) => {
                self.decode(reader, rows, |value| Cell::Text(value.to_string()))
            }
            ColumnReader::Int32ColumnReader(reader) => self.decode(reader, rows, |value| {
                Cell::Text(if unsigned {
                    value.cast_unsigned().to_string()
                } else {
                    value.to_string()
                })
            }),
            ColumnReader::Int64ColumnReader(reader) => self.decode(reader, rows, |value| {
                Cell::Text(if unsigned {
                    value.cast_unsigned().to_string()
                } else {
                    value.to_string()
                })
            }),
            // In JSON's notation: 1.0, not 1.
            ColumnReader::FloatColumnReader(reader) => {
                self.decode(reader, rows, |value| Cell::Text(format!("{value:?}")))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.decode(reader, rows, |value| Cell::Text(format!("{value:?}")))
            }
            _ => Err(ParquetError::General(
                "its type differs from that in the schema".into(),
            )),
        }
    }

    fn decode<T: DataType>(
        &self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        text: impl Fn(&T::T) -> Cell,
    ) -> Result<Cells, ParquetError> {
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        reader.read_records(
            rows,
            Some(&mut definitions),
            Some(&mut repetitions),
            &mut values,
        )?;
        if self.present == 0 {
            definitions = vec![0; values.len()];
        }
        let mut values = values.iter();
        let cell = |level: i16| match level {
            level if level == self.present => values.next().map(&text),
            level if level < self.listed => Some(Cell::EmptyList),
            _ => Some(Cell::Null),
        };
        let cells: Option<Vec<Cell>> = definitions.into_iter().map(cell).collect();
        let cells = cells.ok_or_else(|| {
            ParquetError::General("it contains fewer values than it declares".into())
        })?;
        let (is_list, begins) = (
            self.listed > 0,
            repetitions.first().is_none_or(|level| *level == 0),
        );
        match begins && (!is_list || repetitions.len() == cells.len()) {
            true => Ok(Cells { cells, repetitions }),
            false => Err(ParquetError::General(
                "its lists do not match its rows".into(),
            )),
        }
    }
}

impl Cell {
    /// Text of a cell in the row `line`.
    ///
    /// # Errors
    /// [`DataError::BadValue`] if the cell has no text.
    pub fn text(self, column: &Column, line: usize, path: &Path) -> Result<String, DataError> {
        let found = match self {
            Self::Text(text) => return Ok(text),
            Self::NotUtf8 => "not UTF-8 text",
            Self::Null => "null",
            Self::EmptyList => "an empty list",
        };
        Err(DataError::BadValue {
            path: path.into(),
            line,
            column: column.name.clone(),
            found,
        })
    }
}

impl Cells {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        if self.repetitions.is_empty() {
            self.cells.len()
        } else {
            self.repetitions.iter().filter(|level| **level == 0).count()
        }
    }

    /// One cell per row, for a column without lists.
    pub fn of_rows(self) -> std::vec::IntoIter<Cell> {
        self.cells.into_iter()
    }

    /// Cells of each row's list.
    pub fn lists(self) -> std::vec::IntoIter<Vec<Cell>> {
        let mut lists: Vec<Vec<Cell>> = Vec::new();
        for (cell, level) in self.cells.into_iter().zip(self.repetitions) {
            if level == 0 {
                lists.push(Vec::new());
            }
            if cell != Cell::EmptyList {
                lists
                    .last_mut()
                    .expect("the first cell begins a row")
                    .push(cell);
            }
        }
        lists.into_iter()
    }
}
