//! Drawing random rows from a split, to limit it or to hold rows out.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::TextRow;
use super::order::shuffled;
use super::streams::Purpose;

/// Sorted positions of `count` of `rows` rows, drawn with `seed`; all positions if there are no
/// more than `count` rows.
pub(crate) fn uniform(rows: usize, count: usize, seed: u64) -> Vec<usize> {
    let drawn = shuffled(rows, seed, 0, Purpose::Limit)
        .into_iter()
        .take(count);
    sorted(drawn.map(|row| row as usize).collect())
}

/// Sorted positions of `count` rows, drawn with `seed` and stratified by label; all positions if
/// there are no more than `count` rows.
///
/// A label of n of N rows gets n/N of `count`, rounded down or up. If `count` is at least the
/// number of labels, each label gets at least one row, at the expense of the most frequent ones.
pub(crate) fn stratified(rows: &[TextRow], count: usize, seed: u64) -> Vec<usize> {
    let counts = counts(rows);
    let shares = shares(&counts.values().copied().collect::<Vec<_>>(), count);
    let mut left: BTreeMap<&str, usize> = counts.into_keys().zip(shares).collect();
    let drawn = shuffled(rows.len(), seed, 0, Purpose::Limit)
        .into_iter()
        .map(|row| row as usize);
    sorted(
        drawn
            .filter(|row| take_one(&mut left, &rows[*row].label, 0))
            .collect(),
    )
}

/// Sorted positions of up to `count` rows to hold out, drawn with `seed`. At least one row of each
/// label is left, so fewer rows may be drawn.
pub(super) fn held_out(rows: &[TextRow], count: usize, seed: u64) -> Vec<usize> {
    let mut left = counts(rows);
    let drawn = shuffled(rows.len(), seed, 0, Purpose::HoldOut)
        .into_iter()
        .map(|row| row as usize);
    sorted(
        drawn
            .filter(|row| take_one(&mut left, &rows[*row].label, 1))
            .take(count)
            .collect(),
    )
}

/// Number of rows of each label.
fn counts(rows: &[TextRow]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    rows.iter()
        .for_each(|row| *counts.entry(row.label.as_str()).or_default() += 1);
    counts
}

/// Takes a row of a label if more than `kept` are left; returns whether it was taken.
fn take_one(left: &mut BTreeMap<&str, usize>, label: &str, kept: usize) -> bool {
    let left = left.get_mut(label).expect("every label was counted");
    let is_taken = *left > kept;
    *left -= usize::from(is_taken);
    is_taken
}

/// Number of rows that each class gets of `count`; `classes` are the sizes of the classes.
fn shares(classes: &[usize], count: usize) -> Vec<usize> {
    let rows: usize = classes.iter().sum();
    if rows <= count {
        return classes.to_vec();
    }
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by_key(|class| Reverse(classes[*class]));
    if classes.len() >= count {
        let mut shares = vec![0; classes.len()];
        order[..count].iter().for_each(|class| shares[*class] = 1);
        return shares;
    }
    let quotient = |class: usize| (classes[class] as u64 * count as u64 / rows as u64) as usize;
    let remainder = |class: usize| classes[class] as u64 * count as u64 % rows as u64;
    let mut shares: Vec<usize> = (0..classes.len())
        .map(|class| quotient(class).max(1))
        .collect();
    let mut given: usize = shares.iter().sum();
    // A class whose share below one was raised to one row is not rounded up again.
    let mut by_remainder: Vec<usize> = order
        .iter()
        .copied()
        .filter(|class| quotient(*class) > 0)
        .collect();
    by_remainder.sort_by_key(|class| Reverse(remainder(*class)));
    for class in by_remainder.into_iter().take(count.saturating_sub(given)) {
        shares[class] += 1;
        given += 1;
    }
    while given > count {
        let largest = order
            .iter()
            .copied()
            .rev()
            .max_by_key(|class| shares[*class])
            .expect("there is at least one class");
        shares[largest] -= 1;
        given -= 1;
    }
    shares
}

fn sorted(mut rows: Vec<usize>) -> Vec<usize> {
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with the given number of rows per label, grouped by label.
    fn rows(counts: &[(&str, usize)]) -> Vec<TextRow> {
        let rows = counts
            .iter()
            .flat_map(|(label, count)| std::iter::repeat_n(label, *count))
            .enumerate();
        rows.map(|(at, label)| TextRow {
            text: at.to_string(),
            pair: None,
            label: label.to_string(),
            line: at + 2,
        })
        .collect()
    }

    #[test]
    fn shares_add_up_and_no_class_is_left_out() {
        for (classes, count, expected) in [
            (&[50, 50][..], 64, &[32, 32][..]),
            (&[90, 10], 10, &[9, 1]),
            (&[1, 1, 1], 2, &[1, 1, 0]),
            (&[60, 30, 10], 7, &[4, 2, 1]),
            (&[33, 33, 34], 10, &[3, 3, 4]),
            (&[97, 1, 1, 1], 10, &[7, 1, 1, 1]),
            (&[24, 24, 1, 1, 1, 1], 8, &[2, 2, 1, 1, 1, 1]),
            (&[3, 5], 8, &[3, 5]),
            (&[3, 5], 100, &[3, 5]),
        ] {
            assert_eq!(shares(classes, count), expected, "{count} of {classes:?}");
        }
    }

    #[test]
    fn shares_are_within_bounds_for_every_count() {
        let classes = [400, 7, 93, 1, 250, 2, 1];
        let rows: usize = classes.iter().sum();
        for count in classes.len()..=rows {
            let shares = shares(&classes, count);
            assert_eq!(shares.iter().sum::<usize>(), count);
            assert!(
                shares
                    .iter()
                    .zip(classes)
                    .all(|(share, class)| (1..=class).contains(share)),
                "{count}: {shares:?}"
            );
        }
    }

    #[test]
    fn rows_are_drawn_by_the_seed_and_keep_the_order_of_the_file() {
        let rows = rows(&[("a", 30), ("b", 60), ("c", 10)]);
        let drawn = stratified(&rows, 20, 1);
        assert!(drawn.is_sorted() && drawn.len() == 20);
        let of = |label: &str| {
            drawn
                .iter()
                .filter(|row| rows[**row].label == label)
                .count()
        };
        assert_eq!((of("a"), of("b"), of("c")), (6, 12, 2));
        assert_eq!(stratified(&rows, 20, 1), drawn);
        assert_ne!(stratified(&rows, 20, 2), drawn);
        assert_eq!(stratified(&rows, 100, 1), (0..100).collect::<Vec<_>>());
        let plain = uniform(100, 20, 1);
        assert!(plain.is_sorted() && plain.len() == 20 && plain != (0..20).collect::<Vec<_>>());
        assert_eq!(uniform(3, 20, 1), [0, 1, 2]);
    }

    #[test]
    fn the_last_row_of_a_label_is_never_held_out() {
        let rows = rows(&[
            ("play", 24),
            ("rare", 1),
            ("stop", 24),
            ("scarce", 2),
            ("single", 1),
        ]);
        for seed in 0..200 {
            let held_out = held_out(&rows, 6, seed);
            assert!(held_out.len() == 6 && held_out.is_sorted());
            let kept = |label: &str| {
                (0..rows.len()).any(|row| rows[row].label == label && !held_out.contains(&row))
            };
            assert!(
                ["play", "rare", "stop", "scarce", "single"]
                    .into_iter()
                    .all(kept),
                "seed {seed}: {held_out:?}"
            );
        }
        assert_eq!(held_out(&rows[23..25], 1, 1), Vec::<usize>::new());
    }
}
