//! The legend above a figure: entries in as many rows as they need.

use maud::{Markup, html};

use super::frame::px;
use super::style::{Style, mark};
use super::text::{LINE, SIZE, cut, width};

/// An entry of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The text of the entry.
    pub text: String,
    /// The style of the series.
    pub style: Style,
    /// Whether the entry shows a line, or only a mark.
    pub line: bool,
}

impl Entry {
    /// Creates an entry with a line.
    pub fn line(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
            line: true,
        }
    }

    /// Creates an entry with a mark only.
    pub fn mark(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
            line: false,
        }
    }
}

const GAP: f64 = 16.0;
const ROW: f64 = LINE + 4.0;

/// Draws the legend within a width; returns it with its height.
pub fn draw(entries: &[Entry], across: f64) -> (Markup, f64) {
    let (mut x, mut row) = (0.0, 0.0);
    let mut places = Vec::new();
    for entry in entries {
        let swatch = if entry.line { 24.0 } else { 10.0 };
        let text = cut(&entry.text, across - swatch - 6.0);
        let wide = swatch + 6.0 + width(&text);
        if x > 0.0 && x + wide > across {
            (x, row) = (0.0, row + 1.0);
        }
        places.push((x, row * ROW + 0.5 * ROW, swatch, text, entry));
        x += wide + GAP;
    }
    let markup = html! {
        @for (x, y, swatch, text, entry) in &places {
            @if entry.line {
                path class=(entry.style.line_class()) d=(format!("M{} {}h{}", px(*x), px(*y), px(*swatch))) {}
            }
            @if let Some(shape) = entry.style.mark {
                (mark(shape, entry.style.colour, x + swatch / 2.0, *y, 3.5, ""))
            }
            text x=(px(x + swatch + 6.0)) y=(px(y + 0.35 * SIZE)) { (text) }
        }
    };
    (
        markup,
        if entries.is_empty() {
            0.0
        } else {
            (row + 1.0) * ROW + 6.0
        },
    )
}
