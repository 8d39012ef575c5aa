//! Dropout of a batch that is computed in parts.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys of the applications of dropout in one step, shared by the parts of its batch.
///
/// On flex, in f32, a part draws the masks that its rows have in the whole batch, provided that all
/// parts are padded alike: the n-th application of every part uses the n-th key, and its factors
/// begin with those of the part's first row. The keys come from the device's generator, in the order
/// in which the whole batch draws them; parts may be computed one after the other, again, or on
/// several threads. Elsewhere, every part draws from its device's generator.
#[derive(Clone, Debug, Default)]
pub struct DropoutKeys(Arc<Mutex<Vec<u64>>>);

/// The part that a thread computes.
struct Part {
    keys: DropoutKeys,
    first_row: usize,
    used: usize,
}

thread_local! {
    static PART: RefCell<Option<Part>> = const { RefCell::new(None) };
}

/// Puts back what the thread computed before, also after a panic.
struct Restore(Option<Part>);

impl Drop for Restore {
    fn drop(&mut self) {
        PART.set(self.0.take());
    }
}

impl DropoutKeys {
    /// Keys of a step; none is drawn yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `forward` for the part of the batch that begins with row `first_row`.
    ///
    /// Dropout that `forward` applies on this thread takes its first dimension for the rows of the
    /// part.
    pub fn for_part<T>(&self, first_row: usize, forward: impl FnOnce() -> T) -> T {
        let part = Part {
            keys: self.clone(),
            first_row,
            used: 0,
        };
        let _restore = Restore(PART.replace(Some(part)));
        forward()
    }
}

/// Returns the key of the next application of dropout, and the number of rows of the batch before
/// those of this part.
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
pub(crate) fn next_key(draw: impl FnOnce() -> u64) -> (u64, usize) {
    PART.with_borrow_mut(|part| {
        let Some(part) = part else { return (draw(), 0) };
        let mut keys = part.keys.0.lock().unwrap_or_else(PoisonError::into_inner);
        if part.used == keys.len() {
            keys.push(draw());
        }
        let key = keys[part.used];
        part.used += 1;
        (key, part.first_row)
    })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::nn::DropoutConfig;
    use burn::prelude::*;
    use burn::tensor::{Distribution, TensorData};

    use super::*;
    use crate::{Normalization, attention, dropout, residual_norm};

    const ROWS: usize = 5;
    const TOKENS: usize = 3;
    const WIDTH: usize = 6;

    /// Every operation with dropout, one after the other, on some of the rows.
    fn forward(input: &Tensor<3>, rows: std::ops::Range<usize>) -> TensorData {
        let settings = DropoutConfig::new(0.4).init();
        let device = input.device();
        let input = input.clone().slice([rows.clone()]);
        let hidden = dropout(&settings, input.clone());
        let mask = Tensor::zeros([rows.len(), 1, 1, TOKENS], &device);
        let attended = attention([(); 3].map(|()| hidden.clone()), mask, 2, 0.5, &settings);
        let norm = Normalization {
            gamma: Tensor::ones([WIDTH], &device),
            beta: Tensor::zeros([WIDTH], &device),
            epsilon: 1e-6,
        };
        residual_norm(input, attended, &settings, norm).into_data()
    }

    #[test]
    fn the_rows_of_a_part_have_the_masks_of_the_whole_batch() {
        let device = Device::flex().autodiff();
        let input = Tensor::<3>::random(
            [ROWS, TOKENS, WIDTH],
            Distribution::Normal(0.0, 1.0),
            &device,
        );
        let keys = DropoutKeys::new();
        let whole = keys.for_part(0, || forward(&input, 0..ROWS));
        let drawn = keys.0.lock().unwrap().clone();
        assert_eq!(drawn.len(), 3);

        // In another order, one part twice, and one on another thread.
        let last = keys.for_part(3, || forward(&input, 3..5));
        let first = std::thread::scope(|scope| {
            let part = || keys.for_part(0, || forward(&input, 0..1));
            scope.spawn(part).join().unwrap()
        });
        let middle = [(); 2].map(|()| keys.for_part(1, || forward(&input, 1..3)));
        assert_eq!(middle[0], middle[1]);
        assert_eq!(*keys.0.lock().unwrap(), drawn);
        let [first, middle, last] = [&first, &middle[0], &last].map(|part| part.iter::<f32>());
        let parts: Vec<f32> = first.chain(middle).chain(last).collect();
        let whole: Vec<f32> = whole.iter().collect();
        assert_eq!(parts, whole);

        let other = DropoutKeys::new().for_part(0, || forward(&input, 0..ROWS));
        assert_ne!(other.iter::<f32>().collect::<Vec<_>>(), whole);
    }

    #[test]
    fn a_part_that_panics_leaves_its_thread_as_it_was() {
        let result = std::panic::catch_unwind(|| {
            DropoutKeys::new().for_part(7, || panic!("as intended"));
        });
        assert!(result.is_err());
        assert_eq!(next_key(|| 5), (5, 0));
    }
}
