//! One training run, from its settings to its folder.
//!
//! ```text
//! TrainOptions (file, flags) ──▶ TrainSettings ──▶ Experiment::prepare ──▶ Experiment::run ──▶ run folder
//! ```
//!
//! `prepare` checks settings, data and model before anything is written.
//!
//! | file in the run folder | contents |
//! |---|---|
//! | config.toml | the resolved settings |
//! | metrics.jsonl | one line per epoch and split: `epoch, split, rows, metrics{name: value}, seconds` |
//! | control.jsonl | one line per step of a regularizer that adapts: `step, task_loss, details{name: value}, held[]`; absent otherwise |
//! | geometry.jsonl | one line per measurement of a monitor: `step, layers[]`, see [`StepGeometry`](crate::hook::StepGeometry); absent without one |
//! | result.json | [`RunResult`] |
//! | checkpoint/ | snapshots, from which the run is resumed |
//! | lock | held by the process that works on the run; names the last one |
//! | manifest.json | size and SHA-256 of the files of a run that is over |
//! | model/ | config.json, model.safetensors and tokenizer.json, readable by transformers' `from_pretrained`; absent if the run diverged |

mod disk;
mod diverged;
mod error;
mod evaluate;
mod execute;
mod fingerprint;
mod folder;
mod heartbeat;
mod holder;
mod hook_events;
mod integrity;
mod isoscores;
mod limits;
mod lock;
mod measured;
mod observer;
mod optimizer;
mod origin;
mod predictions;
mod prepare;
mod preset;
mod result;
mod run;
mod run_hook;
mod settings;
mod size;
mod snapshot;
mod status;
mod step_log;
mod together;
mod training;
mod turns;
mod verify;
mod waiting;

pub use diverged::Diverged;
pub use error::ExperimentError;
pub use evaluate::{SplitReport, evaluate};
pub use folder::{RunFolder, RunState};
pub use holder::Holder;
pub use isoscores::IsoScores;
pub use limits::Thresholds;
pub use lock::RunLock;
pub use observer::{EpochReport, Observer};
pub use optimizer::{Schedule, WarmupLinear, adamw};
pub use prepare::Experiment;
pub use preset::PresetSetting;
pub use result::RunResult;
pub use settings::{
    AccumulateScore, EstimatorName, PrecisionName, Preset, RegularizerName, SCRATCH, Setting,
    ShrinkageSetting, Targets, TrainOptions, TrainSettings,
};
pub(crate) use settings::{DIALECT, object};
pub use snapshot::SnapshotInterval;
pub use status::{Activity, RunStatus};
pub use training::OnSpike;
pub use verify::Verification;
