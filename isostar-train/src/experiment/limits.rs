//! Measures that end a run when they pass a limit.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Limits of measures as a setting, such as `isoscore=0.02,accuracy=0.6`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thresholds(Vec<(String, f64)>);

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        f.write_str(&texts.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is no list of limits such as isoscore=0.02,accuracy=0.6");
        let parts = text.split(',').map(|part| {
            let (name, value) = part.split_once('=').ok_or_else(refused)?;
            let value: Option<f64> = value.trim().parse().ok();
            let value = value
                .filter(|value| value.is_finite())
                .ok_or_else(refused)?;
            match name.trim() {
                "" => Err(refused()),
                name => Ok((name.to_string(), value)),
            }
        });
        parts.collect::<Result<_, _>>().map(Self)
    }
}

impl Thresholds {
    /// The names of the measures.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl TryFrom<String> for Thresholds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Thresholds> for String {
    fn from(thresholds: Thresholds) -> Self {
        thresholds.to_string()
    }
}

/// The limits of a run, and the first measure that has passed one.
#[derive(Debug, Default)]
pub(super) struct Limits {
    below: Vec<(String, f64)>,
    above: Vec<(String, f64)>,
    passed: Mutex<Option<String>>,
}

impl Limits {
    pub fn new(below: Option<&Thresholds>, above: Option<&Thresholds>) -> Self {
        let list =
            |limits: Option<&Thresholds>| limits.map_or(Vec::new(), |limits| limits.0.clone());
        Self {
            below: list(below),
            above: list(above),
            passed: Mutex::new(None),
        }
    }

    /// Compares a measure with its limits. `place` says where it was taken, such as `layer 3`; it
    /// may be empty. A number that is not finite passes no limit.
    pub fn check(&self, name: &str, value: f64, place: &str) {
        let find = |limits: &[(String, f64)], passes: fn(f64, f64) -> bool| {
            let mut limits = limits.iter().filter(|(limited, _)| limited == name);
            limits
                .find(|(_, limit)| passes(value, *limit))
                .map(|(_, limit)| *limit)
        };
        let below = find(&self.below, |value, limit| value < limit).map(|limit| ("below", limit));
        let above = find(&self.above, |value, limit| value > limit).map(|limit| ("above", limit));
        if let Some((side, limit)) = below.or(above) {
            let place = if place.is_empty() {
                String::new()
            } else {
                format!(" of {place}")
            };
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.get_or_insert(format!("{name}{place} is {value:.4}, {side} {limit}"));
        }
    }

    /// Says which measure has passed a limit.
    pub fn passed(&self) -> Option<String> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(below: &str, above: &str) -> Limits {
        let read = |text: &str| text.parse::<Thresholds>().unwrap();
        Limits::new(Some(&read(below)), Some(&read(above)))
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let read: Thresholds = " isoscore = 0.02,task_loss=5 ".parse().unwrap();
        assert_eq!(read.to_string(), "isoscore=0.02,task_loss=5");
        for wrong in ["", "isoscore", "=1", "a=x", "a=nan", "a=1,"] {
            assert!(wrong.parse::<Thresholds>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_first_measure_beyond_a_limit_is_reported() {
        let limits = limits("isoscore=0.1", "task_loss=2,isoscore=0.9");
        for (name, value) in [
            ("isoscore", 0.1),
            ("isoscore", 0.9),
            ("task_loss", f64::NAN),
            ("accuracy", 0.0),
        ] {
            limits.check(name, value, "");
            assert_eq!(limits.passed(), None, "{name} {value}");
        }
        limits.check("isoscore", 0.05, "layer 3");
        limits.check("task_loss", 3.0, "");
        let expected = "isoscore of layer 3 is 0.0500, below 0.1";
        assert_eq!(limits.passed().as_deref(), Some(expected));
        let other = super::tests::limits("a=0", "task_loss=2");
        other.check("task_loss", 3.0, "");
        assert_eq!(
            other.passed().as_deref(),
            Some("task_loss is 3.0000, above 2")
        );
    }
}
