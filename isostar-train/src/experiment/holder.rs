//! The process that works on a run.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A process that works on a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The name of its machine.
    pub host: String,
    /// The number of the process.
    pub process: u32,
    /// When it began to work on the run, in seconds since 1970-01-01 UTC.
    pub since: u64,
    /// When it was last seen to progress, by its own clock.
    pub heartbeat: u64,
    /// The number of steps that the run has taken.
    pub step: usize,
    /// The number of steps of the run; 0 if it is not known yet.
    pub steps: usize,
    /// Seconds that the remaining steps take at the present pace.
    pub seconds_left: Option<f64>,
}

impl Holder {
    /// Describes this process, which begins to work on a run.
    pub(super) fn this_process() -> Self {
        let now = now();
        Self {
            host: host(),
            process: std::process::id(),
            since: now,
            heartbeat: now,
            ..Self::default()
        }
    }

    /// Whether this is the same process, however far it has come.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.host, self.process, self.since) == (&other.host, other.process, other.since)
    }

    /// Seconds since the process was last seen to progress, if the clocks of the machines agree.
    pub fn silence(&self) -> u64 {
        now().saturating_sub(self.heartbeat)
    }
}

/// Seconds since 1970-01-01 UTC.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.process == 0 {
            return f.write_str("another process");
        }
        write!(
            f,
            "process {} on {}, since {}",
            self.process,
            self.host,
            utc(self.since)
        )
    }
}

/// The name of this machine.
fn host() -> String {
    let of_kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let of_command = || {
        Some(
            String::from_utf8_lossy(&std::process::Command::new("hostname").output().ok()?.stdout)
                .into_owned(),
        )
    };
    let name = of_kernel().or_else(of_command).unwrap_or_default();
    if name.trim().is_empty() {
        "an unnamed machine".into()
    } else {
        name.trim().into()
    }
}

/// Formats seconds since 1970, such as `2026-11-27 17:50:01 UTC`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years; H. Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms", civil_from_days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_801_801), "2026-11-27 17:50:01 UTC");
    }
}
