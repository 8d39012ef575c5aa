//! Numbers, texts and tensors as the bytes that processes pass to each other.
//!
//! All processes run the same program on machines of one byte order.

use burn::tensor::{BoolStore, DType, TensorData};

/// Types of tensors, each known by its place in this list.
const TYPES: [DType; 15] = [
    DType::F64,
    DType::F32,
    DType::Flex32,
    DType::F16,
    DType::BF16,
    DType::I64,
    DType::I32,
    DType::I16,
    DType::I8,
    DType::U64,
    DType::U32,
    DType::U16,
    DType::U8,
    DType::Bool(BoolStore::Native),
    DType::Bool(BoolStore::U8),
];

/// Appends values to bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub fn number(&mut self, number: usize) -> &mut Self {
        self.0.extend((number as u64).to_le_bytes());
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len()).0.extend(bytes);
        self
    }

    /// # Panics
    /// If the tensor is quantized.
    pub fn data(&mut self, data: &TensorData) -> &mut Self {
        let is_same = |dtype: &DType| *dtype == data.dtype();
        let place = TYPES.iter().position(is_same);
        self.number(place.expect("a step has no quantized tensors"));
        let shape = data.shape().as_slice();
        self.number(shape.len());
        for size in shape {
            self.number(*size);
        }
        self.bytes(data.as_bytes())
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads values in the order in which they were written; `None` where there is no such value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn number(&mut self) -> Option<usize> {
        let bytes = self.take(8)?.try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(count)
    }

    pub fn data(&mut self) -> Option<TensorData> {
        let dtype = *TYPES.get(self.number()?)?;
        let rank = self.number()?;
        let shape = (0..rank).map(|_| self.number());
        let shape: Vec<usize> = shape.collect::<Option<_>>()?;
        let bytes = self.bytes()?.to_vec();
        TensorData::try_from_bytes_vec(bytes, shape, dtype).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_written_and_nothing_else_is() {
        let tensors = [
            TensorData::new(vec![1.5_f32, f32::NAN, -0.0], [3]),
            TensorData::new(vec![7_i64, -1], [1, 2]),
            TensorData::new(vec![true, false], [2, 1]),
            TensorData::new(Vec::<f32>::new(), [0, 4]),
        ];
        let mut writer = Writer::default();
        writer.number(usize::MAX).bytes(b"text");
        for tensor in &tensors {
            writer.data(tensor);
        }
        let bytes = writer.finish();

        let mut reader = Reader(&bytes);
        assert_eq!(reader.number(), Some(usize::MAX));
        assert_eq!(reader.bytes(), Some(&b"text"[..]));
        for tensor in &tensors {
            let read = reader.data().unwrap();
            let parts = |data: &TensorData| (data.shape().clone(), data.as_bytes().to_vec());
            assert_eq!(parts(&read), parts(tensor));
            assert_eq!(read.dtype(), tensor.dtype());
        }
        assert!(reader.0.is_empty());
        assert_eq!(reader.number(), None);

        for cut in 1..bytes.len() {
            let mut reader = Reader(&bytes[..cut]);
            let mut read = || {
                reader.number()?;
                reader.bytes()?;
                (0..4).map(|_| reader.data()).collect::<Option<Vec<_>>>()
            };
            assert!(read().is_none(), "{cut} bytes");
        }
    }
}
