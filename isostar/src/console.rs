//! Progress on stderr: bars on a terminal, lines elsewhere.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use isostar_train::experiment::{EpochReport, Observer, RunResult, SplitReport};
use isostar_train::progress::{Phase, Progress, Stop};

use crate::measure::print;
use crate::progress::{Milestones, duration, epoch_line, is_geometry, number};
use crate::signals;
use crate::stderr::stderr_line;

/// Observer that shows one progress bar per phase.
pub struct Console {
    bars: MultiProgress,
    has_bars: bool,
    state: Mutex<State>,
    /// Whether stdout is reserved for JSON, so that the dashboard must not be shown.
    json: bool,
}

#[derive(Default)]
struct State {
    phases: Vec<Running>,
    loss: Option<f64>,
    /// Name in metrics.jsonl and value of the measure of the hidden states.
    geometry: Option<(String, f64)>,
    before: Option<SplitReport>,
}

/// Phase in progress.
struct Running {
    phase: Phase,
    bar: ProgressBar,
    milestones: Milestones,
}

impl Console {
    /// Creates a console. Bars are drawn only on a terminal.
    pub fn new(json: bool) -> Self {
        let has_bars = io::stderr().is_terminal();
        let target = if has_bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            has_bars,
            state: Mutex::default(),
            json,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| stderr_line(text));
    }

    /// Prints several lines above the bars.
    pub fn lines(&self, texts: Vec<String>) {
        texts.iter().for_each(|text| self.line(text));
    }
}

impl State {
    fn running(&mut self, phase: &Phase) -> Option<&mut Running> {
        self.phases
            .iter_mut()
            .find(|running| running.phase == *phase)
    }

    /// Current metrics of the phase.
    fn numbers(&self) -> Vec<String> {
        let loss = self.loss.map(|loss| number("task_loss", loss));
        loss.into_iter()
            .chain(
                self.geometry
                    .as_ref()
                    .map(|(name, value)| number(name, *value)),
            )
            .collect()
    }
}

/// Line that replaces a bar, such as `epoch 1 of 3: 960 of 9600 rows, loss 0.5342, IsoScore*
/// 0.1034, 97 rows/s, 1 min 29 s left in this epoch`.
fn progress_line(running: &Running, done: usize, numbers: Vec<String>) -> String {
    let (unit, total) = (unit(&running.phase), running.bar.length().unwrap_or(0));
    let mut parts = vec![format!(
        "{}: {done} of {total} {unit}",
        title(&running.phase)
    )];
    parts.extend(numbers);
    if let Some((rate, seconds)) = running.milestones.pace(done) {
        let whole = if matches!(running.phase, Phase::Training { .. }) {
            " in this epoch"
        } else {
            ""
        };
        parts.extend([
            format!("{rate:.0} {unit}/s"),
            format!("{} left{whole}", duration(seconds)),
        ]);
    }
    parts.join(", ")
}

fn unit(phase: &Phase) -> &'static str {
    match phase {
        Phase::Evaluation | Phase::Training { .. } | Phase::Validation { .. } => "rows",
        Phase::Embedding => "tokens",
        Phase::Measuring { .. } => "points",
        Phase::Download { .. } => "bytes",
        Phase::Calibration { .. } => "states",
        _ => "units",
    }
}

fn title(phase: &Phase) -> String {
    match phase {
        Phase::Download { file } => file.clone(),
        Phase::Evaluation => "measuring".into(),
        Phase::Embedding => "embedding".into(),
        Phase::Measuring { layer, last } => format!("measuring layer {layer} of {last}"),
        Phase::Calibration { epoch } => format!("reference of epoch {epoch}"),
        Phase::Training { epoch, epochs } => format!("epoch {epoch} of {epochs}"),
        Phase::Validation { epoch } => format!("validating epoch {epoch}"),
        _ => "working".into(),
    }
}

/// Width of a column of score names, such as `has_answer_exact_match`.
pub fn names_width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(String::len).fold(12, usize::max)
}

fn score(value: Option<f64>) -> String {
    value
        .filter(|score| !score.is_nan())
        .map_or("none".into(), |score| format!("{score:.4}"))
}

impl Progress for Console {
    fn stop(&self) -> Option<Stop> {
        signals::requested()
    }

    fn begin(&self, phase: Phase, total: usize) {
        let style = match phase {
            Phase::Download { .. } => {
                "{prefix:>22} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta_precise}"
            }
            _ => "{prefix:>22} [{bar:30}] {pos}/{len} {elapsed_precise}<{eta_precise} {msg}",
        };
        let bar = self.bars.add(ProgressBar::new(total as u64));
        bar.set_style(
            ProgressStyle::with_template(style)
                .expect("the template is valid")
                .progress_chars("=> "),
        );
        bar.set_prefix(title(&phase));
        let mut state = self.state();
        if !matches!(phase, Phase::Calibration { .. }) {
            (state.loss, state.geometry) = (None, None);
        }
        let milestones = Milestones::new(&phase, total);
        state.phases.push(Running {
            phase,
            bar,
            milestones,
        });
    }

    fn advance(&self, phase: &Phase, done: usize) {
        let mut state = self.state();
        let numbers = state.numbers();
        let Some(running) = state.running(phase) else {
            return;
        };
        running.bar.set_position(done as u64);
        if !self.has_bars && running.milestones.step(done) {
            self.line(&progress_line(running, done, numbers));
        }
    }

    fn end(&self, phase: &Phase) {
        let mut state = self.state();
        if let Some(at) = state
            .phases
            .iter()
            .position(|running| running.phase == *phase)
        {
            state.phases.remove(at).bar.finish_and_clear();
        }
    }

    fn note(&self, text: &str) {
        self.line(text);
    }
}

impl Observer for Console {
    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        let mut state = self.state();
        match name {
            "task_loss" => state.loss = Some(value),
            name if is_geometry(name) => state.geometry = Some((name.into(), value)),
            _ => return,
        }
        let message = state.numbers().join(", ");
        if let Some(running) = state.running(phase) {
            running.bar.set_message(message);
        }
    }

    fn epoch(&self, report: &EpochReport) {
        self.line(&epoch_line(report));
    }

    fn wants_dashboard(&self) -> bool {
        !self.json
    }

    fn saves(&self, saves: bool) {
        signals::saves(saves);
    }

    fn before(&self, report: &SplitReport) {
        let metrics: String = report
            .metrics
            .iter()
            .map(|(name, value)| number(name, *value) + ", ")
            .collect();
        self.line(&format!(
            "before training: {metrics}IsoScore {}",
            score(report.isoscore.all)
        ));
        self.state().before = Some(SplitReport {
            predictions: Vec::new(),
            ..report.clone()
        });
    }

    fn after(&self, report: &SplitReport, result: &RunResult) {
        if self.json {
            return;
        }
        let before = self.state().before.take();
        let width = names_width(report.metrics.keys());
        let mut text = format!("{:<width$} {:>10} {:>10}\n", "", "before", "after");
        let mut row = |name: &str, before, after| {
            text += &format!(
                "{name:<width$} {:>10} {:>10}\n",
                score(before),
                score(after)
            )
        };
        for (name, after) in &report.metrics {
            let before = before
                .as_ref()
                .map_or(f64::NAN, |report| report.metrics[name]);
            row(name, Some(before), Some(*after));
        }
        row(
            "IsoScore",
            before.and_then(|report| report.isoscore.all),
            report.isoscore.all,
        );
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or("?".into(), |value| format!("{value:.decimals$}"))
        };
        text += &format!(
            "{} validation rows; {} s of training, {} s of calibration, {} tokens/s\n",
            report.rows,
            number(result.seconds, 1),
            number(result.calibration_seconds, 1),
            number(result.tokens_per_second, 0)
        );
        if let Err(failure) = print(&text) {
            self.line(&failure.to_string());
        }
    }
}
