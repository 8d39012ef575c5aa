//! The header of NumPy's .npy files, versions 1 to 3.

use std::path::Path;

use super::element::Element;
use super::{EmbeddingsError, Place};

/// What every .npy file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// An array in a file.
#[derive(Debug)]
pub(super) struct NpyArray {
    pub element: Element,
    /// Whether the first index varies fastest, as in Fortran and in transposed arrays.
    pub fortran_order: bool,
    pub shape: Vec<usize>,
    /// Where the numbers begin and end in the file.
    pub bytes: std::ops::Range<usize>,
}

impl NpyArray {
    /// Finds the array in the bytes of a file that begins with [`MAGIC`].
    ///
    /// Bytes behind the array are left alone, as NumPy does.
    ///
    /// # Errors
    /// If the header is not understood, or declares more than the file holds.
    pub fn find(path: &Path, file: &[u8]) -> Result<Self, EmbeddingsError> {
        let refused = |reason| EmbeddingsError::NpyHeader { path: path.into(), reason };
        let cut_short = || refused("the file ends within its header");

        let version = *file.get(MAGIC.len()).ok_or_else(cut_short)?;
        let after_version = file.get(MAGIC.len() + 2..).ok_or_else(cut_short)?;
        let (length, length_size) = match version {
            1 => (after_version.first_chunk().map(|bytes| u16::from_le_bytes(*bytes) as usize), 2),
            2 | 3 => (after_version.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize), 4),
            _ => return Err(refused("a version of the .npy format that is not known")),
        };
        let header_start = MAGIC.len() + 2 + length_size;
        let start = header_start + length.ok_or_else(cut_short)?;
        let header = file.get(header_start..start).ok_or_else(cut_short)?;

        let not_understood = || refused("the header is not understood");
        let header = std::str::from_utf8(header).ok().and_then(Header::parse).ok_or_else(not_understood)?;
        let place = || Place { path: path.into(), tensor: None };
        let element = Element::of_npy(header.description)
            .ok_or_else(|| EmbeddingsError::ElementType { place: place(), found: header.description.into() })?;

        let (size, found) = (element.size(), file.len() - start);
        let needed = header.shape.iter().try_fold(size, |product, extent| product.checked_mul(*extent));
        match needed {
            Some(needed) if needed <= found => {
                Ok(Self { element, fortran_order: header.fortran_order, shape: header.shape, bytes: start..start + needed })
            }
            _ => Err(EmbeddingsError::Truncated { path: path.into(), shape: header.shape, size, found }),
        }
    }
}

/// The header's dictionary, a literal of Python: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Header<'a> {
    /// The type of element, or the beginning of a list for records.
    description: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (mut description, mut fortran_order, mut shape) = (None, None, None);
        let mut cursor = Cursor { rest: text };
        cursor.symbol('{')?;
        while cursor.symbol('}').is_none() {
            let key = cursor.quoted()?;
            cursor.symbol(':')?;
            match key {
                "descr" => description = Some(cursor.quoted().or_else(|| cursor.list())?),
                "fortran_order" => fortran_order = Some(cursor.truth()?),
                "shape" => shape = Some(cursor.tuple()?),
                _ => return None,
            }
            cursor.symbol(',');
        }
        Some(Self { description: description?, fortran_order: fortran_order?, shape: shape? })
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(symbol)?;
        Some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let quote = text.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
        let (quoted, rest) = text[1..].split_once(quote)?;
        self.rest = rest;
        Some(quoted)
    }

    fn truth(&mut self) -> Option<bool> {
        let text = self.rest.trim_start();
        let (truth, rest) = match text.strip_prefix("True") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("False")?),
        };
        self.rest = rest;
        Some(truth)
    }

    /// Whole numbers in parentheses; Python 2 wrote an L behind long ones.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        self.symbol('(')?;
        let (numbers, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        let numbers = numbers.split(',').map(str::trim).filter(|number| !number.is_empty());
        numbers.map(|number| number.trim_end_matches('L').parse().ok()).collect()
    }

    /// The fields of a record, as they stand: they are only named to the user.
    fn list(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let mut depth = 0_usize;
        for (at, symbol) in text.char_indices() {
            match symbol {
                '[' => depth += 1,
                ']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                let (list, rest) = text.split_at(at + symbol.len_utf8());
                self.rest = rest;
                return (list.len() > 1).then_some(list);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_in_any_order_and_with_either_quote() {
        let header = Header::parse("{\"shape\": (3L, 4), 'fortran_order': True, 'descr': '>f8'}  \n").unwrap();
        assert_eq!((header.description, header.fortran_order, header.shape), (">f8", true, vec![3, 4]));
        let header = Header::parse("{'descr': [('x', '<f4'), ('y', '<f4', (2,))], 'fortran_order': False, 'shape': (), }").unwrap();
        assert_eq!((header.description, header.shape), ("[('x', '<f4'), ('y', '<f4', (2,))]", vec![]));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let refused = [
            "",
            "{",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 4)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)",
            "{'descr': [('x', 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': ], 'fortran_order': False, 'shape': (3, 4)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), 'more': 1}",
        ];
        for text in refused {
            assert!(Header::parse(text).is_none(), "{text}");
        }
    }
}
