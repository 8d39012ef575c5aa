//! Columns of a Parquet file that are decoded into one array.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;

use super::batch::{Batch, Fault, Levels};
use super::error::FormatError;
use super::mapped::Mapped;
use crate::Location;
use crate::element::Element;
use crate::parquet_file::{self, ParquetReader};

/// The number of numbers decoded at a time: 4 MB of f32, and as much again for the levels.
const BATCH_NUMBERS: usize = 1 << 20;

/// Columns that are decoded one after the other into one array.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub file: Arc<Mapped>,
    /// One column of lists, or any number of columns of single numbers.
    pub leaves: Vec<Leaf>,
    /// The element type of the array.
    pub element: Option<Element>,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub index: usize,
    pub name: String,
    pub element: Option<Element>,
    pub levels: Levels,
    /// The number of numbers per row: 1, or the length of the list in the first row, 0 if it has
    /// none.
    pub width: usize,
}

/// Opens the mapped file.
pub(super) fn open(file: &Arc<Mapped>) -> Result<ParquetReader<Bytes>, ParquetError> {
    struct Owner(Arc<Mapped>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.bytes()
        }
    }
    parquet_file::open(Bytes::from_owner(Owner(file.clone())))
}

impl Leaf {
    /// The length of the list in the first row; 0 if there is none.
    pub fn first_width(&self, reader: &ParquetReader<Bytes>) -> Result<usize, ParquetError> {
        let groups = reader.metadata().row_groups();
        let Some(first) = groups.iter().position(|group| group.num_rows() > 0) else {
            return Ok(0);
        };
        Ok(
            Batch::read(&mut parquet_file::column(reader, first, self.index)?, 1)?
                .first_width(&self.levels),
        )
    }

    /// Passes the numbers of all rows to `take`, batch by batch.
    fn read(
        &self,
        path: &Path,
        file: &Mapped,
        reader: &ParquetReader<Bytes>,
        mut take: impl FnMut(Vec<u8>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let refused = |source| FormatError::Parquet {
            path: path.into(),
            source,
        };
        let place = || Location {
            path: path.into(),
            tensor: Some(self.name.clone()),
        };
        let mut done = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let mut column = parquet_file::column(reader, group, self.index).map_err(refused)?;
            loop {
                let batch = Batch::read(&mut column, (BATCH_NUMBERS / self.width.max(1)).max(1))
                    .map_err(refused)?;
                if batch.rows == 0 {
                    break;
                }
                batch
                    .check(self.width, &self.levels)
                    .map_err(|fault| match fault {
                        Fault::Null { row } => FormatError::Null {
                            place: place(),
                            row: done + row,
                        },
                        Fault::NullElement { row, element } => FormatError::NullElement {
                            place: place(),
                            row: done + row,
                            element,
                        },
                        Fault::Width { row, found } => FormatError::RowWidth {
                            place: place(),
                            row: done + row,
                            expected: self.width,
                            found,
                        },
                    })?;
                done += batch.rows;
                take(batch.bytes)?;
                file.release();
            }
        }
        let declared = reader.metadata().file_metadata().num_rows();
        match done as i64 == declared {
            true => Ok(()),
            false => Err(FormatError::Rows {
                place: place(),
                declared,
                found: done,
            }),
        }
    }
}

impl Columns {
    /// Writes the numbers of all rows. `progress` receives the number of bytes done.
    ///
    /// # Errors
    /// If a row differs in length from the first or holds a null, the file is corrupt, or the
    /// numbers cannot be written.
    pub fn unpack(
        &self,
        place: &Location,
        to: &mut File,
        progress: &dyn Fn(usize),
    ) -> Result<(), FormatError> {
        let temporary = |source| FormatError::Temporary {
            place: place.clone(),
            source,
        };
        let reader = open(&self.file).map_err(|source| FormatError::Parquet {
            path: place.path.clone(),
            source,
        })?;
        let mut to = BufWriter::new(to);
        for leaf in &self.leaves {
            leaf.read(&place.path, &self.file, &reader, |bytes| {
                let bytes = match leaf.element {
                    Some(narrow) if leaf.element != self.element => widened(narrow, &bytes),
                    _ => bytes,
                };
                to.write_all(&bytes).map_err(temporary)?;
                progress(bytes.len());
                Ok(())
            })?;
        }
        to.flush().map_err(temporary)
    }
}

/// Converts numbers to f64.
fn widened(element: Element, bytes: &[u8]) -> Vec<u8> {
    let mut values = vec![0.0_f64; bytes.len() / element.size()];
    element.decode(bytes, &mut values);
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}
