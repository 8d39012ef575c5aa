//! Line charts: series over a common x, labelled at their ends, or in the legend if there is not
//! enough space.

use maud::{Markup, html};

use super::drawing::{Drawing, plot_height};
use super::frame::{Axis, Frame, Margins, px};
use super::legend::{self, Entry};
use super::palette::Colour;
use super::placement::spread;
use super::style::{Style, mark};
use super::text::{LINE, SIZE, width};

/// A point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The horizontal value.
    pub x: f64,
    /// The vertical value; the line has a gap where it is `None`.
    pub y: Option<f64>,
    /// The ends of the confidence interval.
    pub interval: Option<[f64; 2]>,
}

impl Point {
    /// Creates a point without an interval.
    pub fn new(x: f64, y: Option<f64>) -> Self {
        Self {
            x,
            y,
            interval: None,
        }
    }
}

/// A series of a line chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The label. Series with the same name share one label; `None` means no label.
    pub label: Option<String>,
    /// The style of the series.
    pub style: Style,
    /// The points, ordered by x.
    pub points: Vec<Point>,
}

/// A line chart.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The series, from back to front.
    pub series: Vec<Series>,
    /// Legend entries that explain marks and dashes.
    pub key: Vec<Entry>,
}

/// Maximum share of the width for labels at the ends of lines.
const LABEL_SHARE: f64 = 0.34;

/// Maximum distance of a label from its line; beyond it, the legend is clearer.
const FARTHEST: f64 = 4.0 * LINE;

/// Maximum number of points of a line with marks; with more points the marks would overlap.
const MARKED: usize = 25;

struct EndLabel {
    text: String,
    style: Style,
    /// The ends of the lines that share the label.
    ends: Vec<(f64, f64)>,
}

impl LineChart {
    /// Whether any series has a point.
    pub fn has_data(&self) -> bool {
        self.series
            .iter()
            .any(|series| series.points.iter().any(|point| point.y.is_some()))
    }

    /// Draws the chart at a width.
    pub fn draw(&self, across: f64) -> Option<Drawing> {
        let named = self
            .series
            .iter()
            .filter_map(|series| series.label.as_deref());
        let room = named.map(width).fold(0.0, f64::max) + 14.0;
        let direct = (room <= LABEL_SHARE * across)
            .then(|| self.draw_with(across, Some(room)))
            .flatten();
        direct.or_else(|| self.draw_with(across, None))
    }

    /// Draws the chart with labels at the ends of lines, in a margin of width `room`, or in the
    /// legend if `room` is `None`.
    ///
    /// Returns `None` if the labels do not fit, or if there is nothing to draw.
    fn draw_with(&self, across: f64, room: Option<f64>) -> Option<Drawing> {
        let mut key = self.key.clone();
        if room.is_none() {
            let named = self.named().map(|(text, style)| Entry::line(text, style));
            key = named.chain(key).collect();
        }
        let (legend, top) = legend::draw(&key, across);
        let xs = self
            .series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| point.x);
        let values = |point: &Point| {
            point
                .y
                .into_iter()
                .chain(point.interval.into_iter().flatten())
                .collect::<Vec<_>>()
        };
        let ys = self
            .series
            .iter()
            .flat_map(|series| &series.points)
            .flat_map(values);
        let margins = Margins {
            top,
            right: room.unwrap_or(8.0),
        };
        let frame = Frame::new(
            [&self.x, &self.y],
            [across, plot_height(across)],
            margins,
            xs,
            ys,
        )?;
        let labels = match room {
            Some(_) => self.end_labels(&frame)?,
            None => html! {},
        };
        let body = html! {
            (legend)
            (frame.axes())
            @for series in &self.series { (draw_series(series, &frame)) }
            (labels)
        };
        Some(Drawing {
            width: across,
            height: frame.height(),
            body,
        })
    }

    /// The distinct names of the series.
    fn named(&self) -> impl Iterator<Item = (String, Style)> {
        let mut seen: Vec<(String, Style)> = Vec::new();
        for series in &self.series {
            if let Some(label) = &series.label
                && !seen.iter().any(|(text, _)| text == label)
            {
                seen.push((label.clone(), series.style));
            }
        }
        seen.into_iter()
    }

    fn end_labels(&self, frame: &Frame) -> Option<Markup> {
        let mut labels: Vec<EndLabel> = self
            .named()
            .map(|(text, style)| EndLabel {
                text,
                style,
                ends: Vec::new(),
            })
            .collect();
        for series in &self.series {
            let end = series
                .points
                .iter()
                .rev()
                .find_map(|point| Some((frame.x(point.x)?, frame.y(point.y?)?)));
            let label = labels
                .iter_mut()
                .find(|label| Some(&label.text) == series.label.as_ref());
            if let (Some(end), Some(label)) = (end, label) {
                label.ends.push(end);
            }
        }
        labels.retain(|label| !label.ends.is_empty());
        let mean = |label: &EndLabel| {
            let count = label.ends.len() as f64;
            (
                label.ends.iter().map(|end| end.0).sum::<f64>() / count,
                label.ends.iter().map(|end| end.1).sum::<f64>() / count,
            )
        };
        let ends: Vec<(f64, f64)> = labels.iter().map(mean).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.1).collect();
        let places = spread(&wanted, LINE, frame.area.top + 2.0, frame.area.bottom - 4.0)?;
        if wanted
            .iter()
            .zip(&places)
            .any(|(wanted, place)| (wanted - place).abs() > FARTHEST)
        {
            return None;
        }
        let right = frame.area.right;
        Some(html! {
            @for ((label, (x, y)), place) in labels.iter().zip(&ends).zip(&places) {
                // Connects the end of a line with a label that was moved away from it.
                @if (y - place).abs() > 3.0 || right - x > 24.0 {
                    path class=(format!("line thin dotted {}", label.style.colour.class()))
                        d=(format!("M{} {}L{} {}", px(x + 5.0), px(*y), px(right + 8.0), px(*place))) {}
                }
                text class=(label.style.colour.class()) x=(px(right + 11.0)) y=(px(place + 0.35 * SIZE)) { (label.text) }
            }
        })
    }
}

fn draw_series(series: &Series, frame: &Frame) -> Markup {
    let Style {
        colour,
        mark: shape,
        ..
    } = series.style;
    let places = series
        .points
        .iter()
        .map(|point| Some((frame.x(point.x)?, frame.y(point.y?)?)));
    let mut path = String::new();
    let mut broken = true;
    for place in places.clone() {
        if let Some((x, y)) = place {
            path += &format!("{}{} {}", if broken { 'M' } else { 'L' }, px(x), px(y));
        }
        broken = place.is_none();
    }
    let bars = series.points.iter().filter_map(|point| {
        let [low, high] = point.interval?;
        Some(format!(
            "M{0} {1}V{2}",
            px(frame.x(point.x)?),
            px(frame.y(low)?),
            px(frame.y(high)?)
        ))
    });
    html! {
        @for bar in bars { path class=(format!("bar {}", colour.class())) d=(bar) {} }
        path class=(series.style.line_class()) d=(path) {}
        @if let (Some(shape), true) = (shape, colour != Colour::Pale && series.points.len() <= MARKED) {
            @for (x, y) in places.flatten() { (mark(shape, colour, x, y, 3.0, "")) }
        }
    }
}
