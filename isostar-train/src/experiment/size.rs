//! Sizes as text.

/// Formats a number of bytes, such as `1.5 MB`.
pub(super) fn size(bytes: u64) -> String {
    let (number, unit) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => (bytes as f64 / 1e3, "kB"),
        1_000_000..1_000_000_000 => (bytes as f64 / 1e6, "MB"),
        _ => (bytes as f64 / 1e9, "GB"),
    };
    format!("{number:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(
            [0, 999, 1_500, 12_345_678, 3_000_000_000].map(size),
            ["0 bytes", "999 bytes", "1.5 kB", "12.3 MB", "3.0 GB"]
        );
    }
}
