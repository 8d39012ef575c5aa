//! How the rows of a batch are cut into parts.

use std::ops::Range;

/// Cuts `rows` rows into micro-batches of `micro_rows` rows, the last with what is left, and each of
/// them into one part per device. The parts of a micro-batch differ by at most one row; they are
/// empty where there are fewer rows than devices.
///
/// # Panics
/// If a micro-batch has no rows or there is no device.
pub(super) fn cut(rows: usize, micro_rows: usize, devices: usize) -> Vec<Vec<Range<usize>>> {
    let micro_batch = |first: usize| {
        let count = micro_rows.min(rows - first);
        let bound = |device: usize| first + device * count / devices;
        (0..devices)
            .map(|device| bound(device)..bound(device + 1))
            .collect()
    };
    (0..rows).step_by(micro_rows).map(micro_batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part_and_parts_of_a_micro_batch_are_nearly_equal() {
        for (rows, micro_rows, devices) in
            [(32, 32, 3), (32, 8, 1), (35, 8, 2), (2, 8, 3), (7, 3, 2)]
        {
            let micro_batches = cut(rows, micro_rows, devices);
            assert_eq!(micro_batches.len(), rows.div_ceil(micro_rows));
            let all: Vec<usize> = micro_batches.iter().flatten().cloned().flatten().collect();
            assert_eq!(all, (0..rows).collect::<Vec<_>>());
            for parts in micro_batches {
                assert_eq!(parts.len(), devices);
                let [least, most] = [
                    parts.iter().map(ExactSizeIterator::len).min(),
                    parts.iter().map(ExactSizeIterator::len).max(),
                ];
                assert!(most.unwrap() - least.unwrap() <= 1, "{parts:?}");
            }
        }
    }
}
