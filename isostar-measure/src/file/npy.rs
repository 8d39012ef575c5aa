//! The header of NumPy's .npy files, versions 1 to 3.
//!
//! No crate fits. ndarray-npy 0.10 keeps its header private, and its readers and views need the
//! element type at compile time. npyz 0.9 exports the header, but first allocates as many bytes, up
//! to 4 GiB, as an untrusted file declares for it.

use std::ops::Range;

use super::error::FormatError;
use super::numbers::Storage;
use super::tensor::StoredTensor;
use crate::Location;
use crate::element::Element;

/// The first bytes of every .npy file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The maximum size of the magic number and header; enough for a record of a thousand fields.
pub(super) const LARGEST_HEAD: u64 = 1 << 16;

/// An array in a file.
#[derive(Debug)]
pub(super) struct NpyArray {
    /// The element type as described by NumPy.
    description: String,
    /// The element type; `None` if it is not a real number.
    element: Option<Element>,
    /// Whether the first index varies fastest, as in Fortran and in transposed arrays.
    fortran_order: bool,
    shape: Vec<usize>,
    /// The range of the numbers in the file; empty if they are not real numbers.
    pub bytes: Range<u64>,
}

impl NpyArray {
    /// Finds the array in a file of `total` bytes whose first bytes are `head`: the whole file, or
    /// its first [`LARGEST_HEAD`] bytes.
    ///
    /// Bytes after the array are ignored, as in NumPy. The range of elements that are not real
    /// numbers is not computed.
    ///
    /// # Errors
    /// If the header is invalid, or declares more bytes than the file holds.
    pub fn find(place: &Location, head: &[u8], total: u64) -> Result<Self, FormatError> {
        let refused = |reason| FormatError::NpyHeader {
            place: place.clone(),
            reason,
        };
        let cut_short = || refused("the file ends within its header");

        let after_magic = head
            .strip_prefix(MAGIC)
            .ok_or_else(|| refused("it does not start with the .npy magic number"))?;
        let version = *after_magic.first().ok_or_else(cut_short)?;
        let after_version = after_magic.get(2..).ok_or_else(cut_short)?;
        let (length, length_size) = match version {
            1 => (
                after_version
                    .first_chunk()
                    .map(|bytes| u16::from_le_bytes(*bytes) as u64),
                2,
            ),
            2 | 3 => (
                after_version
                    .first_chunk()
                    .map(|bytes| u32::from_le_bytes(*bytes) as u64),
                4,
            ),
            _ => return Err(refused("unknown version of the .npy format")),
        };
        let header_start = MAGIC.len() + 2 + length_size;
        let start = header_start as u64 + length.ok_or_else(cut_short)?;
        if start > total {
            return Err(cut_short());
        }
        if start > LARGEST_HEAD {
            return Err(refused("the header is longer than 64 KiB"));
        }
        let header = head
            .get(header_start..start as usize)
            .ok_or_else(cut_short)?;

        let not_understood = || refused("the header cannot be parsed");
        let header = std::str::from_utf8(header)
            .ok()
            .and_then(Header::parse)
            .ok_or_else(not_understood)?;
        let Header {
            description,
            fortran_order,
            shape,
        } = header;
        let element = Element::of_npy(description);
        let (size, found) = (element.map_or(0, Element::size), total - start);
        let needed = match element {
            Some(_) => shape
                .iter()
                .try_fold(size, |product, extent| product.checked_mul(*extent)),
            None => Some(0),
        };
        match needed {
            Some(needed) if needed as u64 <= found => Ok(Self {
                description: description.into(),
                element,
                fortran_order,
                shape,
                bytes: start..start + needed as u64,
            }),
            _ => Err(FormatError::Truncated {
                place: place.clone(),
                shape,
                size,
                found,
            }),
        }
    }

    /// Returns the array as a tensor with its numbers in `storage`.
    pub fn stored(self, name: Option<String>, storage: Storage) -> StoredTensor {
        let Self {
            description,
            element,
            fortran_order,
            shape,
            ..
        } = self;
        StoredTensor {
            name,
            element,
            element_name: description,
            shape,
            fortran_order,
            storage,
        }
    }
}

/// The dictionary in the header, a Python literal: `{'descr': '<f4', 'fortran_order': False,
/// 'shape': (3, 4), }`.
struct Header<'a> {
    /// The element type, or the start of a list for records.
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
        Some(Self {
            description: description?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
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
        let quote = text
            .chars()
            .next()
            .filter(|quote| ['\'', '"'].contains(quote))?;
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

    /// Parses integers in parentheses; Python 2 wrote an L after long ones.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        self.symbol('(')?;
        let (numbers, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        let numbers = numbers
            .split(',')
            .map(str::trim)
            .filter(|number| !number.is_empty());
        numbers
            .map(|number| number.trim_end_matches('L').parse().ok())
            .collect()
    }

    /// Returns the fields of a record unparsed, for error messages.
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
    fn a_header_parses_in_any_order_and_with_either_quote() {
        let header =
            Header::parse("{\"shape\": (3L, 4), 'fortran_order': True, 'descr': '>f8'}  \n")
                .unwrap();
        assert_eq!(
            (header.description, header.fortran_order, header.shape),
            (">f8", true, vec![3, 4])
        );
        let header = Header::parse(
            "{'descr': [('x', '<f4'), ('y', '<f4', (2,))], 'fortran_order': False, 'shape': (), }",
        )
        .unwrap();
        assert_eq!(
            (header.description, header.shape),
            ("[('x', '<f4'), ('y', '<f4', (2,))]", vec![])
        );
    }

    #[test]
    fn invalid_headers_are_refused() {
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
