//! A pass over points: the bytes of a block are fetched while those of the block before are decoded, and that before is taken.

use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;

use super::ahead::ahead;
use super::points::Reading;
use super::{EmbeddingsError, Points};

/// How many rows make a part: what is made of it may be as large as a row.
pub(super) const PART_ROWS: usize = 128;

/// What was made of a block of points.
pub(super) struct Block<R> {
    /// Of all its points. Shape `[rows, d]`.
    pub deviations: Vec<f32>,
    /// Of every part, in the order of the file.
    pub parts: Vec<R>,
}

/// Reads `blocks` of rows of `points` one after the other, part by part, and hands what is made of them to `take`, in order.
///
/// What is made of a part is `new` at first; `add` adds a few points to it and writes down their deviations. Both have the shape `[rows, d]`.
///
/// # Errors
/// If a point holds a number that is not finite, and those of `take`.
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
    // Memory that is used again need not be cleared by the system.
    let (used, spare) = mpsc::channel();
    thread::scope(|scope| {
        let fetched = ahead(
            scope,
            blocks.map(move |rows| {
                let source = points.fetch(&rows, reading, spare.try_recv().unwrap_or_default())?;
                Ok::<_, EmbeddingsError>((rows, source))
            }),
        );
        let decoded = fetched.map(move |fetched| {
            let (rows, source) = fetched?;
            let mut deviations = vec![0.0; rows.len() * width];
            let parts = rows.par_chunks(PART_ROWS).zip(deviations.par_chunks_mut(PART_ROWS * width));
            let parts = parts.map_init(Vec::new, |values, (rows, deviations)| {
                let mut part = new();
                let few = points.rows_at_once();
                for (rows, deviations) in rows.chunks(few).zip(deviations.chunks_mut(few * width)) {
                    points.decode(rows, &source, values)?;
                    add(&mut part, values, deviations);
                }
                Ok::<_, EmbeddingsError>(part)
            });
            let block = Block { parts: parts.collect::<Result<_, _>>()?, deviations };
            // Nobody fetches any more at the end.
            let _ = used.send(source.into_memory());
            Ok::<_, EmbeddingsError>(block)
        });
        // Taken in place: a device may keep its work apart by thread, and all of this is one piece of work.
        ahead(scope, decoded).try_for_each(|block| take(block?))
    })
}
