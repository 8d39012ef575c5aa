//! What was assumed about points where the user did not say.

use std::fmt;

use super::error::{few, list};

/// An assumption about points, and the option that changes it where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// No mask is used.
    NoMask {
        /// How many points there are, all of which count.
        positions: usize,
        /// The tensors of the file that could be the mask.
        possible: Vec<String>,
    },
    /// One mask of several is used.
    OneMask {
        /// The name of that mask.
        mask: String,
        /// The names of the others.
        others: Vec<String>,
    },
    /// Each of several columns is a dimension of the points.
    Columns {
        /// How many columns.
        count: usize,
        /// The other columns, with their types.
        left_out: Vec<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMask { positions, possible } => match possible.is_empty() {
                true => write!(f, "no mask: all {positions} positions count; name one with --mask"),
                false => {
                    let possible = list(possible);
                    write!(
                        f,
                        "no mask: all {positions} positions count; name one with --mask, {possible} if it is nonzero where points count"
                    )
                }
            },
            Self::OneMask { mask, others } => write!(f, "the mask is {mask:?}, not {}; name another with --mask", list(others)),
            Self::Columns { count, left_out } => {
                write!(f, "the {count} floating-point columns are taken as the dimensions of the points")?;
                match left_out.is_empty() {
                    true => f.write_str("; no column is left out"),
                    false => write!(f, "; left out: {}", few(left_out)),
                }
            }
        }
    }
}
