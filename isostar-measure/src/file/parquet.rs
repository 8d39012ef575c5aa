//! Points in Parquet files: a column of lists of numbers with one point per row, or a column of
//! single numbers per dimension.
//!
//! Lists of fixed size are stored like any others. Columns are decoded once, one batch of rows at a
//! time, into a temporary file of plain numbers. The file provides random access for passes and
//! samples, which Parquet's pages do not.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::schema::types::ColumnDescriptor;

use super::batch::Levels;
use super::columns::{Columns, Leaf, open};
use super::error::FormatError;
use super::mapped::Mapped;
use super::numbers::Storage;
use super::tensor::StoredTensor;
use crate::element::Element;

/// The first and last bytes of every Parquet file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Returns the columns of a file, including text columns, so that they can be named. A column of
/// lists is a two-dimensional tensor.
pub(super) fn tensors(path: &Path, file: &Arc<Mapped>) -> Result<Vec<StoredTensor>, FormatError> {
    let refused = |source| FormatError::Parquet {
        path: path.into(),
        source,
    };
    let reader = open(file).map_err(refused)?;
    let metadata = reader.metadata();
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let tensor = |(index, column): (usize, &Arc<ColumnDescriptor>)| {
        let depth = column.max_rep_level();
        let element = if depth <= 1 { element(column) } else { None };
        let mut leaf = Leaf {
            index,
            name: name(column),
            element,
            levels: Levels::of(column),
            width: 1,
        };
        let mut shape = vec![rows];
        if depth == 1 && element.is_some() {
            leaf.width = leaf.first_width(&reader).map_err(refused)?;
            shape.push(leaf.width);
        }
        let name = Some(leaf.name.clone());
        let element_name = format!(
            "{}{}",
            "lists of ".repeat(depth.try_into().unwrap_or(0)),
            type_name(column)
        );
        let storage = Storage::Columns(Columns {
            file: file.clone(),
            leaves: vec![leaf],
            element,
        });
        Ok(StoredTensor {
            name,
            element,
            element_name,
            shape,
            fortran_order: false,
            storage,
        })
    };
    metadata
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .enumerate()
        .map(tensor)
        .collect()
}

/// Combines columns of single numbers into points, with one dimension per column.
pub(super) fn matrix(dimensions: &[&StoredTensor]) -> Option<StoredTensor> {
    let columns = dimensions
        .iter()
        .filter_map(|tensor| match &tensor.storage {
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
    let leaves = columns
        .iter()
        .flat_map(|columns| columns.leaves.clone())
        .collect();
    Some(StoredTensor {
        name: None,
        element,
        element_name: String::new(),
        shape: vec![dimensions[0].shape[0], dimensions.len()],
        // Column by column, so that the pages of each column are read once.
        fortran_order: true,
        storage: Storage::Columns(Columns {
            file: first.file.clone(),
            leaves,
            element,
        }),
    })
}

/// Whether a column is one of the dimensions of `matrix`.
pub(super) fn is_part(column: &StoredTensor, matrix: &StoredTensor) -> bool {
    match (&column.storage, &matrix.storage) {
        (Storage::Columns(column), Storage::Columns(matrix)) => matrix
            .leaves
            .iter()
            .any(|leaf| leaf.index == column.leaves[0].index),
        _ => false,
    }
}

/// The name of the column in the table, without the two levels that Parquet adds for lists.
fn name(column: &ColumnDescriptor) -> String {
    let parts = column.path().parts();
    let own = if column.max_rep_level() == 0 {
        parts.len()
    } else {
        parts.len().saturating_sub(2).max(1)
    };
    parts[..own].join(".")
}

/// The type of the numbers, in lists of any depth; `None` if they are not numbers.
fn element(column: &ColumnDescriptor) -> Option<Element> {
    let is_half =
        column.type_length() == 2 && column.logical_type_ref() == Some(&LogicalType::Float16);
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
        (
            None,
            ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64,
        ) => Some(true),
        (
            None,
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64,
        ) => Some(false),
        (None, _) => None,
    }
}

fn type_name(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => format!(
            "{}int{}",
            if integer.is_signed { "" } else { "u" },
            integer.bit_width
        ),
        // Without the parameters of a decimal or a time.
        (Some(logical), _) => format!("{logical:?}")
            .split(|symbol: char| !symbol.is_alphanumeric())
            .take(1)
            .collect(),
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, converted) => converted.to_string(),
    }
}
