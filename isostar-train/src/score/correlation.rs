//! Correlation of two lists of numbers.

/// Pearson's correlation coefficient.
///
/// ```text
///            Σᵢ (xᵢ − x̄)(yᵢ − ȳ)
/// r = ─────────────────────────────────
///      √(Σᵢ (xᵢ − x̄)²) √(Σᵢ (yᵢ − ȳ)²)
/// ```
///
/// In `[-1, 1]`. `None` if r is undefined and SciPy returns NaN or raises an error: fewer than two
/// points, all x or all y equal, or a number that is not finite. Also `None` if a sum overflows;
/// the scale of the numbers is otherwise irrelevant.
///
/// # Panics
/// If `x` and `y` differ in length.
///
/// # References
/// `scipy.stats.pearsonr`.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(
        x.len(),
        y.len(),
        "pearson: {} x, but {} y",
        x.len(),
        y.len()
    );
    let (x, y) = (direction(x)?, direction(y)?);
    let r: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    Some(r.clamp(-1.0, 1.0))
}

/// Spearman's rank correlation coefficient: [`pearson`] of the [`ranks`].
///
/// In `[-1, 1]`; 1 if y increases with x. `None` if it is undefined and SciPy returns NaN: fewer
/// than two points, all x or all y equal, or a NaN. Infinities are ranked like other numbers.
///
/// # Panics
/// If `x` and `y` differ in length.
///
/// # References
/// `scipy.stats.spearmanr`.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(
        x.len(),
        y.len(),
        "spearman: {} x, but {} y",
        x.len(),
        y.len()
    );
    pearson(&ranks(x)?, &ranks(y)?)
}

/// The rank of each number, from 1; ties get the mean of their ranks. `None` if a number is NaN.
///
/// # References
/// `scipy.stats.rankdata` with `method="average"`.
pub fn ranks(numbers: &[f64]) -> Option<Vec<f64>> {
    if numbers.iter().any(|number| number.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| {
        numbers[*a]
            .partial_cmp(&numbers[*b])
            .expect("no number is NaN")
    });

    let mut ranks = vec![0.0; numbers.len()];
    let mut below = 0;
    for tied in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let rank = below as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|at| ranks[*at] = rank);
        below += tied.len();
    }
    Some(ranks)
}

/// Centres the numbers and scales them to length 1; `None` if all are equal or one is not finite.
fn direction(numbers: &[f64]) -> Option<Vec<f64>> {
    let first = numbers.first()?;
    // Equal numbers may differ from their rounded mean.
    if numbers.iter().all(|number| number == first) {
        return None;
    }
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let mut centred: Vec<f64> = numbers.iter().map(|number| number - mean).collect();
    // Divide by the largest, so that squares neither overflow nor vanish.
    let largest = centred
        .iter()
        .fold(0.0, |largest: f64, number| largest.max(number.abs()));
    centred.iter_mut().for_each(|number| *number /= largest);
    let length = centred
        .iter()
        .map(|number| number * number)
        .sum::<f64>()
        .sqrt();
    centred.iter_mut().for_each(|number| *number /= length);
    centred
        .iter()
        .all(|number| number.is_finite())
        .then_some(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_correlates_perfectly() {
        assert!((pearson(&[0.0, 1.0, 3.0], &[1.0, 3.0, 7.0]).unwrap() - 1.0).abs() <= 1e-15);
        assert!((pearson(&[0.0, 1.0, 3.0], &[7.0, 5.0, 1.0]).unwrap() + 1.0).abs() <= 1e-15);
    }

    #[test]
    fn rounding_does_not_exceed_one() {
        for count in 2..100 {
            let rising: Vec<f64> = (0..count).map(|at| f64::from(at).sqrt()).collect();
            assert!(pearson(&rising, &rising).unwrap() <= 1.0, "{count} points");
        }
    }

    #[test]
    fn constant_numbers_have_no_correlation_even_if_their_mean_is_rounded() {
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(pearson(&[0.1; 10], &rising), None);
        assert_eq!(pearson(&rising, &[0.1; 10]), None);
        assert_eq!(spearman(&[0.1; 10], &rising), None);
    }

    #[test]
    fn fewer_than_two_points_have_no_correlation() {
        assert_eq!(pearson(&[], &[]), None);
        assert_eq!(spearman(&[1.0], &[2.0]), None);
    }

    #[test]
    fn nan_has_no_correlation_and_infinity_only_a_rank() {
        assert_eq!(pearson(&[1.0, f64::NAN, 3.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN, 3.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(pearson(&[1.0, f64::INFINITY, 3.0], &[1.0, 2.0, 3.0]), None);
        assert!(
            (spearman(&[1.0, f64::INFINITY, 3.0], &[1.0, 2.0, 3.0]).unwrap() - 0.5).abs() <= 1e-15
        );
    }

    #[test]
    fn tied_numbers_share_the_mean_of_their_ranks() {
        assert_eq!(
            ranks(&[2.0, 1.0, 2.0, 3.0, -0.0, 0.0]),
            Some(vec![4.5, 3.0, 4.5, 6.0, 1.5, 1.5])
        );
    }

    #[test]
    #[should_panic(expected = "pearson: 2 x, but 1 y")]
    fn lists_of_different_length_panic() {
        pearson(&[1.0, 2.0], &[1.0]);
    }
}
