//! Figures as SVG: axes, lines, points and labels, drawn for a width.
//!
//! No kept library gives what a page without scripts and a paper both need. plotters' SVG backend writes colours as numbers, so that a page
//! cannot turn dark, and keeps no labels apart; charming and plotly draw with JavaScript; poloto has themes, but no error bars and no labels
//! at lines. What is here is small: scales and ticks, room for text, a frame of axes and three kinds of charts. maud writes the markup and
//! escapes whatever comes from files.
//!
//! Text in SVG shrinks with the picture. A figure is therefore drawn once for each of a few widths, and the page shows the one that fits, at
//! its own size.

mod frame;
mod legend;
mod line;
pub mod number;
pub mod palette;
mod placement;
pub mod scale;
mod scatter;
mod stems;
mod style;
mod text;

use maud::{Markup, PreEscaped, html};

pub use frame::{Axis, Frame};
pub use legend::Entry;
pub use line::{LineChart, Point, Series};
pub use palette::{Colour, Scheme};
pub use scale::Kind;
pub use scatter::{Cluster, Observation, ScatterChart};
pub use stems::{StemChart, StemPanel};
pub use style::{Dash, Mark, Style};
use text::{LINE, cut};

/// What a figure shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Lines.
    Lines(LineChart),
    /// Points.
    Scatter(ScatterChart),
    /// Stems.
    Stems(StemChart),
}

/// A figure of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name in the page and of its file: letters, digits and hyphens.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What is to be seen, for those who do not see it.
    pub description: String,
    /// What a reader must know, below it.
    pub caption: String,
    /// What it shows.
    pub chart: Chart,
}

/// A chart at a width.
pub struct Drawing {
    /// Pixels across.
    pub width: f64,
    /// Pixels down.
    pub height: f64,
    /// The inside of the svg element.
    pub body: Markup,
}

/// The widths that a page shows, from phones to desks, and the class of each.
pub const WIDTHS: [(f64, &str); 2] = [(344.0, "narrow"), (552.0, "wide")];

/// The width of a file.
const FILE_WIDTH: f64 = 552.0;

/// The height of the data of a chart of this width.
fn plot_height(across: f64) -> f64 {
    (across * 0.45).round().clamp(190.0, 260.0)
}

impl Chart {
    /// The chart at a width. `None` if it has no data.
    pub fn draw(&self, across: f64) -> Option<Drawing> {
        match self {
            Self::Lines(chart) => chart.draw(across),
            Self::Scatter(chart) => chart.draw(across),
            Self::Stems(chart) => chart.draw(across),
        }
    }
}

impl Figure {
    /// Whether there is anything to draw.
    pub fn has_data(&self) -> bool {
        self.chart.draw(FILE_WIDTH).is_some()
    }

    /// The figure in a page: an svg element for each width.
    pub fn inline(&self) -> Markup {
        html! {
            @for (across, class) in WIDTHS {
                @if let Some(Drawing { width, height, body }) = self.chart.draw(across) {
                    @let (title, description) = (format!("{}-{class}-title", self.id), format!("{}-{class}-text", self.id));
                    svg class=(class) role="img" aria-labelledby=(title) aria-describedby=(description)
                        viewBox=(format!("0 0 {width} {}", height.ceil())) width=(width) height=(height.ceil()) {
                        title id=(title) { (self.title) }
                        desc id=(description) { (self.description) }
                        (body)
                    }
                }
            }
        }
    }

    /// The figure as a file of its own, in light colours on white.
    pub fn file(&self) -> Option<String> {
        let Drawing { width, height, body } = self.chart.draw(FILE_WIDTH)?;
        let (left, top) = (16.0, 16.0 + LINE + 14.0);
        let (across, down) = (width + 2.0 * left, (height + top + 12.0).ceil());
        let colours = palette::colours(Scheme::Light);
        let value = |name: &str| colours.iter().find(|(other, _)| other == name).map_or("#000000", |(_, value)| value).to_string();
        let markup = html! {
            svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title" aria-describedby="text"
                viewBox=(format!("0 0 {across} {down}")) width=(across) height=(down) {
                title id="title" { (self.title) }
                desc id="text" { (self.description) }
                style { (PreEscaped(palette::style_sheet(value))) }
                rect class="ground" width=(across) height=(down) {}
                text class="strong" x=(left) y=(top - 16.0) { (cut(&self.title, width * 0.9)) }
                g transform=(format!("translate({left} {top})")) { (body) }
            }
        };
        Some(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", super::printable(&markup.into_string())))
    }
}
