//! Which rows make which batch, as a pure function of their lengths, the seed and the epoch.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How many batches a window holds whose rows are sorted by length: as many as in transformers' `group_by_length`.
const WINDOW_BATCHES: usize = 50;

/// How the rows of an epoch are cut into batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Batching {
    /// Rows of similar length share a batch, batches come in random order: little padding.
    ///
    /// Rows are shuffled and cut into windows of 50 batches; every window is sorted by length and cut into batches, and the batches of all
    /// windows are shuffled.
    #[default]
    Length,
    /// Rows are shuffled and cut into batches.
    Random,
}

/// What random numbers are drawn for; each purpose has a sequence of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Batches = 0,
    Sample = 1,
    HoldOut = 2,
    Limit = 3,
}

/// The batches of one epoch of training, each a list of row indices; every row is in exactly one.
///
/// The last batch to be cut may be smaller than `batch_size`. Equal arguments give equal batches on every platform.
///
/// # Arguments
/// - `lengths`: of every row, in tokens; fewer than 2³² of them
///
/// # Panics
/// If `batch_size` is 0.
pub fn batches(lengths: &[u32], batch_size: usize, batching: Batching, seed: u64, epoch: usize) -> Vec<Vec<u32>> {
    let mut rng = rng(seed, epoch, Purpose::Batches);
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

/// The batches of an evaluation, each a list of row indices: all rows from the longest to the shortest.
///
/// Padding is least, and a batch that does not fit into memory comes first.
///
/// # Panics
/// If `batch_size` is 0.
pub fn by_length(lengths: &[u32], batch_size: usize) -> Vec<Vec<u32>> {
    let mut rows = all_rows(lengths.len());
    sort_by_length(&mut rows, lengths);
    cut(&rows, batch_size)
}

/// Rows drawn at random, afresh every epoch, as many as fit into `max_tokens`; at least one where there are any.
///
/// Drawing ends at the first row that does not fit, so that the sample does not lean towards short rows.
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

/// The share of padding among the positions of all batches, in `[0, 1)`.
pub fn padding_share(lengths: &[u32], batches: &[Vec<u32>]) -> f64 {
    let (mut tokens, mut positions) = (0, 0);
    for batch in batches {
        let lengths = batch.iter().map(|row| lengths[*row as usize] as usize);
        positions += batch.len() * lengths.clone().max().unwrap_or(0);
        tokens += lengths.sum::<usize>();
    }
    if positions == 0 { 0.0 } else { 1.0 - tokens as f64 / positions as f64 }
}

/// The row indices below `count` in random order.
pub(super) fn shuffled(count: usize, seed: u64, epoch: usize, purpose: Purpose) -> Vec<u32> {
    let mut rows = all_rows(count);
    rows.shuffle(&mut rng(seed, epoch, purpose));
    rows
}

/// A generator whose output is specified, so that a seed means the same rows on every platform.
fn rng(seed: u64, epoch: usize, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Streams of one key never overlap: (epoch, purpose) needs no mixing with the seed.
    rng.set_stream((epoch as u64) << 2 | purpose as u64);
    rng
}

fn all_rows(count: usize) -> Vec<u32> {
    (0..u32::try_from(count).expect("there are fewer than 2³² rows")).collect()
}

/// The longest first; rows of equal length keep their order.
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

    /// As skewed as SST-2's training rows: mostly short phrases, few long sentences.
    fn skewed_lengths(count: usize) -> Vec<u32> {
        (0..count).map(|row| 3 + (60.0 * ((row * 7919 % 1000) as f64 / 1000.0).powi(3)) as u32).collect()
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
                assert_eq!(sorted(&batches), all_rows(count), "{batching:?}, {count} rows");
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

    /// Resuming a run, and repeating one with another release, both rest on the order that a seed stands for.
    #[test]
    fn a_seed_stands_for_the_recorded_order() {
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
        let longest: Vec<u32> = batches(&lengths, 32, Batching::Length, 1, 0).iter().map(|batch| lengths[batch[0] as usize]).collect();
        let rises = longest.windows(2).filter(|pair| pair[0] < pair[1]).count();
        // Rows sorted throughout rise nowhere, batches sorted within seven windows six times; in random order half of them rise.
        assert!((100..210).contains(&rises), "{rises} of {}", longest.len());
    }

    #[test]
    fn the_longest_rows_are_evaluated_first() {
        assert_eq!(by_length(&[3, 9, 5, 9], 3), [vec![1, 3, 2], vec![0]]);
    }

    #[test]
    fn a_sample_fills_its_budget_afresh_every_epoch() {
        let lengths = skewed_lengths(5_000);
        let tokens = |rows: &[u32]| rows.iter().map(|row| lengths[*row as usize] as usize).sum::<usize>();
        let first = sample(&lengths, 2_000, 1, 0);
        assert!((2_000 - 63..=2_000).contains(&tokens(&first)), "{}", tokens(&first));
        assert_eq!(first, sample(&lengths, 2_000, 1, 0));
        assert_ne!(first, sample(&lengths, 2_000, 1, 1));
        assert_eq!(sample(&lengths, 2, 1, 0).len(), 1, "a budget below one row still gives one");
        assert_eq!(sample(&lengths, usize::MAX, 1, 0).len(), 5_000);
    }

    #[test]
    fn padding_is_counted_by_batch() {
        // 4 + 4 positions hold 6 tokens, 3 hold 3.
        assert_eq!(padding_share(&[4, 2, 3], &[vec![0, 1], vec![2]]), 1.0 - 9.0 / 11.0);
    }
}
