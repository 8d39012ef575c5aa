//! The exact nearest neighbours of points, without the n×n matrix of their distances.

mod candidates;
mod centred;
mod exact;

use burn::prelude::*;
use isostar_kernels::exact_product;

use candidates::{Candidates, Tile};
use centred::Centred;

/// Points per block of rows.
const ROWS: usize = 2048;
/// Columns per product.
const COLUMNS: usize = 512;
/// Candidates beyond the k nearest: a point's distances are recomputed only if rounding in f32
/// swaps more neighbours than this.
const SPARE: usize = 6;

/// Distances of points to their nearest neighbours.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestNeighbours {
    /// Number n of points.
    pub count: usize,
    /// Number of neighbours per point: the number requested, or n − 1 if there are fewer.
    pub k: usize,
    /// Euclidean distances, ascending for each point. Shape `[n, k]`, row by row.
    pub distances: Vec<f64>,
    /// Number of points whose neighbours f32 could not separate, so that their distances to all
    /// others were computed in f64.
    pub recomputed: usize,
}

impl NearestNeighbours {
    /// Iterates over the distances of each point whose nearest neighbour is at a positive, finite
    /// distance.
    ///
    /// Estimates of a dimension use ratios of distances, so they leave out points that have a
    /// duplicate, as scikit-dimension does. These points still count as neighbours of others.
    /// Points whose coordinates are not finite are left out too.
    pub fn apart(&self) -> impl Iterator<Item = &[f64]> {
        self.distances
            .chunks_exact(self.k.max(1))
            .filter(|distances| distances[0] > 0.0 && distances[0].is_finite())
    }
}

/// Returns the distances of each point to its k nearest neighbours, exact to f64, on any backend.
///
/// The product of each pair is computed once, in tiles of 2048 by 512 points, relative to their
/// common mean, in f32 on the device (on CUDA in f64, because its f32 products round their factors). A scan of each tile keeps k + 6 candidates per point. The
/// distances of the candidates are then computed in f64 from differences of the original
/// coordinates, so nothing cancels, wherever the points lie. A bound on the rounding of the
/// products shows that no other point can be closer. If the bound fails (clusters far tighter than
/// their distance from the mean, dozens of neighbours at one distance), all distances of that point
/// are computed in f64. So the result never depends on the rounding of the device.
///
/// The work is n²·d/2 multiplications; memory beyond the points is one tile and O(n·k). Not
/// differentiable.
///
/// Duplicates are neighbours at distance 0. If any coordinate is not finite, all distances are NaN.
/// `progress` receives the progress since the last call, in points; the numbers add up to n.
///
/// ```
/// use burn::prelude::*;
/// use isostar_core::nearest_neighbours;
///
/// let points = Tensor::<2>::from_floats([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]], &Device::flex());
/// let neighbours = nearest_neighbours(points, 1, &|_| ());
/// assert_eq!(neighbours.distances, [2.0, 13f64.sqrt(), 2.0]);
/// ```
///
/// # Shapes
/// - `points`: `[n, d]`; half precision is cast to f32
///
/// # Panics
/// If `k` is 0, there are 2³² points or more, or the device cannot be read.
pub fn nearest_neighbours(
    points: Tensor<2>,
    k: usize,
    progress: &dyn Fn(usize),
) -> NearestNeighbours {
    assert!(
        k > 0,
        "nearest_neighbours: there must be at least one neighbour to look for"
    );
    let points = points.without_autodiff();
    let [count, d] = points.dims();
    let k = k.min(count.saturating_sub(1));
    let alike = |distance| NearestNeighbours {
        count,
        k,
        distances: vec![distance; count * k],
        recomputed: 0,
    };
    if k == 0 || d == 0 {
        progress(count);
        return alike(0.0);
    }
    let Some(centred) = Centred::new(points.clone(), ROWS) else {
        progress(count);
        return alike(f64::NAN);
    };
    let mut search = Search::new(count, k);
    for start in (0..count).step_by(ROWS) {
        search.block(&centred, start, progress);
    }
    let (distances, recomputed) =
        exact::settle(&points, &centred, &search.norms, &search.candidates, k);
    NearestNeighbours {
        count,
        k,
        distances,
        recomputed,
    }
}

/// State of the pass over all pairs.
struct Search {
    count: usize,
    candidates: Candidates,
    /// ‖cᵢ‖² of the centred points.
    norms: Vec<f64>,
    /// ‖cᵢ‖²/2 in f32.
    halves: Vec<f32>,
    /// Number of pairs seen, and the progress reported so far, in points.
    pairs: usize,
    told: usize,
}

impl Search {
    fn new(count: usize, k: usize) -> Self {
        let width = (k + SPARE).min(count - 1);
        Self {
            count,
            candidates: Candidates::new(count, width),
            norms: vec![],
            halves: vec![],
            pairs: 0,
            told: 0,
        }
    }

    /// Adds the pairs of a block of points with each other and with all earlier points.
    ///
    /// The columns nearest in index come first: if neighbours have nearby indices, the lists fill
    /// with near points early, and few later ones need to be inserted.
    fn block(&mut self, centred: &Centred, start: usize, progress: &dyn Fn(usize)) {
        let end = self.count.min(start + ROWS);
        let rows = centred.rows(start..end);
        self.measure(rows.clone());
        for first in (0..end).step_by(COLUMNS).rev() {
            let columns = first..end.min(first + COLUMNS);
            let from = start.max(first);
            let left = rows.clone().narrow(0, from - start, end - from);
            let right = if first < start {
                centred.rows(columns.clone())
            } else {
                rows.clone().narrow(0, first - start, columns.len())
            };
            let products = exact_product(left, right.transpose()).into_data();
            let tile = Tile {
                products: products.as_slice().expect("products in f32"),
                rows: from..end,
                columns: columns.clone(),
            };
            self.candidates.scan(&tile, &self.halves);
            self.tell(from..end, columns, progress);
        }
    }

    fn measure(&mut self, rows: Tensor<2>) {
        let d = rows.dims()[1];
        let data = rows.into_data();
        let values: &[f32] = data.as_slice().expect("rows in f32");
        let norms = values.chunks_exact(d).map(|row| {
            row.iter()
                .map(|&value| (value as f64) * (value as f64))
                .sum::<f64>()
        });
        self.norms.extend(norms);
        let known = self.halves.len();
        self.halves
            .extend(self.norms[known..].iter().map(|norm| (norm / 2.0) as f32));
    }

    fn tell(
        &mut self,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        progress: &dyn Fn(usize),
    ) {
        self.pairs += rows
            .map(|row| row.min(columns.end).saturating_sub(columns.start))
            .sum::<usize>();
        let all = self.count * (self.count - 1) / 2;
        let done = (self.count as u128 * self.pairs as u128 / all as u128) as usize;
        progress(done - self.told);
        self.told = done;
    }
}
