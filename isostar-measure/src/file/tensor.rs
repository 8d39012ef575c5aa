//! A tensor as declared by its file.

use super::numbers::Storage;
use crate::element::Element;
use crate::words::shortened;

/// A tensor as declared by its file.
#[derive(Debug)]
pub(super) struct StoredTensor {
    /// The name; `None` for the array of an .npy file.
    pub name: Option<String>,
    /// The element type; `None` if it is not a real number.
    pub element: Option<Element>,
    /// The type as named in the file.
    pub element_name: String,
    pub shape: Vec<usize>,
    pub fortran_order: bool,
    pub storage: Storage,
}

impl StoredTensor {
    /// Whether the tensor is measured if no tensor is named.
    pub fn is_float_matrix(&self) -> bool {
        self.element.is_some_and(Element::is_float) && matches!(self.shape.len(), 2 | 3)
    }

    /// Formats name, type and shape.
    pub fn description(&self) -> String {
        format!(
            "{:?} ({} {:?})",
            self.name.as_deref().unwrap_or(""),
            shortened(&self.element_name),
            self.shape
        )
    }
}
