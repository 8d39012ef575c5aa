//! One training run, from its settings to its folder.
//!
//! ```text
//! TrainOptions (file, flags) ──▶ TrainSettings ──▶ Experiment::prepare ──▶ Experiment::run ──▶ run folder
//! ```
//!
//! Everything that can be wrong with settings, data or model is found by `prepare`, before anything is written.
//!
//! | in the run folder | what |
//! |---|---|
//! | config.toml | the settings, as resolved |
//! | metrics.jsonl | a line per epoch and split that ended: `epoch, split, rows, metrics{name: value}, seconds` |
//! | result.json | [`RunResult`] |
//! | checkpoint/ | what a resumed run needs, and the seconds of each epoch |
//! | model/ | of a run that did not diverge: config.json, model.safetensors, tokenizer.json: what transformers' `from_pretrained` reads |

mod diverged;
mod ending;
mod error;
mod evaluate;
mod folder;
mod observer;
mod optimizer;
mod predictions;
mod prepare;
mod preset;
mod renderer;
mod result;
mod run;
mod seconds;
mod settings;
mod values;

pub use diverged::Diverged;
pub use error::{ExperimentError, config_remedy};
pub use evaluate::{SplitReport, evaluate};
pub use folder::RunFolder;
pub use observer::{EpochReport, Observer, Phase, Silent};
pub use optimizer::{Schedule, WarmupLinear, adamw};
pub use prepare::Experiment;
pub use preset::{Preset, PresetSetting};
pub use result::{IsoScores, RunResult};
#[cfg(feature = "cli")]
pub(crate) use settings::{DIALECT, object};
pub use settings::{RegularizerName, SCRATCH, TrainOptions, TrainSettings};
