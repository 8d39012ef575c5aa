//! Ranges of numeric settings.

use super::super::ExperimentError;

/// Range of a numeric setting. Only finite numbers are in range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Description of the range; completes "it must be".
    expected: &'static str,
    /// Bounds, as in JSON Schema.
    pub bounds: &'static [Bound],
    /// Whether the number is rounded to single precision before the check.
    in_single: bool,
}

/// Bound of a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(u32),
    Above(u32),
    AtMost(u32),
}

pub(super) const AT_LEAST_ONE: Range = Range {
    expected: "a whole number of at least 1",
    bounds: &[Bound::AtLeast(1)],
    in_single: false,
};
pub(super) const AT_LEAST_TWO: Range = Range {
    expected: "a whole number of at least 2",
    bounds: &[Bound::AtLeast(2)],
    in_single: false,
};
pub(super) const ABOVE_ZERO: Range = Range {
    expected: "a number above 0",
    bounds: &[Bound::Above(0)],
    in_single: false,
};
pub(super) const AT_LEAST_ZERO: Range = Range {
    expected: "0 or a number above it",
    bounds: &[Bound::AtLeast(0)],
    in_single: false,
};
pub(super) const SHARE: Range = Range {
    expected: "a share between 0 and 1",
    bounds: &[Bound::AtLeast(0), Bound::AtMost(1)],
    in_single: false,
};
/// Range of a divisor of the update, which is computed in single precision. The divisor must not
/// round to 0, which could give 0/0, or to infinity.
pub(super) const DIVISOR: Range = Range {
    expected: "a number above 0 that single precision holds, such as 1e-8",
    bounds: &[Bound::Above(0)],
    in_single: true,
};

impl Range {
    /// Checks the value of a setting. Unset settings pass.
    ///
    /// # Errors
    /// If the value is out of range.
    pub fn check(&self, name: &'static str, setting: &impl Number) -> Result<(), ExperimentError> {
        let Some((number, value)) = setting.number() else {
            return Ok(());
        };
        let number = if self.in_single {
            f64::from(number as f32)
        } else {
            number
        };
        let holds = self.bounds.iter().all(|bound| match *bound {
            Bound::AtLeast(low) => number >= f64::from(low),
            Bound::Above(low) => number > f64::from(low),
            Bound::AtMost(high) => number <= f64::from(high),
        });
        if holds && number.is_finite() {
            Ok(())
        } else {
            Err(ExperimentError::Setting {
                name,
                value,
                expected: self.expected,
            })
        }
    }
}

/// Setting that can have a range.
pub(super) trait Number {
    /// Returns the number and its text; `None` if the setting is unset.
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
