//! A chart as it is drawn.

use maud::Markup;

/// A chart drawn at a width.
pub struct Drawing {
    /// The width in pixels.
    pub width: f64,
    /// The height in pixels.
    pub height: f64,
    /// The contents of the `svg` element.
    pub body: Markup,
}

/// Returns the height of the plot area of a chart of this width.
pub(super) fn plot_height(across: f64) -> f64 {
    (across * 0.45).round().clamp(190.0, 260.0)
}
