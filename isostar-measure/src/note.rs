//! Notes on assumptions made about points.

use std::fmt;

use crate::words::{few, list};

/// An assumption about points.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// No mask is used.
    NoMask {
        /// The number of points, all of which are measured.
        positions: usize,
        /// The tensors of the file that may be the mask.
        possible: Vec<String>,
    },
    /// One of several masks is used.
    OneMask {
        /// The name of the mask used.
        mask: String,
        /// The names of the others.
        others: Vec<String>,
    },
    /// Several columns are combined into points, with one dimension per column.
    Columns {
        /// The number of columns.
        count: usize,
        /// The other columns, with their types.
        left_out: Vec<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMask { positions, .. } => {
                write!(f, "no mask: all {positions} positions are measured")
            }
            Self::OneMask { mask, others } => {
                write!(f, "using the mask {mask:?}, not {}", list(others))
            }
            Self::Columns { count, left_out } => {
                write!(
                    f,
                    "the {count} floating-point columns are used as the dimensions of the points"
                )?;
                match left_out.is_empty() {
                    true => f.write_str("; all columns are used"),
                    false => write!(f, "; unused: {}", few(left_out)),
                }
            }
        }
    }
}
