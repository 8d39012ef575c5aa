//! Points relative to their centre, block by block in f32: the factors of the Gram products.

use std::ops::Range;

use burn::prelude::*;
use burn::tensor::DType;
use isostar_kernels::on_host;
use rayon::prelude::*;

use crate::moments::widen;

/// Range of the largest deviation in which squares and products stay within f32, from 2⁻³² to 2³²;
/// points outside it are scaled.
const HARMLESS: Range<f64> = 1.0 / (1u64 << 32) as f64..(1u64 << 32) as f64;
/// Largest exponents of the scale, which keep it a normal number in f32 and f64.
const EXPONENTS: [f64; 2] = [126.0, 1000.0];

/// The column sums, minima and maxima of points.
struct Extent {
    sums: Vec<f64>,
    lowest: Vec<f64>,
    highest: Vec<f64>,
}

impl Extent {
    fn from_rows<T: Copy + Into<f64>>(values: &[T], d: usize) -> Self {
        let first: Vec<f64> = values[..d].iter().map(|&value| value.into()).collect();
        let mut extent = Self {
            sums: vec![0.0; d],
            lowest: first.clone(),
            highest: first,
        };
        for row in values.chunks_exact(d) {
            let columns = extent
                .sums
                .iter_mut()
                .zip(&mut extent.lowest)
                .zip(&mut extent.highest);
            for (((sum, lowest), highest), &value) in columns.zip(row) {
                let value: f64 = value.into();
                *sum += value;
                *lowest = if value < *lowest { value } else { *lowest };
                *highest = if value > *highest { value } else { *highest };
            }
        }
        extent
    }

    fn merge(mut self, other: Self) -> Self {
        let fold = |ours: &mut [f64], theirs: &[f64], f: fn(f64, f64) -> f64| {
            ours.iter_mut()
                .zip(theirs)
                .for_each(|(ours, &theirs)| *ours = f(*ours, theirs));
        };
        fold(&mut self.sums, &other.sums, |ours, theirs| ours + theirs);
        fold(&mut self.lowest, &other.lowest, f64::min);
        fold(&mut self.highest, &other.highest, f64::max);
        self
    }
}

/// The points s·xᵢ − m, with s a power of two and m close to the mean of all s·xᵢ.
///
/// The centred points are not stored: each block is centred again when it is needed.
pub(super) struct Centred {
    points: Tensor<2>,
    centre: Tensor<2>,
    /// Factor s; 1 unless squares of the points would leave the range of f32.
    pub scale: f64,
}

impl Centred {
    /// Finds the centre and the scale; `None` if a number is not finite. `points` must have at
    /// least one row and one column.
    pub fn new(points: Tensor<2>, block: usize) -> Option<Self> {
        let [n, d] = points.dims();
        let extents = (0..n).step_by(block).map(|start| {
            let data = widen(points.clone().narrow(0, start, block.min(n - start))).into_data();
            on_host(
                &data,
                |values| extent(values, d),
                |values| extent(values, d),
            )
        });
        let Extent {
            sums,
            lowest,
            highest,
        } = extents.reduce(Extent::merge).expect("at least one row");
        if sums.iter().any(|sum| !sum.is_finite()) {
            return None;
        }
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n as f64).collect();
        let reach = mean
            .iter()
            .zip(&lowest)
            .zip(&highest)
            .map(|((mean, lowest), highest)| (highest - mean).max(mean - lowest));
        let device = points.device();
        let (dtype, exponent) = if points.dtype() == DType::F64 {
            (DType::F64, EXPONENTS[1])
        } else {
            (DType::F32, EXPONENTS[0])
        };
        let scale = power_of_two(reach.fold(0.0, f64::max), exponent);
        let centre = mean.iter().map(|mean| mean * scale).collect::<Vec<_>>();
        let centre = Tensor::from_data(
            TensorData::new(centre, [1, d]).convert_dtype(dtype),
            (&device, dtype),
        );
        Some(Self {
            points,
            centre,
            scale,
        })
    }

    /// The rows s·xᵢ − m, rounded to f32 once. Shape `[rows, d]`.
    pub fn rows(&self, rows: Range<usize>) -> Tensor<2> {
        let block = widen(self.points.clone().narrow(0, rows.start, rows.len()));
        let block = if self.scale == 1.0 {
            block
        } else {
            block * self.scale
        };
        let block = block - self.centre.clone();
        if block.dtype() == DType::F32 {
            block
        } else {
            block.cast(DType::F32)
        }
    }
}

fn extent<T: Copy + Into<f64> + Sync>(values: &[T], d: usize) -> Extent {
    const ROWS: usize = 64;
    let parts: Vec<Extent> = values
        .par_chunks(ROWS * d)
        .map(|rows| Extent::from_rows(rows, d))
        .collect();
    parts
        .into_iter()
        .reduce(Extent::merge)
        .expect("a block has rows")
}

/// The power of two that scales `reach` to about 1; 1 if no scaling is needed.
fn power_of_two(reach: f64, largest_exponent: f64) -> f64 {
    if reach == 0.0 || HARMLESS.contains(&reach) {
        return 1.0;
    }
    (-reach.log2().floor())
        .clamp(-largest_exponent, largest_exponent)
        .exp2()
}
