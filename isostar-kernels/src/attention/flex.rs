//! Attention on flex: one thread for each head of each sequence, block by block of tokens.

use burn::backend::flex::FlexTensor;
use gemm::Parallelism;
use rayon::prelude::*;

use crate::flex::{CHUNK, exp, folded, sums_of};
use crate::product::{Matrix, MatrixMut, Shared, product};
use crate::stream::Stream;
use crate::tape::{Operation, in_order, numbers, tensor, written};
use crate::wide::wide;

/// Scores that a thread has at once, of a few rows; they and their gradients fit a core's cache.
const SCORES: usize = 1 << 15;

fn zeros(count: usize) -> Vec<f32> {
    written(count, CHUNK, |_, _| {})
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) sequences: usize,
    pub(super) tokens: usize,
    pub(super) heads: usize,
    pub(super) d_head: usize,
    /// 1, or the count of tokens.
    pub(super) mask_rows: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Attention {
    pub(super) sizes: Sizes,
    pub(super) scale: f32,
    pub(super) stream: Option<Stream>,
}

/// Queries, keys, values and mask, and the largest score and the inverse of the sum of each
/// softmax. Shape of the last `[sequences, heads, tokens, 2]`.
type Saved = ([FlexTensor; 4], Vec<f32>);

impl Operation<4> for Attention {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 4], _: [bool; 4]) -> (FlexTensor, Saved) {
        let Sizes {
            sequences,
            tokens,
            heads,
            d_head,
            ..
        } = self.sizes;
        let inputs = inputs.map(in_order);
        let [query, key, value, mask] = inputs.each_ref().map(numbers);
        let d = heads * d_head;
        let mut sums = vec![0.0; sequences * heads * tokens * 2];
        let mut output = zeros(sequences * tokens * d);
        let outputs = Shared::new(&mut output);
        let block = || [(); 2].map(|()| vec![0.0; self.rows() * tokens]);
        sums.par_chunks_mut((2 * tokens).max(1))
            .enumerate()
            .for_each_init(block, |[scores, factors], (head, sums)| {
                for (first, rows) in self.blocks() {
                    let (scores, factors) =
                        (&mut scores[..rows * tokens], &mut factors[..rows * tokens]);
                    self.scores(scores, query, key, head, first);
                    let masks = self.mask(mask, head, first);
                    let sums = &mut sums[2 * first..2 * (first + rows)];
                    weights(
                        scores,
                        factors,
                        sums,
                        masks,
                        self.stream.as_ref(),
                        (head * tokens + first) * tokens,
                    );
                    // SAFETY: each part has the rows of one sequence and the columns of one head.
                    let output =
                        unsafe { outputs.part(self.start(head, first), [rows, d_head], d) };
                    let weights = Matrix::new(scores, [rows, tokens], tokens);
                    product(
                        output,
                        false,
                        [weights, self.matrix(value, head, 0, tokens)],
                        1.0,
                        Parallelism::None,
                    );
                }
            });
        (tensor(output, [sequences, tokens, d]), (inputs, sums))
    }

    fn backward(
        self,
        (inputs, sums): Saved,
        gradient: FlexTensor,
        tracked: [bool; 4],
    ) -> [Option<FlexTensor>; 4] {
        let Sizes {
            sequences,
            tokens,
            heads,
            d_head,
            ..
        } = self.sizes;
        let gradient = in_order(gradient);
        let gradient = numbers(&gradient);
        let [query, key, value, mask] = inputs.each_ref().map(numbers);
        let d = heads * d_head;
        let mut gradients = [(); 3].map(|()| zeros(sequences * tokens * d));
        let [queries, keys, values] = gradients.each_mut().map(|numbers| Shared::new(numbers));
        let block = || [(); 3].map(|()| vec![0.0; self.rows() * tokens]);
        (0..sequences * heads).into_par_iter().for_each_init(
            block,
            |[weights, slopes, factors], head| {
                for (first, rows) in self.blocks() {
                    let count = rows * tokens;
                    let (weights, slopes, factors) = (
                        &mut weights[..count],
                        &mut slopes[..count],
                        &mut factors[..count],
                    );
                    self.scores(weights, query, key, head, first);
                    let output = self.matrix(gradient, head, first, rows);
                    let all = |numbers| self.matrix(numbers, head, 0, tokens);
                    let own = |numbers| Matrix::new(numbers, [rows, tokens], tokens);
                    let into = MatrixMut::new(slopes, [rows, tokens], tokens);
                    product(
                        into,
                        false,
                        [output, all(value).transposed()],
                        1.0,
                        Parallelism::None,
                    );
                    let masks = self.mask(mask, head, first);
                    let sums = &sums[2 * (head * tokens + first)..][..2 * rows];
                    gradients_of_scores(
                        [weights, slopes, factors],
                        sums,
                        masks,
                        self.stream.as_ref(),
                        (head * tokens + first) * tokens,
                    );
                    let (weights, slopes) = (own(weights), own(slopes));
                    let (added, none) = (first > 0, Parallelism::None);
                    // SAFETY: each part has the rows of one sequence and the columns of one head.
                    let [into_values, into_queries, into_keys] = unsafe {
                        [
                            (&values, 0, tokens),
                            (&queries, first, rows),
                            (&keys, 0, tokens),
                        ]
                        .map(|(shared, first, rows)| {
                            shared.part(self.start(head, first), [rows, d_head], d)
                        })
                    };
                    product(
                        into_values,
                        added,
                        [weights.transposed(), output],
                        1.0,
                        none,
                    );
                    product(into_queries, false, [slopes, all(key)], self.scale, none);
                    let query = self.matrix(query, head, first, rows);
                    product(
                        into_keys,
                        added,
                        [slopes.transposed(), query],
                        self.scale,
                        none,
                    );
                }
            },
        );
        let [queries, keys, values] =
            gradients.map(|numbers| tensor(numbers, [sequences, tokens, d]));
        let found = [Some(queries), Some(keys), Some(values), None];
        let mut tracked = tracked.into_iter();
        found.map(|gradient| gradient.filter(|_| tracked.next().unwrap_or(false)))
    }
}

impl Attention {
    /// Rows of scores that a thread has at once.
    fn rows(&self) -> usize {
        let tokens = self.sizes.tokens;
        (SCORES / tokens.max(1)).clamp(1, tokens.max(1))
    }

    /// The first row and the count of rows of each block.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rows, tokens) = (self.rows(), self.sizes.tokens);
        (0..tokens)
            .step_by(rows)
            .map(move |first| (first, rows.min(tokens - first)))
    }

    /// Where the numbers of a token begin, within the columns of a head. `head` counts through
    /// all sequences.
    fn start(&self, head: usize, token: usize) -> usize {
        let Sizes {
            tokens,
            heads,
            d_head,
            ..
        } = self.sizes;
        (head / heads * tokens + token) * heads * d_head + head % heads * d_head
    }

    /// The numbers of a head and of `rows` tokens. Shape `[rows, d_head]`.
    fn matrix<'a>(&self, numbers: &'a [f32], head: usize, first: usize, rows: usize) -> Matrix<'a> {
        let Sizes { heads, d_head, .. } = self.sizes;
        Matrix::new(
            &numbers[self.start(head, first)..],
            [rows, d_head],
            heads * d_head,
        )
    }

    /// Writes the scores of a block of tokens, without the mask.
    fn scores(&self, scores: &mut [f32], query: &[f32], key: &[f32], head: usize, first: usize) {
        let tokens = self.sizes.tokens;
        let rows = scores.len() / tokens;
        let into = MatrixMut::new(scores, [rows, tokens], tokens);
        let factors = [
            self.matrix(query, head, first, rows),
            self.matrix(key, head, 0, tokens).transposed(),
        ];
        product(into, false, factors, self.scale, Parallelism::None);
    }

    /// The masks of a block of tokens: one for all of them, or one each from the first on.
    fn mask<'a>(&self, mask: &'a [f32], head: usize, first: usize) -> &'a [f32] {
        let Sizes {
            tokens,
            heads,
            mask_rows,
            ..
        } = self.sizes;
        let start = head / heads * mask_rows;
        match mask_rows {
            1 => &mask[start * tokens..][..tokens],
            _ => &mask[(start + first) * tokens..(start + tokens) * tokens],
        }
    }
}

wide! {
    /// Turns the scores of a block of rows into the weights of the values, and writes what the
    /// backward pass needs of each softmax.
    fn weights<'a>(
        scores: &'a mut [f32],
        factors: &'a mut [f32],
        sums: &'a mut [f32],
        masks: &'a [f32],
        stream: Option<&'a Stream>,
        start: usize,
    ) {
        let tokens = scores.len() / (sums.len() / 2);
        let masks = masks.chunks_exact(tokens).cycle();
        for ((scores, sums), mask) in scores.chunks_exact_mut(tokens).zip(sums.chunks_exact_mut(2)).zip(masks) {
            sums.copy_from_slice(&softmax_row(scores, mask));
        }
        if let Some(stream) = stream {
            stream.fill(start, factors);
            for (weight, factor) in scores.iter_mut().zip(factors) {
                *weight *= *factor;
            }
        }
    }
}

wide! {
    /// Turns the scores of a block of rows into the weights of the values, and the gradients of
    /// the weights into those of the scores.
    fn gradients_of_scores<'a>(
        block: [&'a mut [f32]; 3],
        sums: &'a [f32],
        masks: &'a [f32],
        stream: Option<&'a Stream>,
        start: usize,
    ) {
        let [scores, slopes, factors] = block;
        match stream {
            Some(stream) => stream.fill(start, factors),
            None => factors.fill(1.0),
        }
        let tokens = scores.len() / (sums.len() / 2);
        let rows = scores.chunks_exact_mut(tokens).zip(slopes.chunks_exact_mut(tokens)).zip(factors.chunks_exact(tokens));
        for (((rows, factors), sums), mask) in rows.zip(sums.chunks_exact(2)).zip(masks.chunks_exact(tokens).cycle()) {
            gradient_row(rows.0, rows.1, factors, mask, [sums[0], sums[1]]);
        }
    }
}

/// Turns scores into their softmax; returns the largest one and the inverse of the sum.
#[inline(always)]
fn softmax_row(scores: &mut [f32], mask: &[f32]) -> [f32; 2] {
    for (score, mask) in scores.iter_mut().zip(mask) {
        *score += mask;
    }
    let largest = folded(scores, f32::NEG_INFINITY, |largest, score| {
        if score > largest { score } else { largest }
    });
    for score in scores.iter_mut() {
        *score = exp(*score - largest);
    }
    let share = 1.0 / folded(scores, 0.0, |total, score| total + score);
    for score in scores {
        *score *= share;
    }
    [largest, share]
}

/// Turns scores into the weights of the values, and the gradients of the weights into those of
/// the scores.
#[inline(always)]
fn gradient_row(
    scores: &mut [f32],
    slopes: &mut [f32],
    factors: &[f32],
    mask: &[f32],
    [largest, share]: [f32; 2],
) {
    for (score, mask) in scores.iter_mut().zip(mask) {
        *score = exp(*score + mask - largest) * share;
    }
    for (slope, factor) in slopes.iter_mut().zip(factors) {
        *slope *= factor;
    }
    let [mean] = sums_of([scores, slopes], |[weight, slope]| [weight * slope]);
    for ((weight, slope), factor) in scores.iter_mut().zip(slopes).zip(factors) {
        *slope = *weight * (*slope - mean);
        *weight *= factor;
    }
}
