//! Progress bars and the lines a person reads while a run goes on, on stderr.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use isostar_train::experiment::{Observer, Phase, RunResult, SplitReport};

/// One bar a phase.
pub struct Console {
    bars: MultiProgress,
    state: Mutex<State>,
    /// Whether stdout is left to JSON, and the dashboard to nobody.
    json: bool,
}

#[derive(Default)]
struct State {
    phases: Vec<(Phase, ProgressBar)>,
    loss: Option<f64>,
    score: Option<f64>,
    before: Option<SplitReport>,
}

impl Console {
    /// A console; bars are drawn on a terminal only.
    pub fn new(json: bool) -> Self {
        let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), state: Mutex::default(), json }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line above the bars.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| eprintln!("{text}"));
    }

    /// Several of them.
    pub fn lines(&self, texts: Vec<String>) {
        texts.iter().for_each(|text| self.line(text));
    }
}

impl State {
    fn bar(&self, phase: &Phase) -> Option<&ProgressBar> {
        self.phases.iter().find(|(running, _)| running == phase).map(|(_, bar)| bar)
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

/// The width of a column that holds the names of scores, such as `has_answer_exact_match`.
pub fn names_width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(String::len).fold(12, usize::max)
}

fn score(value: Option<f64>) -> String {
    value.filter(|score| !score.is_nan()).map_or("none".into(), |score| format!("{score:.4}"))
}

impl Observer for Console {
    fn begin(&self, phase: Phase, total: usize) {
        let style = match phase {
            Phase::Download { .. } => "{prefix:>22} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta_precise}",
            _ => "{prefix:>22} [{bar:30}] {pos}/{len} {elapsed_precise}<{eta_precise} {msg}",
        };
        let bar = self.bars.add(ProgressBar::new(total as u64));
        bar.set_style(ProgressStyle::with_template(style).expect("the template is valid").progress_chars("=> "));
        bar.set_prefix(title(&phase));
        let mut state = self.state();
        if !matches!(phase, Phase::Calibration { .. }) {
            (state.loss, state.score) = (None, None);
        }
        state.phases.push((phase, bar));
    }

    fn advance(&self, phase: &Phase, done: usize) {
        if let Some(bar) = self.state().bar(phase) {
            bar.set_position(done as u64);
        }
    }

    fn metric(&self, phase: &Phase, name: &str, value: f64) {
        let mut state = self.state();
        match name {
            "Loss" => state.loss = Some(value),
            "IsoScore star" | "CosReg" | "IsoScore" => state.score = Some(value),
            _ => return,
        }
        let text = |name, value: Option<f64>| value.map_or(String::new(), |value| format!("{name} {value:.3} "));
        let message = text("loss", state.loss) + &text("score", state.score);
        if let Some(bar) = state.bar(phase) {
            bar.set_message(message);
        }
    }

    fn end(&self, phase: &Phase) {
        let mut state = self.state();
        let Some(at) = state.phases.iter().position(|(running, _)| running == phase) else { return };
        let (_, bar) = state.phases.remove(at);
        bar.finish_and_clear();
        if matches!(phase, Phase::Training { .. }) {
            self.line(&format!("{} took {:.1} s", title(phase), bar.elapsed().as_secs_f64()));
        }
    }

    fn wants_dashboard(&self) -> bool {
        !self.json
    }

    fn note(&self, text: &str) {
        self.line(text);
    }

    fn before(&self, report: &SplitReport) {
        let metrics: String = report.metrics.iter().map(|(name, value)| format!("{name} {value:.4}, ")).collect();
        self.line(&format!("before training: {metrics}IsoScore {}", score(report.isoscore.all)));
        self.state().before = Some(SplitReport { predictions: Vec::new(), ..report.clone() });
    }

    fn after(&self, report: &SplitReport, result: &RunResult) {
        if self.json {
            return;
        }
        let before = self.state().before.take();
        let width = names_width(report.metrics.keys());
        println!("{:<width$} {:>10} {:>10}", "", "before", "after");
        for (name, after) in &report.metrics {
            let before = before.as_ref().map_or(f64::NAN, |report| report.metrics[name]);
            println!("{name:<width$} {:>10} {:>10}", score(Some(before)), score(Some(*after)));
        }
        println!("{:<width$} {:>10} {:>10}", "IsoScore", score(before.and_then(|report| report.isoscore.all)), score(report.isoscore.all));
        let number = |value: Option<f64>, decimals: usize| value.map_or("?".into(), |value| format!("{value:.decimals$}"));
        println!(
            "{} rows to judge by; {} s of training, {} s of calibration, {} tokens/s",
            report.rows,
            number(result.seconds, 1),
            number(result.calibration_seconds, 1),
            number(result.tokens_per_second, 0)
        );
    }
}
