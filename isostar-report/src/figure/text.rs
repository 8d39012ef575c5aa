//! Estimates of text width: SVG neither wraps nor measures text, and labels must not overlap.

/// The font size of all text in a figure, in pixels.
pub const SIZE: f64 = 12.0;

/// The line height of labels, in pixels.
pub const LINE: f64 = 15.0;

/// The font family; no font is downloaded.
pub const FAMILY: &str =
    "\"Helvetica Neue\", Helvetica, Arial, \"Liberation Sans\", \"Segoe UI\", Roboto, sans-serif";

/// Allowance for wider fallback fonts: DejaVu Sans sets the same text about an eighth wider than
/// Arial.
const SAFETY: f64 = 1.14;

/// Returns an upper estimate of the width of text in pixels, from Arial's advance widths.
pub fn width(text: &str) -> f64 {
    let thousandths = |letter: char| match letter {
        'i' | 'j' | 'l' | '\'' | '|' => 222.0,
        ' ' | '.' | ',' | ':' | ';' | '!' | '/' | 'I' | 'f' | 't' | '[' | ']' | '·'
        | '\u{202F}' => 278.0,
        'r' | '-' | '(' | ')' | '⁰'..='⁾' | '¹' | '²' | '³' => 333.0,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 500.0,
        'A' | 'B' | 'E' | 'K' | 'P' | 'S' | 'V' | 'X' | 'Y' | 'F' | 'T' | 'Z' => 667.0,
        'C' | 'D' | 'H' | 'N' | 'R' | 'U' => 722.0,
        'G' | 'O' | 'Q' => 778.0,
        'm' | 'M' | 'w' | 'W' | '%' => 944.0,
        letter if letter.is_ascii() || letter == '−' => 584.0,
        'α'..='ω' | 'À'..='ɏ' => 650.0,
        // Ideographs, emoji and any other character.
        _ => 1050.0,
    };
    text.chars().map(thousandths).sum::<f64>() / 1000.0 * SIZE * SAFETY
}

/// Truncates text that is wider than `room`.
pub fn cut(text: &str, room: f64) -> String {
    if width(text) <= room {
        return text.into();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if width(&kept) + width(&format!("{letter}…")) > room {
            break;
        }
        kept.push(letter);
    }
    kept.trim_end().to_string() + "…"
}

/// Replaces the characters that XML does not allow.
///
/// A name may contain control characters, which are illegal in XML even when escaped.
pub fn printable(text: &str) -> String {
    text.replace(
        |letter: char| {
            (letter.is_control() && letter != '\n') || matches!(letter, '\u{FFFE}' | '\u{FFFF}')
        },
        "\u{FFFD}",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits() {
        for text in [
            "short",
            "a name that goes on and on and on",
            "表表表表表表表表表表表表",
        ] {
            assert!(width(&cut(text, 90.0)) <= 90.0, "{}", cut(text, 90.0));
        }
        assert_eq!(cut("short", 90.0), "short");
        assert_eq!(cut("", 0.0), "");
    }
}
