//! Reading labelled rows from Parquet.

use std::path::Path;

use super::super::columns::Layout;
use super::super::labels::label_text;
use super::super::{DataError, TextRow};
use super::{Expected, Table};

/// Reads the rows of a file; [`TextRow::line`] is the row's number, counted from 1.
///
/// # Errors
/// Those of [`Layout::locate`], [`DataError::ColumnType`], [`DataError::BadValue`] for a null,
/// [`DataError::Undecodable`] for a corrupt page, and the errors of a file that cannot be read.
pub(in super::super) fn read_rows(
    path: &Path,
    layout: &dyn Layout,
) -> Result<Vec<TextRow>, DataError> {
    let table = Table::open(path)?;
    let indices = layout.locate(&table.header(), path)?;
    let mut columns = vec![
        table.column(indices.text, Expected::Text)?,
        table.column(indices.label, Expected::Label)?,
    ];
    if let Some(pair) = indices.pair {
        columns.push(table.column(pair, Expected::Text)?);
    }
    let mut rows = Vec::new();
    table.read(&columns, |before, cells| {
        let mut cells = cells.into_iter().map(|cells| cells.of_rows());
        let (texts, labels, mut pairs) = (
            cells.next().into_iter().flatten(),
            cells.next().into_iter().flatten(),
            cells.next(),
        );
        for ((text, label), line) in texts.zip(labels).zip(before + 1..) {
            let pair = pairs.as_mut().and_then(Iterator::next);
            rows.push(TextRow {
                text: text.text(&columns[0], line, path)?,
                pair: pair
                    .map(|pair| pair.text(&columns[2], line, path))
                    .transpose()?,
                label: label_text(
                    &label.text(&columns[1], line, path)?,
                    &columns[1].name,
                    line,
                    path,
                )?,
                line,
            });
        }
        Ok(())
    })?;
    Ok(rows)
}
