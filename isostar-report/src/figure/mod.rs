//! SVG figures: axes, lines, points and labels, drawn for a given width.
//!
//! No maintained library covers both a page without scripts and a printed paper. plotters' SVG
//! backend writes colours as literals, so a page cannot switch to a dark scheme, and it does not
//! keep labels apart; charming and plotly draw with JavaScript; poloto has themes, but no error
//! bars and no labels at lines. This module is small: scales and ticks, text widths, a frame of
//! axes and three kinds of charts. maud writes the markup and escapes text from files.
//!
//! Text in SVG scales with the image. Each figure is therefore drawn at several widths, and the
//! page shows the one that fits, unscaled.

mod drawing;
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

pub use drawing::Drawing;
pub use frame::{Axis, Frame};
pub use legend::Entry;
pub use line::{LineChart, Point, Series};
pub use palette::{Colour, Scheme};
pub use scale::Kind;
pub use scatter::{Cluster, Observation, ScatterChart};
pub use stems::{StemChart, StemPanel};
pub use style::{Dash, Mark, Style};
pub(crate) use text::printable;
use text::{LINE, cut};

/// The chart of a figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// A line chart.
    Lines(LineChart),
    /// A scatter chart.
    Scatter(ScatterChart),
    /// A stem chart.
    Stems(StemChart),
}

/// A figure of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The id in the page and the name of the file: letters, digits and hyphens.
    pub id: String,
    /// The title of the figure.
    pub title: String,
    /// A text alternative that describes the chart.
    pub description: String,
    /// The caption below the chart.
    pub caption: String,
    /// The chart.
    pub chart: Chart,
}

/// The widths in a page, for phones and desktops, each with its CSS class.
pub const WIDTHS: [(f64, &str); 2] = [(344.0, "narrow"), (552.0, "wide")];

/// The width of a figure that is written to a file.
const FILE_WIDTH: f64 = 552.0;

impl Chart {
    /// Draws the chart at a width. Returns `None` if it has no data.
    pub fn draw(&self, across: f64) -> Option<Drawing> {
        match self {
            Self::Lines(chart) => chart.draw(across),
            Self::Scatter(chart) => chart.draw(across),
            Self::Stems(chart) => chart.draw(across),
        }
    }
}

impl Figure {
    /// Whether the chart has data.
    pub fn has_data(&self) -> bool {
        self.chart.draw(FILE_WIDTH).is_some()
    }

    /// Returns the figure for a page, with one `svg` element per width.
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

    /// Returns the figure as a standalone SVG file, in light colours on white.
    pub fn file(&self) -> Option<String> {
        let Drawing {
            width,
            height,
            body,
        } = self.chart.draw(FILE_WIDTH)?;
        let (left, top) = (16.0, 16.0 + LINE + 14.0);
        let (across, down) = (width + 2.0 * left, (height + top + 12.0).ceil());
        let colours = palette::colours(Scheme::Light);
        let value = |name: &str| {
            colours
                .iter()
                .find(|(other, _)| other == name)
                .map_or("#000000", |(_, value)| value)
                .to_string()
        };
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
        Some(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
            printable(&markup.into_string())
        ))
    }
}
