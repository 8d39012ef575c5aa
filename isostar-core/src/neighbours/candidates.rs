//! The best neighbour candidates of each point so far, found in tiles of Gram products.

use std::ops::Range;

use rayon::prelude::*;

/// Values compared before branching: whole vector registers on every machine.
const LANES: usize = 16;
/// Columns per thread: their thresholds fit the L1 cache.
const STRIPE: usize = 128;
/// Minimum number of rows per thread.
const ROWS: usize = 32;

/// Products cᵢ·cⱼ of points i in `rows` with points j in `columns`, row by row. Only pairs with
/// i > j count.
pub(super) struct Tile<'a> {
    pub products: &'a [f32],
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

/// For each of n points i, the `width` other points j with the largest
///
/// ```text
///   vᵢⱼ = cᵢ·cⱼ − ‖cⱼ‖²/2 = (‖cᵢ‖² − ‖cᵢ − cⱼ‖²)/2
/// ```
///
/// in f32, in descending order; ties keep the order in which they were seen. Each tile is read
/// twice, once for its rows and once for its columns, so no two threads write to the same list and
/// the result does not depend on the number of threads.
pub(super) struct Candidates {
    pub width: usize,
    values: Vec<f32>,
    points: Vec<u32>,
    /// The smallest value in each list, which a new candidate must exceed.
    least: Vec<f32>,
}

impl Candidates {
    pub fn new(n: usize, width: usize) -> Self {
        Self {
            width,
            values: vec![f32::NEG_INFINITY; n * width],
            points: vec![0; n * width],
            least: vec![f32::NEG_INFINITY; n],
        }
    }

    /// The values of a point's candidates, in descending order.
    pub fn values(&self, point: usize) -> &[f32] {
        &self.values[point * self.width..][..self.width]
    }

    /// The candidates of a range of points, one list after the other.
    pub fn points(&self, of: Range<usize>) -> &[u32] {
        &self.points[of.start * self.width..of.end * self.width]
    }

    /// Adds all pairs of a tile. `halves`: ‖cⱼ‖²/2 of all points.
    pub fn scan(&mut self, tile: &Tile, halves: &[f32]) {
        self.scan_rows(tile, &halves[tile.columns.clone()]);
        self.scan_columns(tile, &halves[tile.rows.clone()]);
    }

    fn scan_rows(&mut self, tile: &Tile, halves: &[f32]) {
        let width = self.width;
        let lists = tile.rows.start * width..tile.rows.end * width;
        (self.values[lists.clone()].par_chunks_mut(width))
            .zip(self.points[lists].par_chunks_mut(width))
            .zip(&mut self.least[tile.rows.clone()])
            .zip(tile.products.par_chunks(tile.columns.len()))
            .enumerate()
            .with_min_len(ROWS)
            .for_each(|(row, (((values, points), least), products))| {
                let counted = (tile.rows.start + row)
                    .saturating_sub(tile.columns.start)
                    .min(products.len());
                for (chunk, (products, halves)) in products[..counted]
                    .chunks(LANES)
                    .zip(halves.chunks(LANES))
                    .enumerate()
                {
                    let largest = over(products, halves, |product, half| product - half);
                    if largest > *least {
                        for (lane, (product, half)) in products.iter().zip(halves).enumerate() {
                            if product - half > *least {
                                *least = insert(
                                    values,
                                    points,
                                    product - half,
                                    tile.columns.start + chunk * LANES + lane,
                                );
                            }
                        }
                    }
                }
            });
    }

    fn scan_columns(&mut self, tile: &Tile, halves: &[f32]) {
        let width = self.width;
        let lists = tile.columns.start * width..tile.columns.end * width;
        (self.values[lists.clone()].par_chunks_mut(STRIPE * width))
            .zip(self.points[lists].par_chunks_mut(STRIPE * width))
            .zip(self.least[tile.columns.clone()].par_chunks_mut(STRIPE))
            .enumerate()
            .for_each(|(stripe, ((values, points), least))| {
                let start = stripe * STRIPE;
                for (row, (products, half)) in tile
                    .products
                    .chunks_exact(tile.columns.len())
                    .zip(halves)
                    .enumerate()
                {
                    let row = tile.rows.start + row;
                    let counted = row
                        .saturating_sub(tile.columns.start + start)
                        .min(least.len());
                    for (chunk, products) in products[start..][..counted].chunks(LANES).enumerate()
                    {
                        let first = chunk * LANES;
                        // Positive exactly if the difference exceeds `least`: subtracting unequal
                        // numbers never gives 0.
                        let excess = over(products, &least[first..], |product, least| {
                            product - half - least
                        });
                        if excess > 0.0 {
                            for (product, column) in products.iter().zip(first..) {
                                if product - half > least[column] {
                                    let list = column * width..(column + 1) * width;
                                    least[column] = insert(
                                        &mut values[list.clone()],
                                        &mut points[list],
                                        product - half,
                                        row,
                                    );
                                }
                            }
                        }
                    }
                }
            });
    }
}

/// The largest f(a, b) of up to [`LANES`] pairs; a full set compiles to vector instructions.
#[inline(always)]
fn over(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let larger = |largest: f32, value: f32| if value > largest { value } else { largest };
    if let (Some(a), Some(b)) = (a.first_chunk::<LANES>(), b.first_chunk::<LANES>()) {
        let mut values: [f32; LANES] = std::array::from_fn(|lane| f(a[lane], b[lane]));
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                values[lane] = larger(values[lane], values[lane + half]);
            }
            half /= 2;
        }
        return values[0];
    }
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f(a, b))
        .fold(f32::NEG_INFINITY, larger)
}

/// Inserts a value that exceeds the last one into a sorted list, and returns the new last value.
fn insert(values: &mut [f32], points: &mut [u32], value: f32, point: usize) -> f32 {
    let last = values.len() - 1;
    let mut at = last;
    while at > 0 && values[at - 1] < value {
        values[at] = values[at - 1];
        points[at] = points[at - 1];
        at -= 1;
    }
    values[at] = value;
    points[at] = u32::try_from(point).expect("fewer than 2³² points");
    values[last]
}
