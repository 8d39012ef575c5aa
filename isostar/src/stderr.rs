//! Lines on stderr.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Prints a line to stderr. A closed pipe, such as that of `head`, does not end the run.
pub fn stderr_line(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
