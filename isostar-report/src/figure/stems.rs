//! Stem charts: one stem per dimension, with labels on dimensions with large values.

use maud::{Markup, html};

use super::drawing::Drawing;
use super::frame::{Axis, Frame, Margins, px};
use super::palette::Colour;
use super::placement::{Area, beside};
use super::scale::Kind;
use super::style::{Mark, mark};
use super::text::LINE;

/// A panel with the values of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct StemPanel {
    /// The quantity, with its unit.
    pub name: String,
    /// One value per dimension.
    pub values: Vec<f64>,
    /// The dimensions that are labelled.
    pub named: Vec<usize>,
}

/// A stem chart: panels below each other, with a common horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub struct StemChart {
    /// The panels, from top to bottom.
    pub panels: Vec<StemPanel>,
    /// The name of the common horizontal axis.
    pub x: String,
}

const HEIGHT: f64 = 104.0;

impl StemChart {
    /// Draws the chart at a width. Returns `None` if no panel has a value.
    pub fn draw(&self, across: f64) -> Option<Drawing> {
        let mut drawn = Vec::new();
        let mut top = 0.0;
        for (at, panel) in self.panels.iter().enumerate() {
            let name = if at + 1 == self.panels.len() {
                self.x.as_str()
            } else {
                ""
            };
            let x = Axis::new(name, Kind::Integer);
            let y = Axis::new(&panel.name, Kind::Linear);
            let last = panel.values.len().saturating_sub(1) as f64;
            let ys = panel.values.iter().copied().chain([0.0]);
            let frame = Frame::new(
                [&x, &y],
                [across, HEIGHT],
                Margins { top, right: 8.0 },
                [0.0, last].into_iter(),
                ys,
            )?;
            drawn.push(draw_panel(panel, &frame));
            top = frame.height() + 12.0;
        }
        let body = html! { @for panel in drawn { (panel) } };
        (top > 0.0).then_some(Drawing {
            width: across,
            height: top - 12.0,
            body,
        })
    }
}

fn draw_panel(panel: &StemPanel, frame: &Frame) -> Markup {
    let named: Vec<(usize, f64, f64)> = panel
        .named
        .iter()
        .filter_map(|&at| Some((at, frame.x(at as f64)?, frame.y(*panel.values.get(at)?)?)))
        .collect();
    let zero = frame.y(0.0).unwrap_or(frame.area.bottom);
    let stems: String = named
        .iter()
        .map(|(_, x, y)| format!("M{} {}V{}", px(*x), px(zero), px(*y)))
        .collect();

    let mut obstacles: Vec<Area> = named
        .iter()
        .map(|&(_, x, y)| Area {
            left: x - 4.0,
            right: x + 4.0,
            top: y.min(zero) - 4.0,
            bottom: y.max(zero) + 4.0,
        })
        .collect();
    // The dimensions with the largest values are labelled first.
    let mut order: Vec<&(usize, f64, f64)> = named.iter().collect();
    order.sort_by(|one, other| (other.2 - zero).abs().total_cmp(&(one.2 - zero).abs()));
    let inside = Area {
        top: frame.area.top - LINE / 2.0,
        ..frame.area
    };
    let mut labels = Vec::new();
    for &&(at, x, y) in &order {
        if let Some(placed) = beside(&at.to_string(), x, y, &inside, &obstacles) {
            obstacles.push(placed.area);
            labels.push((at, placed));
        }
    }
    let colour = Colour::Category(1);
    html! {
        (frame.axes())
        path class="line thin c0" d=(envelope(&panel.values, frame, zero)) {}
        path class=(format!("line {}", colour.class())) d=(stems) {}
        @for (at, x, y) in &named {
            g { title { (format!("dimension {at}: {}", super::number::number(panel.values[*at]))) } (mark(Mark::Circle, colour, *x, *y, 3.0, "")) }
        }
        @for (at, placed) in &labels {
            text class=(format!("strong {}", colour.class())) x=(px(placed.x)) y=(px(placed.y)) { (at) }
        }
    }
}

/// One stem per pixel, from the minimum to the maximum of the dimensions that fall on it.
fn envelope(values: &[f64], frame: &Frame, zero: f64) -> String {
    let mut path = String::new();
    let mut columns: Vec<(f64, f64, f64)> = Vec::new();
    for (at, &value) in values.iter().enumerate() {
        let (Some(x), Some(y)) = (frame.x(at as f64), frame.y(value)) else {
            continue;
        };
        match columns.last_mut() {
            Some((column, high, low)) if x - *column < 1.0 => {
                (*high, *low) = (high.min(y), low.max(y))
            }
            _ => columns.push((x, y.min(zero), y.max(zero))),
        }
    }
    for (x, high, low) in columns {
        path += &format!("M{} {}V{}", px(x), px(low), px(high));
    }
    path
}
