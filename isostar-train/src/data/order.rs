//! Assignment of rows to batches, a pure function of the row lengths, the seed and the epoch.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::streams::{Purpose, generator};
use crate::choice::choice;

/// Batches per window whose rows are sorted by length, as in transformers' `group_by_length`.
const WINDOW_BATCHES: usize = 50;

/// Number of candidate draws for a sample of batches.
const DRAWS: usize = 16;

choice! {
    /// How the rows of an epoch are grouped into batches.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Batching {
        /// Group rows of similar length to reduce padding; batches come in random order.
        ///
        /// Rows are shuffled and split into windows of 50 batches. Each window is sorted by length and
        /// split into batches, and the batches of all windows are shuffled.
        #[default]
        Length = "length",
        /// Shuffle rows and split them into batches.
        Random = "random",
    }
}

/// Batches of one training epoch, each a list of row indices; every row is in exactly one batch.
///
/// One batch may be smaller than `batch_size`. Equal arguments give equal batches on every
/// platform.
///
/// # Arguments
/// - `lengths`: length of every row, in tokens; fewer than 2³² rows
///
/// # Panics
/// If `batch_size` is 0.
pub fn batches(
    lengths: &[u32],
    batch_size: usize,
    batching: Batching,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<u32>> {
    let mut rng = generator(seed, epoch as u64, Purpose::Batches);
    let mut rows = all_rows(lengths.len());
    rows.shuffle(&mut rng);
    if batching == Batching::Random {
        return cut(&rows, batch_size);
    }
    for window in rows.chunks_mut(WINDOW_BATCHES * batch_size) {
        sort_by_length(window, lengths);
    }
    let mut batches = cut(&rows, batch_size);
    batches.shuffle(&mut rng);
    batches
}

/// Batches of an evaluation, each a list of row indices: all rows from the longest to the shortest.
///
/// This order minimizes padding, and the largest batch comes first, so that a run that exceeds
/// memory fails at once.
///
/// # Panics
/// If `batch_size` is 0.
pub fn by_length(lengths: &[u32], batch_size: usize) -> Vec<Vec<u32>> {
    let mut rows = all_rows(lengths.len());
    sort_by_length(&mut rows, lengths);
    cut(&rows, batch_size)
}

/// Random sample of rows with at most `max_tokens` tokens in total, drawn anew for each epoch.
///
/// The sample has at least one row, unless there are none. Drawing stops at the first row that does
/// not fit, so that the sample is not biased towards short rows.
pub fn sample(lengths: &[u32], max_tokens: usize, seed: u64, epoch: usize) -> Vec<u32> {
    let mut rows = shuffled(lengths.len(), seed, epoch, Purpose::Sample);
    let mut tokens = 0;
    let fits = |row: &&u32| {
        tokens += lengths[**row as usize] as usize;
        tokens <= max_tokens
    };
    let count = rows.iter().take_while(fits).count();
    rows.truncate(count.max(1));
    rows
}

/// Puts the batches of a calibration in random order.
pub fn shuffle_batches(batches: &mut [Vec<u32>], seed: u64, epoch: usize) {
    batches.shuffle(&mut generator(seed, epoch as u64, Purpose::Batches));
}

/// Random sample of the [`batches`] of a training epoch, with at most `max_positions` positions in
/// total, padding included.
///
/// The sample has at least one batch, unless there are no rows. The fraction of padding in a few
/// batches can differ from that of their epoch by several percentage points; therefore 16 samples
/// are drawn, and the one whose fraction is nearest to that of the epoch is returned.
///
/// # Panics
/// If `batch_size` is 0.
pub fn sample_batches(
    lengths: &[u32],
    batch_size: usize,
    batching: Batching,
    max_positions: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<u32>> {
    let mut batches = batches(lengths, batch_size, batching, seed, epoch);
    let mut rng = generator(seed, epoch as u64, Purpose::Sample);
    let padding = padding_share(lengths, &batches);
    let draws = (0..DRAWS).map(|_| {
        batches.shuffle(&mut rng);
        batches[..fitting(lengths, &batches, max_positions)].to_vec()
    });
    let distance = |sample: &Vec<Vec<u32>>| (padding_share(lengths, sample) - padding).abs();
    draws
        .min_by(|one, other| distance(one).total_cmp(&distance(other)))
        .expect("there is more than one draw")
}

/// Number of leading batches that fit into `max_positions` positions; at least one, unless there
/// are none.
fn fitting(lengths: &[u32], batches: &[Vec<u32>], max_positions: usize) -> usize {
    let mut sum = 0;
    let fits = |batch: &&Vec<u32>| {
        sum += positions(lengths, batch);
        sum <= max_positions
    };
    batches
        .iter()
        .take_while(fits)
        .count()
        .max(1)
        .min(batches.len())
}

/// Fraction of padding among the positions of all batches, in `[0, 1)`.
pub fn padding_share(lengths: &[u32], batches: &[Vec<u32>]) -> f64 {
    let tokens: usize = batches
        .iter()
        .flatten()
        .map(|row| lengths[*row as usize] as usize)
        .sum();
    match batches
        .iter()
        .map(|batch| positions(lengths, batch))
        .sum::<usize>()
    {
        0 => 0.0,
        positions => 1.0 - tokens as f64 / positions as f64,
    }
}

/// Number of positions in a batch: its number of rows times the tokens of its longest row.
fn positions(lengths: &[u32], batch: &[u32]) -> usize {
    batch.len()
        * batch
            .iter()
            .map(|row| lengths[*row as usize] as usize)
            .max()
            .unwrap_or(0)
}

/// Row indices below `count`, in random order.
pub(super) fn shuffled(count: usize, seed: u64, epoch: usize, purpose: Purpose) -> Vec<u32> {
    let mut rows = all_rows(count);
    rows.shuffle(&mut generator(seed, epoch as u64, purpose));
    rows
}

fn all_rows(count: usize) -> Vec<u32> {
    (0..u32::try_from(count).expect("there are fewer than 2³² rows")).collect()
}

/// Sorts rows by decreasing length; rows of equal length keep their order.
fn sort_by_length(rows: &mut [u32], lengths: &[u32]) {
    rows.sort_by_key(|row| std::cmp::Reverse(lengths[*row as usize]));
}

fn cut(rows: &[u32], batch_size: usize) -> Vec<Vec<u32>> {
    assert!(batch_size > 0, "a batch holds at least one row");
    rows.chunks(batch_size).map(<[u32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths as skewed as those of SST-2's training rows: mostly short phrases, few long
    /// sentences.
    fn skewed_lengths(count: usize) -> Vec<u32> {
        (0..count)
            .map(|row| 3 + (60.0 * ((row * 7919 % 1000) as f64 / 1000.0).powi(3)) as u32)
            .collect()
    }

    fn sorted(batches: &[Vec<u32>]) -> Vec<u32> {
        let mut rows = batches.concat();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn every_row_is_in_exactly_one_batch() {
        for count in [1, 31, 32, 33, 5_003] {
            let lengths = skewed_lengths(count);
            for batching in [Batching::Length, Batching::Random] {
                let batches = batches(&lengths, 32, batching, 7, 3);
                assert_eq!(
                    sorted(&batches),
                    all_rows(count),
                    "{batching:?}, {count} rows"
                );
                assert_eq!(batches.len(), count.div_ceil(32));
                assert!(batches.iter().all(|batch| (1..=32).contains(&batch.len())));
            }
            assert_eq!(sorted(&by_length(&lengths, 32)), all_rows(count));
        }
    }

    #[test]
    fn no_rows_make_no_batches() {
        assert!(batches(&[], 32, Batching::Length, 0, 0).is_empty());
        assert!(by_length(&[], 32).is_empty());
        assert!(sample(&[], 100, 0, 0).is_empty());
        assert_eq!(padding_share(&[], &[]), 0.0);
    }

    #[test]
    fn seed_and_epoch_decide_the_order() {
        let lengths = skewed_lengths(2_000);
        for batching in [Batching::Length, Batching::Random] {
            let first = batches(&lengths, 32, batching, 1, 0);
            assert_eq!(first, batches(&lengths, 32, batching, 1, 0));
            assert_ne!(first, batches(&lengths, 32, batching, 1, 1));
            assert_ne!(first, batches(&lengths, 32, batching, 2, 0));
        }
    }

    /// Resuming a run, and reproducing it with another release, require that a seed always gives
    /// the same order.
    #[test]
    fn a_seed_reproduces_the_recorded_order() {
        let recorded = [[11, 9, 1, 6], [2, 10, 8, 0], [7, 5, 3, 4]];
        assert_eq!(batches(&[5; 12], 4, Batching::Random, 42, 1), recorded);
    }

    #[test]
    fn length_batching_pads_far_less_than_random() {
        let lengths = skewed_lengths(10_000);
        let share = |batching| padding_share(&lengths, &batches(&lengths, 32, batching, 1, 0));
        let (length, random) = (share(Batching::Length), share(Batching::Random));
        assert!(random > 0.6, "random: {random}");
        assert!(length < 0.1, "length: {length}");
        assert!(padding_share(&lengths, &by_length(&lengths, 32)) < 0.01);
    }

    #[test]
    fn length_batching_leaves_the_batches_unsorted() {
        let lengths = skewed_lengths(10_000);
        let longest: Vec<u32> = batches(&lengths, 32, Batching::Length, 1, 0)
            .iter()
            .map(|batch| lengths[batch[0] as usize])
            .collect();
        let rises = longest.windows(2).filter(|pair| pair[0] < pair[1]).count();
        // Fully sorted rows never rise, and batches sorted within seven windows rise six times; in
        // random order, half of the steps rise.
        assert!((100..210).contains(&rises), "{rises} of {}", longest.len());
    }

    #[test]
    fn the_longest_rows_are_evaluated_first() {
        assert_eq!(by_length(&[3, 9, 5, 9], 3), [vec![1, 3, 2], vec![0]]);
    }

    #[test]
    fn a_sample_fills_its_limit_and_changes_with_the_epoch() {
        let lengths = skewed_lengths(5_000);
        let tokens = |rows: &[u32]| {
            rows.iter()
                .map(|row| lengths[*row as usize] as usize)
                .sum::<usize>()
        };
        let first = sample(&lengths, 2_000, 1, 0);
        assert!(
            (2_000 - 63..=2_000).contains(&tokens(&first)),
            "{}",
            tokens(&first)
        );
        assert_eq!(first, sample(&lengths, 2_000, 1, 0));
        assert_ne!(first, sample(&lengths, 2_000, 1, 1));
        assert_eq!(
            sample(&lengths, 2, 1, 0).len(),
            1,
            "a limit below one row still gives one row"
        );
        assert_eq!(sample(&lengths, usize::MAX, 1, 0).len(), 5_000);
    }

    #[test]
    fn sampled_batches_have_the_padding_of_the_training_batches() {
        let lengths = skewed_lengths(5_000);
        for batching in [Batching::Length, Batching::Random] {
            for epoch in 0..20 {
                let training = padding_share(&lengths, &batches(&lengths, 32, batching, 1, epoch));
                let sample = sample_batches(&lengths, 32, batching, 20_000, 1, epoch);
                let share = padding_share(&lengths, &sample);
                assert!(
                    (share - training).abs() < 0.01,
                    "{batching:?}, epoch {epoch}: padding is {share} of the sample and {training} of the training batches"
                );
            }
        }
    }

    #[test]
    fn sampled_batches_fill_their_limit_change_with_the_epoch_and_lose_no_row() {
        let lengths = skewed_lengths(5_000);
        let sample = |max_positions, epoch| {
            sample_batches(&lengths, 32, Batching::Random, max_positions, 1, epoch)
        };
        let first = sample(20_000, 0);
        let count: usize = first.iter().map(|batch| positions(&lengths, batch)).sum();
        assert!(
            (20_000 - 32 * 63..=20_000).contains(&count),
            "{count} leaves room for the longest batch"
        );
        // 5,000 rows give one batch of fewer than 32.
        assert!(first.iter().filter(|batch| batch.len() < 32).count() <= 1);
        assert_eq!(first, sample(20_000, 0));
        assert_ne!(first, sample(20_000, 1));
        assert_eq!(
            sample(2, 0).len(),
            1,
            "a limit below one batch still gives one batch"
        );
        assert_eq!(sorted(&sample(usize::MAX, 0)), all_rows(5_000));
        assert!(sample_batches(&[], 32, Batching::Random, 100, 0, 0).is_empty());
    }

    #[test]
    fn padding_is_counted_per_batch() {
        // The first batch has 8 positions and 6 tokens, the second 3 and 3.
        assert_eq!(
            padding_share(&[4, 2, 3], &[vec![0, 1], vec![2]]),
            1.0 - 9.0 / 11.0
        );
    }
}
