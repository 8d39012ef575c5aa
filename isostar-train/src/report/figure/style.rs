//! How a series is drawn: colour, dashes, marks.

use maud::{Markup, html};

use super::frame::px;
use super::palette::Colour;

/// The shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled circle.
    Circle,
    /// A square, its inside empty.
    HollowSquare,
    /// A circle, its inside empty.
    HollowCircle,
    /// A filled triangle.
    Triangle,
}

/// The pattern of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dash {
    /// Unbroken.
    #[default]
    Solid,
    /// Broken.
    Dashed,
    /// Points.
    Dotted,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its colour.
    pub colour: Colour,
    /// Its line.
    pub dash: Dash,
    /// The marks on it, if any.
    pub mark: Option<Mark>,
    /// Whether its line is thinner than others.
    pub thin: bool,
}

impl Style {
    /// An unbroken line without marks.
    pub fn line(colour: Colour) -> Self {
        Self { colour, dash: Dash::Solid, mark: None, thin: false }
    }

    /// With this pattern.
    pub fn dashed(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    /// With these marks.
    pub fn marked(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Thinner.
    pub fn thin(self) -> Self {
        Self { thin: true, ..self }
    }

    /// The classes of the line.
    pub fn line_class(self) -> String {
        let dash = match self.dash {
            Dash::Solid => "",
            Dash::Dashed => " dashed",
            Dash::Dotted => " dotted",
        };
        format!("line {}{dash}{}", self.colour.class(), if self.thin { " thin" } else { "" })
    }
}

/// A mark at a pixel.
pub fn mark(shape: Mark, colour: Colour, x: f64, y: f64, radius: f64, more: &str) -> Markup {
    let hollow = matches!(shape, Mark::HollowCircle | Mark::HollowSquare);
    let class = format!("mark {}{}{more}", colour.class(), if hollow { " hollow" } else { "" });
    html! {
        @match shape {
            Mark::Circle | Mark::HollowCircle => circle class=(class) cx=(px(x)) cy=(px(y)) r=(px(radius)) {},
            Mark::HollowSquare => rect class=(class) x=(px(x - radius)) y=(px(y - radius)) width=(px(2.0 * radius)) height=(px(2.0 * radius)) {},
            Mark::Triangle => path class=(class) d=(triangle(x, y, radius)) {},
        }
    }
}

fn triangle(x: f64, y: f64, radius: f64) -> String {
    let (half, up, down) = (1.1 * radius, 1.2 * radius, 0.9 * radius);
    format!("M{} {}L{} {}H{}Z", px(x), px(y - up), px(x + half), px(y + down), px(x - half))
}
