//! Styles of series: colour, dashes, marks.

use maud::{Markup, html};

use super::frame::px;
use super::palette::Colour;

/// The shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled circle.
    Circle,
    /// An outlined square.
    HollowSquare,
    /// An outlined circle.
    HollowCircle,
    /// A filled triangle.
    Triangle,
}

/// The pattern of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dash {
    /// A solid line.
    #[default]
    Solid,
    /// A dashed line.
    Dashed,
    /// A dotted line.
    Dotted,
}

/// The style of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The colour.
    pub colour: Colour,
    /// The pattern of the line.
    pub dash: Dash,
    /// The marks on the line, if any.
    pub mark: Option<Mark>,
    /// Whether the line is thinner than normal.
    pub thin: bool,
}

impl Style {
    /// Creates a solid line without marks.
    pub fn line(colour: Colour) -> Self {
        Self {
            colour,
            dash: Dash::Solid,
            mark: None,
            thin: false,
        }
    }

    /// Sets the pattern of the line.
    pub fn dashed(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    /// Sets the marks.
    pub fn marked(self, mark: Mark) -> Self {
        Self {
            mark: Some(mark),
            ..self
        }
    }

    /// Makes the line thinner.
    pub fn thin(self) -> Self {
        Self { thin: true, ..self }
    }

    /// Returns the CSS classes of the line.
    pub fn line_class(self) -> String {
        let dash = match self.dash {
            Dash::Solid => "",
            Dash::Dashed => " dashed",
            Dash::Dotted => " dotted",
        };
        format!(
            "line {}{dash}{}",
            self.colour.class(),
            if self.thin { " thin" } else { "" }
        )
    }
}

/// Draws a mark at a pixel position.
pub fn mark(shape: Mark, colour: Colour, x: f64, y: f64, radius: f64, more: &str) -> Markup {
    let hollow = matches!(shape, Mark::HollowCircle | Mark::HollowSquare);
    let class = format!(
        "mark {}{}{more}",
        colour.class(),
        if hollow { " hollow" } else { "" }
    );
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
    format!(
        "M{} {}L{} {}H{}Z",
        px(x),
        px(y - up),
        px(x + half),
        px(y + down),
        px(x - half)
    )
}
