//! Colours for light and dark schemes, distinguishable with colour-vision deficiencies and legible
//! as text.
//!
//! The categorical colours derive from Okabe and Ito's, darkened on white and lightened on black
//! until each has a contrast of at least 4.5 (WCAG 2.2, 1.4.3). The diverging colours run from
//! orange through grey to blue, a pair that remains distinguishable with every common deficiency.
//! Labels, marks and dashes repeat the information that colours carry.

use std::fmt::Write as _;

use super::text::{FAMILY, SIZE};

/// A colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a white background.
    Light,
    /// Light text on a black background.
    Dark,
}

/// The colour of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// A category, from 0; after [`CATEGORIES`] the colours repeat.
    Category(usize),
    /// A step below, at or above a neutral point: −[`DIVERGING`] to [`DIVERGING`].
    Diverging(i32),
    /// A pale colour for the background.
    Pale,
}

/// The number of distinct categorical colours.
pub const CATEGORIES: usize = 6;

/// The number of diverging steps on each side of neutral.
pub const DIVERGING: i32 = 3;

const CATEGORICAL: [(&str, &str); CATEGORIES] = [
    ("#0067a8", "#5cb8ee"),
    ("#bd4b00", "#ff9a56"),
    ("#00755a", "#35c79b"),
    ("#a23b83", "#ea9bce"),
    ("#7a6200", "#e6c84f"),
    ("#4d4d4d", "#c9c9c9"),
];

const TWO_SIDED: [(&str, &str); 7] = [
    ("#8c3300", "#ff8f45"),
    ("#b54b00", "#ffac75"),
    ("#a8663a", "#f0c3a3"),
    ("#666666", "#bdbdbd"),
    ("#4a7896", "#a9cfe6"),
    ("#0067a8", "#7cc4f2"),
    ("#003f73", "#4aa9ea"),
];

/// The colours of a scheme that do not represent data.
struct Ground {
    background: &'static str,
    ink: &'static str,
    quiet: &'static str,
    grid: &'static str,
    pale: &'static str,
}

const LIGHT: Ground = Ground {
    background: "#ffffff",
    ink: "#1c1e21",
    quiet: "#595e66",
    grid: "#e4e6e9",
    pale: "#c3c8ce",
};
const DARK: Ground = Ground {
    background: "#191b1f",
    ink: "#eceef1",
    quiet: "#a9afb8",
    grid: "#303439",
    pale: "#50565e",
};

impl Colour {
    /// Returns the CSS class of a mark of this colour.
    pub fn class(self) -> String {
        match self {
            Self::Category(at) => format!("c{}", at % CATEGORIES),
            Self::Diverging(step) => format!("d{}", step.clamp(-DIVERGING, DIVERGING) + DIVERGING),
            Self::Pale => "pale".into(),
        }
    }
}

/// Returns the names of the colours and their values in a scheme.
pub fn colours(scheme: Scheme) -> Vec<(String, &'static str)> {
    let ground = if scheme == Scheme::Light {
        &LIGHT
    } else {
        &DARK
    };
    let pick = |pair: &(&'static str, &'static str)| {
        if scheme == Scheme::Light {
            pair.0
        } else {
            pair.1
        }
    };
    let fixed = [
        ("background", ground.background),
        ("ink", ground.ink),
        ("quiet", ground.quiet),
        ("grid", ground.grid),
        ("pale", ground.pale),
    ];
    let mut all: Vec<_> = fixed.map(|(name, value)| (name.to_string(), value)).into();
    all.extend(
        CATEGORICAL
            .iter()
            .enumerate()
            .map(|(at, pair)| (format!("c{at}"), pick(pair))),
    );
    all.extend(
        TWO_SIDED
            .iter()
            .enumerate()
            .map(|(at, pair)| (format!("d{at}"), pick(pair))),
    );
    all
}

/// Returns the style sheet of the figures; `value` formats a colour by name, as a variable or a
/// literal.
pub fn style_sheet(value: impl Fn(&str) -> String) -> String {
    let mut css = format!(
        "svg text{{font:{SIZE}px {FAMILY};fill:{};font-variant-numeric:tabular-nums}}\n",
        value("ink")
    );
    let _ = writeln!(
        css,
        "svg text.quiet{{fill:{}}} svg text.end{{text-anchor:end}} svg text.middle{{text-anchor:middle}}",
        value("quiet")
    );
    let _ = writeln!(
        css,
        "svg text.strong{{font-weight:600}} svg .ground{{fill:{}}}",
        value("background")
    );
    let _ = writeln!(
        css,
        "svg .grid{{stroke:{};stroke-width:1;fill:none}}",
        value("grid")
    );
    let _ = writeln!(
        css,
        "svg .axis{{stroke:{};stroke-width:1;fill:none}}",
        value("quiet")
    );
    let _ = writeln!(
        css,
        "svg .line{{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}} svg .thin{{stroke-width:1.25}}"
    );
    let _ = writeln!(
        css,
        "svg .dashed{{stroke-dasharray:5 4}} svg .dotted{{stroke-dasharray:1 4}} svg .bar{{stroke-width:1.5;fill:none}}"
    );
    let _ = writeln!(
        css,
        "svg .mark{{stroke-width:1.5}} svg .faint{{opacity:.5}} svg .hollow{{fill:{}}}",
        value("background")
    );
    for (class, _) in colours(Scheme::Light).iter().skip(4) {
        let colour = value(class);
        let _ = writeln!(
            css,
            "svg .{class}{{stroke:{colour}}} svg .mark.{class}:not(.hollow){{fill:{colour}}} svg text.{class}{{stroke:none;fill:{colour}}}"
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimum contrast of text (WCAG 2.2).
    const LEGIBLE: f64 = 4.5;

    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn every_colour_of_text_is_legible_in_both_schemes() {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let all = colours(scheme);
            let background = luminance(all[0].1);
            for (name, colour) in all
                .iter()
                .filter(|(name, _)| !["background", "grid", "pale"].contains(&name.as_str()))
            {
                let (one, other) = (luminance(colour) + 0.05, background + 0.05);
                let contrast = one.max(other) / one.min(other);
                assert!(
                    contrast >= LEGIBLE,
                    "{name} {colour} on {scheme:?}: {contrast:.2}"
                );
            }
        }
    }
}
