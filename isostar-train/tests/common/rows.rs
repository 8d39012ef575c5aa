//! Rows of a task for tests on slow devices.

use std::fs;
use std::path::Path;

/// 48 training rows and 16 validation rows.
pub fn write_rows(folder: &Path) {
    const WORDS: [&str; 6] = ["rain", "vote", "bank", "game", "war", "fire"];
    for (name, count) in [("train", 48), ("dev", 16)] {
        let line = |row: usize| {
            let word = |step: usize| WORDS[(row * step + row / 5) % WORDS.len()];
            format!(
                "{} {} {}\t{}\n",
                word(1),
                word(2),
                word(5),
                row * row % 3 % 2
            )
        };
        let lines: String = (0..count).map(line).collect();
        fs::write(
            folder.join(format!("{name}.tsv")),
            format!("sentence\tlabel\n{lines}"),
        )
        .unwrap();
    }
}
