//! The table of settings: the help, type, default and range of each.

use std::path::PathBuf;

use isostar_core::{LayerSelection, Padding};
use serde::{Deserialize, Serialize};

use super::super::{ExperimentError, OnSpike, Schedule, SnapshotInterval, Thresholds};
use super::define::{Setting, settings};
use super::kind::Kind;
use super::range::{ABOVE_ZERO, AT_LEAST_ONE, AT_LEAST_TWO, AT_LEAST_ZERO, DIVISOR, SHARE};
use super::{
    AccumulateScore, EstimatorName, PrecisionName, Preset, RegularizerName, SCRATCH,
    ShrinkageSetting, Targets,
};
use crate::data::{Batching, Columns};
use crate::device::default_device_name;
use crate::hook::CALIBRATION_LIMIT;

/// What defaults depend on.
pub(super) struct About {
    /// Whether the model is trained from nothing.
    pub scratch: bool,
    pub regularizer: RegularizerName,
    /// The multiple of the width of a batch.
    pub pad_to: usize,
    /// Whether a target is held, which sets the weight.
    pub held: bool,
}

settings! {
    options only:
    /// Preset of published settings: paper is that of Rudman & Eickhoff. Any setting you pass overrides it
    #[takes()]
    preset: Preset;

    /// Model: folder of a pretrained model, its name on the hub, or "scratch" for a small encoder with random weights (default: scratch)
    #[takes("DIR|ID")]
    model: String = |_| SCRATCH.into();

    /// Task (headlines, sst2, cola, mrpc, rte, qnli, qqp, stsb, sst5, squad, mnli, mnli_mm, wnli, squad2), or a .tsv, .csv, .jsonl or .parquet
    /// file of labelled text, also compressed as .csv.gz and so on. The table "columns" of a settings file names its columns and says whether
    /// labels are numbers (default: headlines)
    #[takes("NAME|FILE")]
    task: String;

    /// Folder with the task's train and dev files (default: those of a task by name come from the hub). Without a dev file, a tenth of your own
    /// training rows is held out
    #[takes("DIR")]
    data: PathBuf;

    /// Train on N rows only, drawn by the seed; each class keeps its share (default: all rows)
    #[takes("N")]
    limit: usize, in AT_LEAST_ONE;

    /// Penalty on the hidden states (default: istar)
    #[takes()]
    regularizer: RegularizerName = |_| RegularizerName::default();

    /// Penalty weight λ: above 0 raises isotropy, below 0 lowers it (default: -0.1; from scratch: -0.02; cosreg: 1; vicreg: 0.01; sigreg: 0.0001; none: 0)
    #[takes("W")]
    weight: f64 = |about| match (about.regularizer, about.scratch) {
        _ if about.held => 0.0,
        (RegularizerName::None, _) => 0.0,
        (RegularizerName::Cosreg, _) => 1.0,
        // The published weights belong to losses of their own; these leave the task's loss in charge.
        (RegularizerName::Vicreg, _) => 0.01,
        (RegularizerName::Sigreg | RegularizerName::SigregMinimal, _) => 1e-4,
        // These lower isotropy where padding is masked, at a cost that depends on the task: at −0.1, six of the eight tasks measured keep their
        // score to within two points, QNLI loses four and CoLA falls from 0.293 to 0.118 (docs/measurements.md). The published −1 … −5 belong
        // to padded states, and fresh weights yield sooner than pretrained ones.
        (_, true) => -0.02,
        (_, false) => -0.1,
    };

    /// Share of the steps over which the penalty weight rises from 0, 0 to 1 (default: 0)
    #[takes("SHARE")]
    #[stored(default)]
    weight_warmup: f64 = |_| 0.0, in SHARE;

    /// Isotropy to hold instead of a weight: an IsoScore between 0 and 1 of the selected layers together, such as 0.3, or one per layer, such as
    /// 1:0.4,6:0.2. The weight follows from step to step
    #[takes("T|1:T,6:T")]
    target: Targets;

    /// Share of the steps over which the held isotropy moves from that of the untouched states to the target, 0 to 1 (default: 0.3)
    #[takes("SHARE")]
    #[stored(default = "default_target_warmup")]
    target_warmup: f64 = |_| default_target_warmup(), in SHARE;

    /// Share ζ of the reference in the covariance, 0 to 1; or auto, which estimates it from each batch by Ledoit and Wolf's rule, with the
    /// variance of the covariance over the batch's rows: a reference that the states have left is given less weight (default: 0.2)
    #[takes("Z|auto")]
    shrinkage: ShrinkageSetting = |_| ShrinkageSetting::Fixed(0.2);

    /// Estimator of IsoScore in istar (default: plugin)
    #[takes()]
    #[stored(default)]
    estimator: EstimatorName = |_| EstimatorName::default();

    /// Compute the penalty from N states per step instead of all, drawn over rows, tokens and layers by the seed and the step; 0 uses all. For
    /// istar and sigreg; 1024 cost about 2% of a step of a small model on the CPU (default: 0)
    #[takes("N")]
    #[stored(default)]
    penalty_tokens: usize = |_| 0;


    /// Padding among the states, in training and in the reference: mask excludes it; keep includes it, as the published code does, which also
    /// draws its batches at random (default: mask)
    #[takes("mask|keep")]
    padding: Padding = |_| Padding::default();

    /// Batches of rows of similar length, or of random rows (default: length)
    #[takes()]
    batching: Batching = |_| Batching::default();

    /// Pad each batch to a multiple of N tokens: GPUs compile and tune kernels for each length. Not under --padding keep, where padding is part of
    /// the score (default: 32 on cuda, 16 on wgpu, else 1)
    #[takes("N")]
    #[stored(default = "no_multiple")]
    pad_to: usize = |about| about.pad_to, in AT_LEAST_ONE;

    /// Layers under the penalty: all, last, or numbers such as 1,3,12, pooled into one score; each, for the mean of the layers' own scores; or
    /// weights of the layers' own scores, such as 1:0.5,6:2 (default: all; cosreg: last)
    #[takes("LAYERS")]
    layers: LayerSelection = |about| match about.regularizer {
        RegularizerName::Cosreg => LayerSelection::Last,
        _ => LayerSelection::All,
    };

    /// Maximum number of states that estimate the reference in each epoch, including padding if it is kept (default: 250000)
    #[takes("N")]
    calibration_states: usize = |_| CALIBRATION_LIMIT, in AT_LEAST_TWO;

    /// End a calibration before its limit once doubling the states changed their covariance by less than this share of its norm, which estimates
    /// its sampling error; 0.05 is 5% (default: 0, which always uses the limit)
    #[takes("SHARE")]
    #[stored(default)]
    calibration_tolerance: f64 = |_| 0.0, in SHARE;

    /// Passes over the training rows (default: 3; from scratch: 2)
    #[takes("N")]
    epochs: usize = |about| if about.scratch { 2 } else { 3 }, in AT_LEAST_ONE;

    /// Rows per step, or per micro-batch if a step accumulates gradients; several devices share them (default: 32)
    #[takes("N")]
    batch_size: usize = |_| 32, in AT_LEAST_ONE;

    /// Add up the gradients of N micro-batches of --batch-size rows per step: the loss and the gradients of one large batch with the memory of
    /// a small one (default: 1)
    #[takes("N")]
    #[stored(default = "default_accumulate")]
    accumulate: usize = |_| default_accumulate(), in AT_LEAST_ONE;

    /// States that share a penalty when gradients are accumulated: full takes those of the whole step, at the price of a second forward pass of
    /// all micro-batches but one; micro takes those of each micro-batch, whose score is lower the fewer they are (default: full)
    #[takes()]
    #[stored(default)]
    accumulate_score: AccumulateScore = |_| AccumulateScore::default();

    /// Scale the gradients of a step down to a norm of G over all parameters, if it is larger (default: no limit)
    #[takes("G")]
    clip_norm: f64, in ABOVE_ZERO;

    /// Peak learning rate of AdamW (default: 5e-5; from scratch: 5e-4)
    #[takes("R")]
    learning_rate: f64 = |about| if about.scratch { 5e-4 } else { 5e-5 }, in ABOVE_ZERO;

    /// Share of the steps over which the learning rate rises from 0, 0 to 1 (default: 0; from scratch: 0.1)
    #[takes("SHARE")]
    warmup: f64 = |about| if about.scratch { 0.1 } else { 0.0 }, in SHARE;

    /// Learning rate after the warm-up (default: constant; from scratch: linear)
    #[takes()]
    schedule: Schedule = |about| if about.scratch { Schedule::Linear } else { Schedule::Constant };

    /// Weight decay of AdamW, applied to matrices and embeddings (default: 0.01, as in PyTorch)
    #[takes("D")]
    weight_decay: f64 = |_| 0.01, in AT_LEAST_ZERO;

    /// Number ε that AdamW adds to its denominator (default: 1e-8, as in PyTorch)
    #[takes("E")]
    #[stored(default = "default_epsilon")]
    adam_epsilon: f64 = |_| default_epsilon(), in DIVISOR;

    /// Maximum tokens per row; longer rows are cut (default: the task's, at most the model's positions)
    #[takes("N")]
    max_length: usize;

    /// Tokens shared by consecutive windows of a long paragraph, for squad and squad2 (default: a third of the maximum length, at most 128)
    #[takes("N")]
    stride: usize;

    /// Seed of the weights, the order of rows, dropout, the rows held out from a file, and the rows that a limit keeps (default: 1)
    #[takes("N")]
    seed: u64 = |_| 1;

    /// Device: flex, ndarray, wgpu, cuda or cuda:1, if compiled in (default: the first of them). A list such as cuda:0,cuda:1 splits each batch
    /// by rows; loss and gradients are those of the whole batch
    #[takes("NAME")]
    device: String = |_| default_device_name().into();

    /// Precision of the matrix products of the model in training: f32, or bf16 on devices that have it. Parameters, the optimizer and the penalty
    /// stay in f32 (default: f32)
    #[takes()]
    #[stored(default)]
    precision: PrecisionName = |_| PrecisionName::default();

    /// Save the state of the run every N steps, or after a duration such as 90s, 10min or 1h; and after every epoch (default: 10min)
    #[takes("STEPS|DURATION")]
    #[stored(default)]
    snapshot_every: SnapshotInterval = |_| SnapshotInterval::default();

    /// Number of snapshots to keep: the newest ones, and the best by the task's metric besides (default: 2)
    #[takes("K")]
    #[stored(default = "default_keep")]
    keep: usize = |_| default_keep(), in AT_LEAST_ONE;

    /// What to do when the loss of a batch spikes: warn of it; skip the batch; rollback to the weights of the newest snapshot, without the
    /// batches since; or stop (default: warn; a loss that is not finite then ends the run)
    #[takes()]
    #[stored(default)]
    on_spike: OnSpike = |_| OnSpike::default();

    /// A loss is a spike above F times the median of the last 100 losses, or if it is not finite (default: 10)
    #[takes("F")]
    #[stored(default = "default_spike_factor")]
    spike_factor: f64 = |_| default_spike_factor(), in ABOVE_ZERO;

    /// Measure the geometry of every layer in each N steps on 256 sampled tokens, into geometry.jsonl; not with several devices or accumulated
    /// gradients (default: never)
    #[takes("N")]
    monitor: usize, in AT_LEAST_ONE;

    /// End the run with exit status 3, its state saved, once a measure falls below a limit: names of metrics.jsonl, such as isoscore=0.02, in
    /// training steps and validation, and those of geometry.jsonl in any layer (default: no limit)
    #[takes("MEASURE=VALUE")]
    stop_below: Thresholds;

    /// The same once a measure rises above a limit, such as task_loss=5 (default: no limit)
    #[takes("MEASURE=VALUE")]
    stop_above: Thresholds;

    /// Columns of a file (default: guessed from their names), and whether labels are classes or numbers (default: classes)
    #[stored(default)]
    columns: Columns = |_| Columns::default();
}

fn or_default<T>(option: Option<T>, about: &About, default: impl FnOnce(&About) -> T) -> T {
    option.unwrap_or_else(|| default(about))
}

/// The ε of AdamW in PyTorch, and of runs whose settings do not name it.
fn default_epsilon() -> f64 {
    1e-8
}

fn default_accumulate() -> usize {
    1
}

/// Batches as wide as their longest row, and those of runs whose settings do not name a multiple.
pub(super) fn no_multiple() -> usize {
    1
}

fn default_target_warmup() -> f64 {
    0.3
}

fn default_keep() -> usize {
    2
}

fn default_spike_factor() -> f64 {
    10.0
}
