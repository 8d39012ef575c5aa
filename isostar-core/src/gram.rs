//! XᵀX of many rows, for which a general product of matrices does twice the work or knows too few blocks.

use burn::prelude::*;

/// The widest points whose product is taken whole; wider ones gain from leaving out what lies above the diagonal.
const WHOLE: usize = 256;

/// How many parts of the rows are multiplied side by side: a d×d result alone is too small for several threads to share.
const PARTS: usize = 8;

/// The fewest rows of a part: shorter products are not shared out.
const PART_ROWS: usize = 256;

/// XᵀX of `rows`, shape `[n, d]` with n ≥ 1. Shape `[d, d]`, symmetric.
pub(crate) fn gram(rows: Tensor<2>) -> Tensor<2> {
    if rows.dims()[1] <= WHOLE { symmetric(by_parts(rows)) } else { by_strips(rows) }
}

/// The sum of the products of parts of the rows.
fn by_parts(rows: Tensor<2>) -> Tensor<2> {
    let [n, d] = rows.dims();
    let part = n / PARTS;
    if part < PART_ROWS {
        return product(rows.clone(), rows);
    }
    let whole = part * PARTS;
    let parts: Tensor<3> = rows.clone().narrow(0, 0, whole).reshape([PARTS, part, d]);
    let sum = parts.clone().transpose().matmul(parts).sum_dim(0).squeeze_dim(0);
    if whole == n {
        return sum;
    }
    let rest = rows.narrow(0, whole, n - whole);
    sum + product(rest.clone(), rest)
}

/// Strips of columns by all columns up to their last one; what lies above the diagonal is the transpose of what lies below.
fn by_strips(rows: Tensor<2>) -> Tensor<2> {
    let d = rows.dims()[1];
    let width = d.div_ceil(d.div_ceil(WHOLE));
    let strips: Vec<(usize, Tensor<2>)> = (0..d)
        .step_by(width)
        .map(|start| {
            let columns = width.min(d - start);
            (start, product(rows.clone().narrow(1, start, columns), rows.clone().narrow(1, 0, start + columns)))
        })
        .collect();
    let whole = strips.iter().enumerate().map(|(at, (start, strip))| {
        let columns = strip.dims()[0];
        let square = symmetric(strip.clone().narrow(1, *start, columns));
        let above = strips[at + 1..].iter().map(|(_, below)| below.clone().narrow(1, *start, columns).transpose());
        let left = (*start > 0).then(|| strip.clone().narrow(1, 0, *start));
        Tensor::cat(left.into_iter().chain([square]).chain(above).collect(), 1)
    });
    Tensor::cat(whole.collect(), 0)
}

/// Without the rounding by which entries (i, j) and (j, i) of a general product differ.
fn symmetric(square: Tensor<2>) -> Tensor<2> {
    (square.clone() + square.transpose()) * 0.5
}

fn product(left: Tensor<2>, right: Tensor<2>) -> Tensor<2> {
    left.transpose().matmul(right)
}
