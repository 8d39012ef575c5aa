//! A key above a figure: entries one after the other, in as many rows as they need.

use maud::{Markup, html};

use super::frame::px;
use super::style::{Style, mark};
use super::text::{LINE, SIZE, cut, width};

/// A line of the key.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it stands for.
    pub text: String,
    /// How that is drawn.
    pub style: Style,
    /// Whether there is a line, or marks alone.
    pub line: bool,
}

impl Entry {
    /// A line.
    pub fn line(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, line: true }
    }

    /// A mark.
    pub fn mark(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, line: false }
    }
}

const GAP: f64 = 16.0;
const ROW: f64 = LINE + 4.0;

/// The key within a width, and its height.
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
    (markup, if entries.is_empty() { 0.0 } else { (row + 1.0) * ROW + 6.0 })
}
