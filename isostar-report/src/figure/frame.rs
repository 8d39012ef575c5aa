//! The two axes of a chart and its plot area.

use maud::{Markup, html};

use super::number::fixed;
use super::placement::Area;
use super::scale::{Domain, Kind};
use super::text::{LINE, SIZE, cut, width};

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The quantity, with its unit.
    pub name: String,
    /// The kind of scale.
    pub kind: Kind,
}

impl Axis {
    /// Creates an axis for a quantity.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
        }
    }
}

/// Pixels per tick: horizontal for integers, horizontal for other numbers, and vertical.
const PIXELS_PER_TICK: (f64, f64, f64) = (18.0, 72.0, 36.0);

/// Distance from the name of the vertical axis to the plot area, with space for the label of the
/// highest tick.
const NAME_GAP: f64 = 15.0;

/// Margin for marks at the ends of an integer axis.
const INSET: f64 = 10.0;

/// The plot area, its axes, and the mapping from values to pixels.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The plot area.
    pub area: Area,
    x: Domain,
    y: Domain,
    names: [String; 2],
}

/// Margins around the plot area, in addition to those of the axes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Margins {
    /// The space above, for a legend.
    pub top: f64,
    /// The space on the right, for labels.
    pub right: f64,
}

impl Frame {
    /// Creates a frame of width `across`, with a plot area of height `down`, that covers the values
    /// `xs` and `ys`.
    ///
    /// Returns `None` if there is nothing to show.
    pub fn new(
        [x_axis, y_axis]: [&Axis; 2],
        [across, down]: [f64; 2],
        margins: Margins,
        xs: impl Iterator<Item = f64>,
        ys: impl Iterator<Item = f64>,
    ) -> Option<Self> {
        let y = Domain::covering(y_axis.kind, ys, (down / PIXELS_PER_TICK.2) as usize)?;
        let label = y
            .ticks()
            .iter()
            .map(|tick| width(&tick.label))
            .fold(0.0, f64::max);
        let left = label.ceil() + 8.0;
        let xs: Vec<f64> = xs.collect();
        let widest = xs
            .iter()
            .map(|value| width(&fixed(value.abs(), 0)))
            .fold(0.0, f64::max);
        let per_tick = if x_axis.kind == Kind::Integer {
            PIXELS_PER_TICK.0 + widest
        } else {
            PIXELS_PER_TICK.1
        };
        let x = Domain::covering(
            x_axis.kind,
            xs.into_iter(),
            ((across - left - margins.right) / per_tick) as usize,
        )?;
        // Half of the last tick's label extends beyond the plot area.
        let overhang = x
            .ticks()
            .last()
            .map_or(0.0, |tick| width(&tick.label) / 2.0)
            + 2.0;
        let top = margins.top + LINE + NAME_GAP - 3.0;
        let area = Area {
            left,
            top,
            right: across - margins.right.max(overhang),
            bottom: top + down,
        };
        Some(Self {
            area,
            x,
            y,
            names: [x_axis.name.clone(), y_axis.name.clone()],
        })
    }

    /// The total height of the plot area and the axes.
    pub fn height(&self) -> f64 {
        self.area.bottom
            + 18.0
            + if self.names[0].is_empty() {
                0.0
            } else {
                LINE + 4.0
            }
    }

    /// Returns the pixel position of an x value.
    pub fn x(&self, value: f64) -> Option<f64> {
        let inset = if self.x.is_integer() { INSET } else { 0.0 };
        let Area { left, right, .. } = self.area;
        self.x
            .position(value)
            .map(|position| left + inset + position * (right - left - 2.0 * inset))
    }

    /// Returns the pixel position of a y value.
    pub fn y(&self, value: f64) -> Option<f64> {
        let Area { top, bottom, .. } = self.area;
        self.y
            .position(value)
            .map(|position| bottom - position * (bottom - top))
    }

    /// Draws the grid, the axes, the ticks and the names.
    pub fn axes(&self) -> Markup {
        let Area {
            left,
            top,
            right,
            bottom,
        } = self.area;
        let across = self
            .x
            .ticks()
            .iter()
            .filter_map(|tick| Some((self.x(tick.value)?, &tick.label)));
        let down = self
            .y
            .ticks()
            .iter()
            .filter_map(|tick| Some((self.y(tick.value)?, &tick.label)));
        let small = self.x.minor().into_iter().filter_map(|value| self.x(value));
        let zero = self.y.holds_zero().then(|| self.y(0.0)).flatten();
        let [x_name, y_name] = &self.names;
        html! {
            @for (y, label) in down {
                path class="grid" d=(format!("M{} {}H{}", px(left), px(y), px(right))) {}
                text class="quiet end" x=(px(left - 6.0)) y=(px(y + 0.35 * SIZE)) { (label) }
            }
            @if let Some(zero) = zero {
                path class="axis" d=(format!("M{} {}H{}", px(left), px(zero), px(right))) {}
            }
            path class="axis" d=(format!("M{} {}H{}", px(left), px(bottom), px(right))) {}
            @for x in small {
                path class="grid" d=(format!("M{} {}v4", px(x), px(bottom))) {}
            }
            @for (x, label) in across {
                path class="axis" d=(format!("M{} {}v4", px(x), px(bottom))) {}
                text class="quiet middle" x=(px(x)) y=(px(bottom + 17.0)) { (label) }
            }
            @if !x_name.is_empty() {
                text class="middle" x=(px((left + right) / 2.0)) y=(px(bottom + 19.0 + LINE)) { (cut(x_name, right - left)) }
            }
            text x="0" y=(px(top - NAME_GAP)) { (cut(y_name, right)) }
        }
    }
}

/// Formats a pixel position with one decimal.
pub fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}
