//! Reading Parquet files as served by the hub: columns of text, of class indices or numbers and,
//! for SQuAD, of lists of answers.
//!
//! A file is read in chunks of rows, column by column; only the values that become rows stay in
//! memory.

mod column;
mod questions;
mod rows;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use parquet::basic::ConvertedType;
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};

use super::DataError;
use column::{Cells, Column, Expected};
use isostar_measure::FileError;
use isostar_measure::parquet_file::{self, ParquetReader, decoded, open};
pub(super) use questions::add_questions;
pub(super) use rows::read_rows;

/// Number of rows decoded at a time.
const ROWS_AT_ONCE: usize = 1024;

/// Parquet file as a table of named columns.
struct Table<'a> {
    path: &'a Path,
    reader: ParquetReader<File>,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| FileError::reading(path, error))?;
        let mut start = Vec::new();
        (&file)
            .take(64)
            .read_to_end(&mut start)
            .map_err(|error| FileError::reading(path, error))?;
        FileError::refuse_pointer(path, &start)?;
        let reader = open(file).map_err(|error| DataError::NotParquet {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Ok(Self { path, reader })
    }

    fn fields(&self) -> &[TypePtr] {
        self.reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .root_schema()
            .get_fields()
    }

    /// Names of the columns.
    fn header(&self) -> Vec<String> {
        self.fields()
            .iter()
            .map(|field| field.name().to_string())
            .collect()
    }

    /// Column at a position of the header, with one value per row.
    fn column(&self, position: usize, expected: Expected) -> Result<Column, DataError> {
        let field = &self.fields()[position];
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let leaf =
            (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == position);
        match leaf
            .filter(|_| field.is_primitive())
            .map(|leaf| (leaf, schema.column(leaf)))
        {
            Some((leaf, descriptor)) if descriptor.max_rep_level() == 0 => {
                Column::new(leaf, &descriptor, field.name(), expected, self.path)
            }
            _ => Err(self.type_error(field.name(), expected, kind_of_group(field))),
        }
    }

    /// Column of lists `outer.inner`, stored as a struct of lists or as a list of structs.
    fn list(&self, outer: &str, inner: &str, expected: Expected) -> Result<Column, DataError> {
        let name = format!("{outer}.{inner}");
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let is_asked_for = |leaf: &usize| {
            let column = schema.column(*leaf);
            let parts = column.path().parts();
            parts[0] == outer && parts[1..].iter().any(|part| part == inner)
        };
        let Some(leaf) = (0..schema.num_columns()).find(is_asked_for) else {
            return Err(DataError::NoSuchColumn {
                path: self.path.into(),
                name,
                columns: self.header(),
            });
        };
        let descriptor = schema.column(leaf);
        match descriptor.max_rep_level() {
            1 => Column::new(leaf, &descriptor, &name, expected, self.path),
            0 => Err(self.type_error(&name, expected, "one value per row")),
            _ => Err(self.type_error(&name, expected, "lists of lists")),
        }
    }

    fn type_error(&self, column: &str, expected: Expected, found: &str) -> DataError {
        DataError::ColumnType {
            path: self.path.into(),
            column: column.into(),
            expected: expected.name(),
            found: found.into(),
        }
    }

    /// Passes the cells of the columns to `take`, one chunk of rows at a time, with the number of
    /// preceding rows.
    fn read(
        &self,
        columns: &[Column],
        mut take: impl FnMut(usize, Vec<Cells>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut row = 0;
        for group in 0..self.reader.metadata().num_row_groups() {
            let refused =
                |column: &Column, row: usize, error: ParquetError| DataError::Undecodable {
                    path: self.path.into(),
                    line: row + 1,
                    column: column.name.clone(),
                    reason: error.to_string(),
                };
            let reader = |column: &Column| {
                parquet_file::column(&self.reader, group, column.leaf)
                    .map_err(|error| refused(column, row, error))
            };
            let mut readers = columns.iter().map(reader).collect::<Result<Vec<_>, _>>()?;
            loop {
                let next = columns.iter().zip(&mut readers).map(|(column, reader)| {
                    decoded(|| column.next(reader, ROWS_AT_ONCE))
                        .map_err(|error| refused(column, row, error))
                });
                let cells = next.collect::<Result<Vec<Cells>, _>>()?;
                let rows = cells[0].rows();
                if let Some((column, _)) = columns
                    .iter()
                    .zip(&cells)
                    .find(|(_, cells)| cells.rows() != rows)
                {
                    let other = ParquetError::General(format!(
                        "its number of rows differs from that of {:?}",
                        columns[0].name
                    ));
                    return Err(refused(column, row, other));
                }
                if rows == 0 {
                    break;
                }
                take(row, cells)?;
                row += rows;
            }
        }
        let declared = self.reader.metadata().file_metadata().num_rows();
        match row {
            _ if row as i64 != declared => {
                let reason = format!("it declares {declared} rows but contains {row}");
                Err(DataError::NotParquet {
                    path: self.path.into(),
                    reason,
                })
            }
            0 => Err(DataError::NoRows {
                path: self.path.into(),
            }),
            _ => Ok(()),
        }
    }
}

fn kind_of_group(field: &Type) -> &'static str {
    match field.get_basic_info().converted_type() {
        _ if field.is_primitive() => "a list",
        ConvertedType::LIST => "a list",
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => "a map",
        _ => "a struct",
    }
}
