//! The names of points in messages.

use std::fmt;
use std::path::{Path, PathBuf};

/// The location of a tensor: its file and, if it has one, its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// The name of the tensor in its file; `None` for the array of an .npy file, and for the
    /// combined columns of a Parquet file.
    pub tensor: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tensor {
            Some(name) => write!(f, "{}, tensor {name:?}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// Where points come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A tensor in a file.
    File(Location),
    /// A tensor on a device, by the name that messages give it.
    Tensor(String),
}

impl Source {
    /// The file; `None` for a tensor on a device.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(location) => Some(&location.path),
            Self::Tensor(_) => None,
        }
    }

    /// The name of the tensor in its file; `None` if it has none, or is in no file.
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::File(location) => location.tensor.as_deref(),
            Self::Tensor(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(location) => location.fmt(f),
            Self::Tensor(name) => f.write_str(name),
        }
    }
}

impl From<Location> for Source {
    fn from(location: Location) -> Self {
        Self::File(location)
    }
}
