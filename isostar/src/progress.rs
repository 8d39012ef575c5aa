//! Progress lines of a run: one per epoch, and lines that replace bars if stderr is not a terminal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use isostar_train::experiment::EpochReport;
use isostar_train::progress::Phase;

/// Number of equal parts of an epoch; training writes a line after each part ...
const PARTS: usize = 10;
/// ... that has at least this many steps.
const LEAST_STEPS: usize = 10;
/// Any phase writes a line after this long without one.
const PAUSE: Duration = Duration::from_secs(30);

/// Decides when a phase without a bar writes a line, and measures its pace.
pub struct Milestones {
    total: usize,
    /// Whether lines depend on the parts of the epoch as well as on time.
    in_parts: bool,
    /// Units done and time at the end of the first step. Earlier work, such as a calibration, does
    /// not count towards the pace.
    first: Option<(usize, Instant)>,
    /// Units done and time of the last line, and the steps since.
    last: (usize, Instant),
    steps: usize,
}

impl Milestones {
    /// Starts a phase of `total` units.
    pub fn new(phase: &Phase, total: usize) -> Self {
        let in_parts = matches!(phase, Phase::Training { .. });
        Self {
            total,
            in_parts,
            first: None,
            last: (0, Instant::now()),
            steps: 0,
        }
    }

    /// Records a step that ended at `done` units. Returns whether a line is due.
    pub fn step(&mut self, done: usize) -> bool {
        let now = Instant::now();
        self.first.get_or_insert((done, now));
        self.steps += 1;
        let part = |units: usize| units * PARTS / self.total.max(1);
        let is_part = self.in_parts && self.steps >= LEAST_STEPS && part(done) > part(self.last.0);
        // No line at the end of the phase: the next output reports it.
        let is_due = done < self.total && (is_part || now - self.last.1 >= PAUSE);
        if is_due {
            (self.last, self.steps) = ((done, now), 0);
        }
        is_due
    }

    /// Returns the units per second since the first step, and the seconds left at this rate.
    pub fn pace(&self, done: usize) -> Option<(f64, f64)> {
        let (before, since) = self.first?;
        let rate = done.checked_sub(before).filter(|units| *units > 0)? as f64
            / since.elapsed().as_secs_f64();
        Some((rate, self.total.saturating_sub(done) as f64 / rate))
    }
}

/// Summary line of a completed epoch:
///
/// ```text
/// epoch 1 of 3: loss 0.4120, accuracy 0.8120, IsoScore* 0.1040 | validation: loss 0.4550, accuracy 0.7980, IsoScore 0.1210 | 41.2 s, 97 rows/s, 1 min 22 s left
/// ```
pub fn epoch_line(report: &EpochReport) -> String {
    let EpochReport {
        epoch,
        epochs,
        training,
        validation,
        seconds,
        rows_per_second,
        seconds_left,
    } = report;
    let left = if epoch < epochs {
        format!(", {} left", duration(*seconds_left))
    } else {
        String::new()
    };
    let (training, validation) = (numbers(training), numbers(validation));
    format!(
        "epoch {epoch} of {epochs}: {training} | validation: {validation} | {seconds:.1} s, {rows_per_second:.0} rows/s{left}"
    )
}

/// Formats metrics: the loss first, then scores, then measures of geometry.
fn numbers(of: &BTreeMap<String, f64>) -> String {
    let mut sorted: Vec<(&String, &f64)> = of.iter().collect();
    sorted.sort_by_key(|(name, _)| match name.as_str() {
        "task_loss" => 0,
        "penalty" => 2,
        name if is_geometry(name) => 3,
        _ => 1,
    });
    sorted
        .into_iter()
        .map(|(name, value)| number(name, *value))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether a metric of metrics.jsonl measures hidden states.
pub fn is_geometry(name: &str) -> bool {
    matches!(
        name,
        "isoscore" | "isoscore_star" | "isoscore_unbiased" | "cosreg" | "vicreg" | "sigreg"
    )
}

/// Formats a metric of metrics.jsonl with its display name.
pub fn number(name: &str, value: f64) -> String {
    let title = match name {
        "task_loss" => "loss",
        "isoscore" => "IsoScore",
        "isoscore_star" => "IsoScore*",
        "isoscore_unbiased" => "IsoScore (unbiased)",
        "vicreg" => "VICReg",
        "sigreg" => "SIGReg",
        "cosreg" => "CosReg",
        other => other,
    };
    if value.is_nan() {
        format!("{title} none")
    } else {
        format!("{title} {value:.4}")
    }
}

/// Formats a duration in its two largest units: `14 s`, `1 min 22 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    match seconds.round() as u64 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_its_two_largest_units() {
        let written = [0.4, 59.4, 59.6, 82.0, 3599.7, 7530.0].map(duration);
        assert_eq!(
            written,
            [
                "0 s",
                "59 s",
                "1 min 0 s",
                "1 min 22 s",
                "1 h 0 min",
                "2 h 5 min"
            ]
        );
    }

    #[test]
    fn a_training_writes_a_line_every_tenth_and_other_phases_by_time_alone() {
        let lines = |phase: Phase, total: usize| {
            let mut milestones = Milestones::new(&phase, total);
            (1..=total)
                .filter(|done| milestones.step(*done))
                .collect::<Vec<_>>()
        };
        let training = Phase::Training {
            epoch: 1,
            epochs: 1,
        };
        assert_eq!(
            lines(training.clone(), 1000),
            (1..10).map(|tenth| 100 * tenth).collect::<Vec<_>>()
        );
        // No line for a part of fewer than ten steps, and none at the end.
        assert_eq!(lines(training.clone(), 35), [10, 20, 30]);
        assert_eq!(lines(training, 10), Vec::<usize>::new());
        assert_eq!(lines(Phase::Evaluation, 1000), Vec::<usize>::new());
    }

    #[test]
    fn a_phase_without_a_line_for_long_writes_one() {
        let mut milestones = Milestones::new(&Phase::Evaluation, 1000);
        milestones.last.1 -= PAUSE;
        assert!(milestones.step(1) && !milestones.step(2));
    }
}
