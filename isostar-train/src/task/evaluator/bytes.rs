//! Reading and writing predictions as little-endian bytes.

/// Bytes that have not been read yet.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn f64(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    /// Reads numbers after their count.
    pub fn floats(&mut self) -> Option<Vec<f32>> {
        let count = self.u32()? as usize;
        let (numbers, rest) = self.0.split_at_checked(count.checked_mul(4)?)?;
        self.0 = rest;
        Some(
            numbers
                .chunks_exact(4)
                .map(|number| f32::from_le_bytes(number.try_into().expect("four bytes")))
                .collect(),
        )
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes the count of numbers, and the numbers.
pub(super) fn write_floats(bytes: &mut Vec<u8>, numbers: &[f32]) {
    bytes.extend((numbers.len() as u32).to_le_bytes());
    numbers
        .iter()
        .for_each(|number| bytes.extend(number.to_le_bytes()));
}
