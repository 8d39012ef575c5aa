//! A pass over points, as a pipeline: while one block is consumed, the next is decoded and the one
//! after it is fetched.

use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;

use super::ahead::ahead;
use crate::limits::PART_ROWS;
use crate::rows::Reading;
use crate::{EmbeddingsError, Points};

/// The results of a block of points.
pub(super) struct Block<R> {
    /// The deviations of all points of the block. Shape `[rows, d]`.
    pub deviations: Vec<f32>,
    /// The results of the parts, in the order of the file.
    pub parts: Vec<R>,
}

/// Reads `blocks` of rows of `points` in order, part by part, and passes the results of each block
/// to `take`.
///
/// The result of each part starts as `new()`; `add` adds a few points to it and writes their
/// deviations. Points and deviations have the shape `[rows, d]`.
///
/// # Errors
/// If a point holds a number that is not finite, or `take` fails.
pub(super) fn pass<R: Send>(
    points: &Points,
    blocks: impl Iterator<Item = Vec<usize>> + Send,
    reading: Reading,
    new: impl Fn() -> R + Sync,
    add: impl Fn(&mut R, &[f64], &mut [f32]) + Sync,
    mut take: impl FnMut(Block<R>) -> Result<(), EmbeddingsError>,
) -> Result<(), EmbeddingsError> {
    let width = points.width();
    let (new, add) = (&new, &add);
    // Buffers are reused, because the system must clear new memory.
    let (used, spare) = mpsc::channel();
    thread::scope(|scope| {
        let fetched = ahead(
            scope,
            blocks.map(move |rows| {
                let fetched = points.fetch(&rows, reading, spare.try_recv().unwrap_or_default())?;
                Ok::<_, EmbeddingsError>((rows, fetched))
            }),
        );
        let decoded = fetched.map(move |fetched| {
            let (rows, fetched) = fetched?;
            let mut deviations = vec![0.0; rows.len() * width];
            let parts = rows
                .par_chunks(PART_ROWS)
                .zip(deviations.par_chunks_mut(PART_ROWS * width));
            let parts = parts.map_init(Vec::new, |values, (rows, deviations)| {
                let mut part = new();
                let few = points.rows_at_once();
                for (rows, deviations) in rows.chunks(few).zip(deviations.chunks_mut(few * width)) {
                    points.decode(rows, fetched.as_ref(), values)?;
                    add(&mut part, values, deviations);
                }
                Ok::<_, EmbeddingsError>(part)
            });
            let block = Block {
                parts: parts.collect::<Result<_, _>>()?,
                deviations,
            };
            // After the last block the receiver is gone.
            let _ = used.send(fetched.into_memory());
            Ok::<_, EmbeddingsError>(block)
        });
        // Consumed on the calling thread: a device may keep a separate stream of work per thread.
        ahead(scope, decoded).try_for_each(|block| take(block?))
    })
}
