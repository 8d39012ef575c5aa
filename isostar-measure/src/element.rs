//! Number types in files, decoded to f64.

use burn::tensor::{DType, bf16, f16};
use safetensors::Dtype;

/// A number type and its byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    number: Number,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    BF16,
    F32,
    F64,
}

impl Element {
    /// f64, which represents every other floating-point type.
    pub const F64: Self = Self {
        number: Number::F64,
        big_endian: false,
    };

    /// f32 as a tensor holds it.
    pub const F32: Self = Self {
        number: Number::F32,
        big_endian: cfg!(target_endian = "big"),
    };

    /// Returns the type for a NumPy description such as `<f4`, `>f8` or `|b1`; `None` if it is not
    /// a real number.
    pub fn of_npy(description: &str) -> Option<Self> {
        let (order, kind) = description.split_at_checked(1)?;
        let big_endian = match order {
            "<" | "|" => false,
            ">" => true,
            _ => return None,
        };
        let number = match kind {
            "b1" => Number::Bool,
            "i1" => Number::I8,
            "i2" => Number::I16,
            "i4" => Number::I32,
            "i8" => Number::I64,
            "u1" => Number::U8,
            "u2" => Number::U16,
            "u4" => Number::U32,
            "u8" => Number::U64,
            "f2" => Number::F16,
            "f4" => Number::F32,
            "f8" => Number::F64,
            _ => return None,
        };
        Some(Self { number, big_endian })
    }

    /// Returns the type for a safetensors type; `None` if it is not a real number of whole bytes
    /// with sufficient precision.
    pub fn of_safetensors(dtype: Dtype) -> Option<Self> {
        let number = match dtype {
            Dtype::BOOL => Number::Bool,
            Dtype::I8 => Number::I8,
            Dtype::I16 => Number::I16,
            Dtype::I32 => Number::I32,
            Dtype::I64 => Number::I64,
            Dtype::U8 => Number::U8,
            Dtype::U16 => Number::U16,
            Dtype::U32 => Number::U32,
            Dtype::U64 => Number::U64,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::BF16,
            Dtype::F32 => Number::F32,
            Dtype::F64 => Number::F64,
            _ => return None,
        };
        Some(Self {
            number,
            big_endian: false,
        })
    }

    /// Returns the type of the numbers of a tensor when they are read from its device; `None` if they
    /// are not floating-point numbers that are stored as such.
    pub fn of_tensor(dtype: DType) -> Option<Self> {
        let number = match dtype {
            DType::F16 => Number::F16,
            DType::BF16 => Number::BF16,
            DType::F32 => Number::F32,
            DType::F64 => Number::F64,
            _ => return None,
        };
        Some(Self {
            number,
            big_endian: cfg!(target_endian = "big"),
        })
    }

    /// Bytes per number.
    pub fn size(self) -> usize {
        match self.number {
            Number::Bool | Number::I8 | Number::U8 => 1,
            Number::I16 | Number::U16 | Number::F16 | Number::BF16 => 2,
            Number::I32 | Number::U32 | Number::F32 => 4,
            Number::I64 | Number::U64 | Number::F64 => 8,
        }
    }

    /// Whether the type is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(
            self.number,
            Number::F16 | Number::BF16 | Number::F32 | Number::F64
        )
    }

    /// Decodes numbers until either slice ends. Integers beyond 2⁵³ are rounded.
    pub fn decode(self, bytes: &[u8], values: &mut [f64]) {
        match self.number {
            Number::Bool => self.each(bytes, values, |[byte]| f64::from(byte != 0)),
            Number::I8 => self.each(bytes, values, |bytes| f64::from(i8::from_le_bytes(bytes))),
            Number::I16 => self.each(bytes, values, |bytes| f64::from(i16::from_le_bytes(bytes))),
            Number::I32 => self.each(bytes, values, |bytes| f64::from(i32::from_le_bytes(bytes))),
            Number::I64 => self.each(bytes, values, |bytes| i64::from_le_bytes(bytes) as f64),
            Number::U8 => self.each(bytes, values, |bytes| f64::from(u8::from_le_bytes(bytes))),
            Number::U16 => self.each(bytes, values, |bytes| f64::from(u16::from_le_bytes(bytes))),
            Number::U32 => self.each(bytes, values, |bytes| f64::from(u32::from_le_bytes(bytes))),
            Number::U64 => self.each(bytes, values, |bytes| u64::from_le_bytes(bytes) as f64),
            Number::F16 => self.each(bytes, values, |bytes| f16::from_le_bytes(bytes).to_f64()),
            Number::BF16 => self.each(bytes, values, |bytes| bf16::from_le_bytes(bytes).to_f64()),
            Number::F32 => self.each(bytes, values, |bytes| f64::from(f32::from_le_bytes(bytes))),
            Number::F64 => self.each(bytes, values, f64::from_le_bytes),
        }
    }

    fn each<const SIZE: usize>(
        self,
        bytes: &[u8],
        values: &mut [f64],
        decode: impl Fn([u8; SIZE]) -> f64,
    ) {
        let (elements, _) = bytes.as_chunks::<SIZE>();
        pulp::Arch::new().dispatch(|| {
            // Branch on the byte order once, outside the loops, so that they compile to vector
            // instructions.
            if self.big_endian {
                for (value, &element) in values.iter_mut().zip(elements) {
                    let mut element = element;
                    element.reverse();
                    *value = decode(element);
                }
            } else {
                for (value, &element) in values.iter_mut().zip(elements) {
                    *value = decode(element);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(description: &str, bytes: &[u8]) -> f64 {
        let element = Element::of_npy(description).unwrap();
        assert_eq!(element.size(), bytes.len(), "{description}");
        let mut value = [f64::NAN];
        element.decode(bytes, &mut value);
        value[0]
    }

    #[test]
    fn every_numpy_type_reads_in_both_byte_orders() {
        assert_eq!(decoded("|b1", &[1]), 1.0);
        assert_eq!(decoded("|i1", &[0xfe]), -2.0);
        assert_eq!(decoded("|u1", &[0xfe]), 254.0);
        assert_eq!(decoded("<i2", &(-300_i16).to_le_bytes()), -300.0);
        assert_eq!(decoded(">u2", &60_000_u16.to_be_bytes()), 60_000.0);
        assert_eq!(decoded(">i4", &(-70_000_i32).to_be_bytes()), -70_000.0);
        assert_eq!(decoded("<u4", &4_000_000_000_u32.to_le_bytes()), 4e9);
        assert_eq!(decoded("<i8", &(-1_i64).to_le_bytes()), -1.0);
        assert_eq!(decoded(">u8", &u64::MAX.to_be_bytes()), 2f64.powi(64));
        assert_eq!(decoded("<f2", &f16::from_f32(0.25).to_le_bytes()), 0.25);
        assert_eq!(decoded(">f2", &f16::from_f32(-1.5).to_be_bytes()), -1.5);
        assert_eq!(
            decoded(">f4", &1.5e30_f32.to_be_bytes()),
            f64::from(1.5e30_f32)
        );
        assert_eq!(decoded("<f8", &1e-300_f64.to_le_bytes()), 1e-300);
    }

    #[test]
    fn types_that_are_not_real_numbers_are_refused() {
        for description in [
            "<c8", "|O", "<U5", "|S3", "<M8[ns]", "<f16", "|V2", "f4", "", "é4",
        ] {
            assert_eq!(Element::of_npy(description), None, "{description:?}");
        }
        assert_eq!(Element::of_safetensors(Dtype::C64), None);
        assert_eq!(Element::of_safetensors(Dtype::F8_E4M3), None);
    }
}
