//! Scatter charts: faint observations, large means, error bars, and labels where they fit.

use maud::{Markup, html};

use super::drawing::{Drawing, plot_height};
use super::frame::{Axis, Frame, Margins, px};
use super::legend::{self, Entry};
use super::palette::Colour;
use super::placement::{Area, Placed, beside};
use super::style::{Mark, Style, mark};

/// One observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The horizontal value.
    pub x: f64,
    /// The vertical value.
    pub y: f64,
    /// The tooltip.
    pub hint: String,
}

/// A group of observations.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The label shown at the mean.
    pub label: String,
    /// The colour of the group.
    pub colour: Colour,
    /// The observations.
    pub members: Vec<Observation>,
    /// The mean of the observations.
    pub centre: Observation,
    /// Half the lengths of the error bars: horizontal and vertical.
    pub reach: [Option<f64>; 2],
}

/// A scatter chart.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterChart {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The groups of observations.
    pub clusters: Vec<Cluster>,
    /// Legend entries that explain marks and bars.
    pub key: Vec<Entry>,
}

const RADIUS: f64 = 5.0;
const SMALL: f64 = 2.5;

impl ScatterChart {
    /// Draws the chart at a width. Returns `None` if no point can be placed.
    pub fn draw(&self, across: f64) -> Option<Drawing> {
        // If one label does not fit beside its points, all labels move to the legend.
        let direct = self.draw_with(across, &self.key, true);
        let names = self.clusters.iter().map(|cluster| {
            let style = Style::line(cluster.colour).marked(Mark::Circle);
            Entry::mark(&cluster.label, style)
        });
        direct.or_else(|| {
            self.draw_with(
                across,
                &names.chain(self.key.clone()).collect::<Vec<_>>(),
                false,
            )
        })
    }

    /// Draws the chart with or without labels beside the points.
    ///
    /// Returns `None` if a label does not fit, or if there is nothing to draw.
    fn draw_with(&self, across: f64, key: &[Entry], named: bool) -> Option<Drawing> {
        let (legend, top) = legend::draw(key, across);
        let ends =
            |at: f64, reach: Option<f64>| [at - reach.unwrap_or(0.0), at + reach.unwrap_or(0.0)];
        let members = || self.clusters.iter().flat_map(|cluster| &cluster.members);
        let xs = self
            .clusters
            .iter()
            .flat_map(|cluster| ends(cluster.centre.x, cluster.reach[0]))
            .chain(members().map(|one| one.x));
        let ys = self
            .clusters
            .iter()
            .flat_map(|cluster| ends(cluster.centre.y, cluster.reach[1]))
            .chain(members().map(|one| one.y));
        let margins = Margins { top, right: 12.0 };
        let frame = Frame::new(
            [&self.x, &self.y],
            [across, plot_height(across)],
            margins,
            xs,
            ys,
        )?;
        let labels = if named {
            self.labels(&frame)?
        } else {
            Vec::new()
        };
        let body = html! {
            (legend)
            (frame.axes())
            @for cluster in &self.clusters { (draw_members(cluster, &frame)) }
            @for cluster in &self.clusters { (draw_centre(cluster, &frame)) }
            @for (cluster, placed) in &labels {
                text class=(cluster.colour.class()) x=(px(placed.x)) y=(px(placed.y)) { (cluster.label) }
            }
        };
        Some(Drawing {
            width: across,
            height: frame.height(),
            body,
        })
    }

    /// Returns the labels with their positions; `None` if one does not fit.
    fn labels(&self, frame: &Frame) -> Option<Vec<(&Cluster, Placed)>> {
        let places = self.clusters.iter().filter_map(|cluster| {
            Some((
                cluster,
                frame.x(cluster.centre.x)?,
                frame.y(cluster.centre.y)?,
            ))
        });
        let mut obstacles: Vec<Area> = Vec::new();
        for (cluster, x, y) in places.clone() {
            obstacles.push(Area::around(x, y, RADIUS + 1.0));
            for one in &cluster.members {
                if let (Some(x), Some(y)) = (frame.x(one.x), frame.y(one.y)) {
                    obstacles.push(Area::around(x, y, SMALL + 1.0));
                }
            }
            if let Some([left, right, high, low]) = bars(cluster, frame) {
                obstacles.push(Area {
                    left,
                    right,
                    top: y - 1.0,
                    bottom: y + 1.0,
                });
                obstacles.push(Area {
                    left: x - 1.0,
                    right: x + 1.0,
                    top: high,
                    bottom: low,
                });
            }
        }
        let mut placed = Vec::new();
        for (cluster, x, y) in places {
            let label = beside(&cluster.label, x, y, &frame.area, &obstacles)?;
            obstacles.push(label.area);
            placed.push((cluster, label));
        }
        Some(placed)
    }
}

/// Returns the ends of the error bars: left, right, top, bottom.
fn bars(cluster: &Cluster, frame: &Frame) -> Option<[f64; 4]> {
    let Cluster {
        centre: Observation { x, y, .. },
        reach: [across, up],
        ..
    } = cluster;
    let (across, up) = (across.unwrap_or(0.0), up.unwrap_or(0.0));
    // On a logarithmic axis, a bar that extends to 0 or below ends at the frame.
    let left = frame
        .x(x - across)
        .unwrap_or(frame.area.left)
        .max(frame.area.left);
    Some([
        left,
        frame.x(x + across)?,
        frame.y(y + up)?,
        frame.y(y - up)?,
    ])
}

fn draw_members(cluster: &Cluster, frame: &Frame) -> Markup {
    html! {
        @if cluster.members.len() > 1 {
            @for one in &cluster.members {
                @if let (Some(x), Some(y)) = (frame.x(one.x), frame.y(one.y)) {
                    g { title { (one.hint) } (mark(Mark::Circle, cluster.colour, x, y, SMALL, " faint")) }
                }
            }
        }
    }
}

fn draw_centre(cluster: &Cluster, frame: &Frame) -> Markup {
    let class = format!("bar {}", cluster.colour.class());
    html! {
        @if let (Some(x), Some(y), Some([left, right, high, low])) = (frame.x(cluster.centre.x), frame.y(cluster.centre.y), bars(cluster, frame)) {
            g {
                title { (cluster.centre.hint) }
                path class=(class) d=(format!("M{} {}H{}M{} {}V{}", px(left), px(y), px(right), px(x), px(high), px(low))) {}
                (mark(Mark::Circle, cluster.colour, x, y, RADIUS, ""))
            }
        }
    }
}
