//! Where a number must lie.

use super::super::ExperimentError;

/// The numbers that a setting may have; all of them are finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// The range in words, after "it must be".
    expected: &'static str,
    /// The bounds, as JSON Schema writes them.
    pub bounds: &'static [Bound],
    /// Whether the number counts as single precision holds it.
    in_single: bool,
}

/// A bound of a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(u32),
    Above(u32),
    AtMost(u32),
}

pub(super) const AT_LEAST_ONE: Range = Range { expected: "a whole number of at least 1", bounds: &[Bound::AtLeast(1)], in_single: false };
pub(super) const AT_LEAST_TWO: Range = Range { expected: "a whole number of at least 2", bounds: &[Bound::AtLeast(2)], in_single: false };
pub(super) const ABOVE_ZERO: Range = Range { expected: "a number above 0", bounds: &[Bound::Above(0)], in_single: false };
pub(super) const AT_LEAST_ZERO: Range = Range { expected: "0 or a number above it", bounds: &[Bound::AtLeast(0)], in_single: false };
pub(super) const SHARE: Range =
    Range { expected: "a share between 0 and 1", bounds: &[Bound::AtLeast(0), Bound::AtMost(1)], in_single: false };
/// The update divides by it in single precision: it must neither vanish, where 0/0 would be the update, nor be infinite.
pub(super) const DIVISOR: Range =
    Range { expected: "a number above 0 that single precision holds, such as 1e-8", bounds: &[Bound::Above(0)], in_single: true };

impl Range {
    /// Checks the value of a setting; one that is left open holds.
    ///
    /// # Errors
    /// If it lies elsewhere.
    pub fn check(&self, name: &'static str, setting: &impl Number) -> Result<(), ExperimentError> {
        let Some((number, value)) = setting.number() else { return Ok(()) };
        let number = if self.in_single { f64::from(number as f32) } else { number };
        let holds = self.bounds.iter().all(|bound| match *bound {
            Bound::AtLeast(low) => number >= low.into(),
            Bound::Above(low) => number > low.into(),
            Bound::AtMost(high) => number <= high.into(),
        });
        if holds && number.is_finite() { Ok(()) } else { Err(ExperimentError::Setting { name, value, expected: self.expected }) }
    }
}

/// A setting that has a range.
pub(super) trait Number {
    /// The number, and how it is written; `None` if the setting is left open.
    fn number(&self) -> Option<(f64, String)>;
}

impl Number for usize {
    fn number(&self) -> Option<(f64, String)> {
        Some((*self as f64, self.to_string()))
    }
}

impl Number for f64 {
    fn number(&self) -> Option<(f64, String)> {
        Some((*self, self.to_string()))
    }
}

impl<T: Number> Number for Option<T> {
    fn number(&self) -> Option<(f64, String)> {
        self.as_ref()?.number()
    }
}
