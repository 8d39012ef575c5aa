//! Tables with a header, a name per row, and right-aligned numbers. Wide tables scroll
//! horizontally.

use maud::{Markup, html};

use crate::figure::Colour;

/// A row of a table.
pub struct Row {
    /// The name of the row.
    pub name: String,
    /// The colour of the row's series in the figures.
    pub colour: Option<Colour>,
    /// The cells of the row.
    pub cells: Vec<Markup>,
}

impl Row {
    /// Creates a row of plain text.
    pub fn new(name: impl Into<String>, cells: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: name.into(),
            colour: None,
            cells: cells.into_iter().map(|cell| html! { (cell) }).collect(),
        }
    }
}

/// Renders a table. Columns without a value in any row are left out.
pub fn table(caption: &str, header: &[&str], rows: &[Row]) -> Markup {
    let is_empty = |cell: &Markup| matches!(cell.0.as_str(), "" | NOTHING);
    let has_value = |at: usize| {
        rows.iter()
            .any(|row| row.cells.get(at).is_some_and(|cell| !is_empty(cell)))
    };
    let columns: Vec<usize> = (0..header.len().saturating_sub(1))
        .filter(|&at| has_value(at))
        .collect();
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { th scope="col" { (header[0]) } @for &at in &columns { th scope="col" { (header[at + 1]) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" {
                                @if let Some(colour) = row.colour { span class=(format!("swatch {}", colour.class())) {} }
                                (row.name)
                            }
                            @for &at in &columns { td { @if let Some(cell) = row.cells.get(at) { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

/// The text of a cell without a value.
pub const NOTHING: &str = "–";

/// Formats a value, or returns `NOTHING` if there is none.
pub fn cell(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or(NOTHING.into(), text)
}
