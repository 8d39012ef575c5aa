//! How often a run saves its state.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest distance between two snapshots within an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotInterval {
    /// A number of steps.
    Steps(usize),
    /// A duration, in whole seconds.
    Time(Duration),
}

impl Default for SnapshotInterval {
    fn default() -> Self {
        Self::Time(Duration::from_secs(600))
    }
}

impl SnapshotInterval {
    /// Whether a snapshot is due `steps` steps and `elapsed` after the last one.
    pub(in crate::experiment) fn is_due(self, steps: usize, elapsed: Duration) -> bool {
        match self {
            Self::Steps(every) => steps >= every,
            Self::Time(every) => steps > 0 && elapsed >= every,
        }
    }
}

/// The units of a duration, in seconds, largest first.
const UNITS: [(&str, u64); 3] = [("h", 3600), ("min", 60), ("s", 1)];

impl fmt::Display for SnapshotInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "{steps}"),
            Self::Time(time) => {
                let seconds = time.as_secs();
                let (unit, size) = UNITS
                    .into_iter()
                    .find(|(_, size)| seconds.is_multiple_of(*size))
                    .expect("a second divides all");
                write!(f, "{}{unit}", seconds / size)
            }
        }
    }
}

impl FromStr for SnapshotInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is neither a number of steps, such as 500, nor a duration, such as 90s, 10min or 1h"
            )
        };
        let text = text.trim();
        let digits = text
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(text.len());
        let number: u64 = text[..digits]
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(refused)?;
        match text[digits..].trim() {
            "" => Ok(Self::Steps(number as usize)),
            unit => {
                let unit = if unit == "m" { "min" } else { unit };
                let (_, size) = UNITS
                    .into_iter()
                    .find(|(name, _)| *name == unit)
                    .ok_or_else(refused)?;
                Ok(Self::Time(Duration::from_secs(
                    number.checked_mul(size).ok_or_else(refused)?,
                )))
            }
        }
    }
}

impl Serialize for SnapshotInterval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SnapshotInterval {
    /// Accepts a string, or a number of steps.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Steps(usize),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Steps(steps) => steps.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_durations_are_read_as_they_are_written() {
        for (text, written) in [
            ("500", "500"),
            ("90s", "90s"),
            ("600s", "10min"),
            ("10m", "10min"),
            ("2 h", "2h"),
            ("3600s", "1h"),
        ] {
            assert_eq!(
                text.parse::<SnapshotInterval>().unwrap().to_string(),
                written
            );
        }
        for wrong in [
            "",
            "0",
            "0s",
            "ten",
            "5 parsecs",
            "-1",
            "1.5h",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(
                wrong
                    .parse::<SnapshotInterval>()
                    .unwrap_err()
                    .contains("such as"),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_snapshot_is_due_after_its_steps_or_its_time() {
        let (steps, time) = (
            SnapshotInterval::Steps(10),
            SnapshotInterval::Time(Duration::from_secs(5)),
        );
        assert!(!steps.is_due(9, Duration::MAX) && steps.is_due(10, Duration::ZERO));
        assert!(
            !time.is_due(0, Duration::MAX)
                && !time.is_due(99, Duration::from_secs(4))
                && time.is_due(1, Duration::from_secs(5))
        );
    }
}
