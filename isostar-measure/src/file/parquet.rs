//! Points in Parquet files: a column of lists of numbers with one point per row, or a column of
//! single numbers per dimension.
//!
//! Lists of fixed size are stored like any others. Columns are decoded once, one batch of rows at a
//! time, into a temporary file of plain numbers. The file provides random access for passes and
//! samples, which Parquet's pages do not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::schema::types::ColumnDescriptor;

use super::batch::{Batch, Fault, Levels};
use super::element::Element;
use super::mapped::Mapped;
use super::tensor::{Storage, StoredTensor};
use super::{FormatError, Location};
use crate::parquet_file::{self, ParquetReader};

/// The first and last bytes of every Parquet file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// The number of numbers decoded at a time: 4 MB of f32, and as much again for the levels.
const BATCH_NUMBERS: usize = 1 << 20;

/// Columns that are decoded one after the other into one array.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    file: Arc<Mapped>,
    /// One column of lists, or any number of columns of single numbers.
    leaves: Vec<Leaf>,
    /// The element type of the array.
    element: Option<Element>,
}

/// A column.
#[derive(Clone, Debug)]
struct Leaf {
    index: usize,
    name: String,
    element: Option<Element>,
    levels: Levels,
    /// The number of numbers per row: 1, or the length of the list in the first row, 0 if it has
    /// none.
    width: usize,
}

/// Returns the columns of a file, including text columns, so that they can be named. A column of
/// lists is a two-dimensional tensor.
pub(super) fn tensors(path: &Path, file: &Arc<Mapped>) -> Result<Vec<StoredTensor>, FormatError> {
    let refused = |source| FormatError::Parquet { path: path.into(), source };
    let reader = open(file).map_err(refused)?;
    let metadata = reader.metadata();
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let tensor = |(index, column): (usize, &Arc<ColumnDescriptor>)| {
        let depth = column.max_rep_level();
        let element = if depth <= 1 { element(column) } else { None };
        let mut leaf = Leaf { index, name: name(column), element, levels: Levels::of(column), width: 1 };
        let mut shape = vec![rows];
        if depth == 1 && element.is_some() {
            leaf.width = leaf.first_width(&reader).map_err(refused)?;
            shape.push(leaf.width);
        }
        let name = Some(leaf.name.clone());
        let element_name = format!("{}{}", "lists of ".repeat(depth.try_into().unwrap_or(0)), type_name(column));
        let storage = Storage::Columns(Columns { file: file.clone(), leaves: vec![leaf], element });
        Ok(StoredTensor { name, element, element_name, shape, fortran_order: false, storage })
    };
    metadata.file_metadata().schema_descr().columns().iter().enumerate().map(tensor).collect()
}

/// Combines columns of single numbers into points, with one dimension per column.
pub(super) fn matrix(dimensions: &[&StoredTensor]) -> Option<StoredTensor> {
    let columns = dimensions.iter().filter_map(|tensor| match &tensor.storage {
        Storage::Columns(columns) => Some(columns),
        _ => None,
    });
    let columns: Vec<&Columns> = columns.collect();
    let (first, others) = columns.split_first()?;
    // f64 represents every floating-point type.
    let element = match others.iter().all(|column| column.element == first.element) {
        true => first.element,
        false => Some(Element::F64),
    };
    let leaves = columns.iter().flat_map(|columns| columns.leaves.clone()).collect();
    Some(StoredTensor {
        name: None,
        element,
        element_name: String::new(),
        shape: vec![dimensions[0].shape[0], dimensions.len()],
        // Column by column, so that the pages of each column are read once.
        fortran_order: true,
        storage: Storage::Columns(Columns { file: first.file.clone(), leaves, element }),
    })
}

/// Whether a column is one of the dimensions of `matrix`.
pub(super) fn is_part(column: &StoredTensor, matrix: &StoredTensor) -> bool {
    match (&column.storage, &matrix.storage) {
        (Storage::Columns(column), Storage::Columns(matrix)) => matrix.leaves.iter().any(|leaf| leaf.index == column.leaves[0].index),
        _ => false,
    }
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

/// The name of the column in the table, without the two levels that Parquet adds for lists.
fn name(column: &ColumnDescriptor) -> String {
    let parts = column.path().parts();
    let own = if column.max_rep_level() == 0 { parts.len() } else { parts.len().saturating_sub(2).max(1) };
    parts[..own].join(".")
}

/// The type of the numbers, in lists of any depth; `None` if they are not numbers.
fn element(column: &ColumnDescriptor) -> Option<Element> {
    let is_half = column.type_length() == 2 && column.logical_type_ref() == Some(&LogicalType::Float16);
    let description = match (column.physical_type(), is_signed(column)) {
        (Type::FLOAT, _) => "<f4",
        (Type::DOUBLE, _) => "<f8",
        (Type::FIXED_LEN_BYTE_ARRAY, _) if is_half => "<f2",
        (Type::BOOLEAN, _) => "|b1",
        // Shorter integers are also stored as INT32.
        (Type::INT32, Some(true)) => "<i4",
        (Type::INT32, Some(false)) => "<u4",
        (Type::INT64, Some(true)) => "<i8",
        (Type::INT64, Some(false)) => "<u8",
        _ => return None,
    };
    Element::of_npy(description)
}

/// Whether integers are signed; `None` if they represent something else, such as dates.
fn is_signed(column: &ColumnDescriptor) -> Option<bool> {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => Some(integer.is_signed),
        (Some(_), _) => None,
        // Older writers write no logical type.
        (None, ConvertedType::NONE) => Some(true),
        (None, ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 | ConvertedType::INT_64) => Some(true),
        (None, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64) => Some(false),
        (None, _) => None,
    }
}

fn type_name(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => format!("{}int{}", if integer.is_signed { "" } else { "u" }, integer.bit_width),
        // Without the parameters of a decimal or a time.
        (Some(logical), _) => format!("{logical:?}").split(|symbol: char| !symbol.is_alphanumeric()).take(1).collect(),
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, converted) => converted.to_string(),
    }
}

impl Leaf {
    fn first_width(&self, reader: &ParquetReader<Bytes>) -> Result<usize, ParquetError> {
        let groups = reader.metadata().row_groups();
        let Some(first) = groups.iter().position(|group| group.num_rows() > 0) else { return Ok(0) };
        Ok(Batch::read(&mut parquet_file::column(reader, first, self.index)?, 1)?.first_width(&self.levels))
    }

    /// Passes the numbers of all rows to `take`, batch by batch.
    fn read(
        &self,
        path: &Path,
        file: &Mapped,
        reader: &ParquetReader<Bytes>,
        mut take: impl FnMut(Vec<u8>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let refused = |source| FormatError::Parquet { path: path.into(), source };
        let place = || Location { path: path.into(), tensor: Some(self.name.clone()) };
        let mut done = 0;
        for group in 0..reader.num_row_groups() {
            let mut column = parquet_file::column(reader, group, self.index).map_err(refused)?;
            loop {
                let batch = Batch::read(&mut column, (BATCH_NUMBERS / self.width.max(1)).max(1)).map_err(refused)?;
                if batch.rows == 0 {
                    break;
                }
                batch.check(self.width, &self.levels).map_err(|fault| match fault {
                    Fault::Null { row } => FormatError::Null { place: place(), row: done + row },
                    Fault::NullElement { row, element } => FormatError::NullElement { place: place(), row: done + row, element },
                    Fault::Width { row, found } => FormatError::RowWidth { place: place(), row: done + row, expected: self.width, found },
                })?;
                done += batch.rows;
                take(batch.bytes)?;
                file.release();
            }
        }
        let declared = reader.metadata().file_metadata().num_rows();
        match done as i64 == declared {
            true => Ok(()),
            false => Err(FormatError::Rows { place: place(), declared, found: done }),
        }
    }
}

impl Columns {
    /// Writes the numbers of all rows. `progress` receives the number of bytes done.
    ///
    /// # Errors
    /// If a row differs in length from the first or holds a null, the file is corrupt, or the
    /// numbers cannot be written.
    pub fn unpack(&self, place: &Location, to: &mut File, progress: &dyn Fn(usize)) -> Result<(), FormatError> {
        let temporary = |source| FormatError::Temporary { place: place.clone(), source };
        let reader = open(&self.file).map_err(|source| FormatError::Parquet { path: place.path.clone(), source })?;
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
