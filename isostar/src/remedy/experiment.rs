//! Remedies for tasks, runs, sweeps and analyses.

use indicatif::DecimalBytes;
use isostar_core::ConfigError;
use isostar_train::analysis::AnalysisError;
use isostar_train::embed::EmbedError;
use isostar_train::experiment::{Diverged, ExperimentError};
use isostar_train::hook::NotFinite;
use isostar_train::sweep::SweepError;
use isostar_train::task::{DEFAULT_TASK, KNOWN_TASKS, TaskError};

use super::{Remedy, UNKNOWN};

/// The largest learning rate suggested; the published runs use lower ones.
const USUAL_RATE: f64 = 5e-5;

impl Remedy for ConfigError {
    fn remedy(&self) -> String {
        let remedy = match self {
            ConfigError::Shrinkage { .. } => {
                "choose --shrinkage between 0 (the batch alone) and 1 (the reference alone), or auto; the paper uses 0.2 to 0.8"
            }
            ConfigError::Weight { .. } => "choose a finite --weight, such as -0.1",
            ConfigError::Target { .. } => "choose --target between 0 and 1, such as 0.3",
            _ => {
                "choose --layers all, last, each, numbers such as 1,3,12, or weights such as 1:0.5,6:2"
            }
        };
        remedy.into()
    }
}

impl Remedy for TaskError {
    fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                let known: Vec<&str> = std::iter::once(DEFAULT_TASK).chain(KNOWN_TASKS.iter().map(|task| task.name)).collect();
                format!("pass a task ({}), or a .tsv, .csv, .jsonl, .parquet or .csv.gz file", known.join(", "))
            }
            Self::NeedsData { .. } => "pass the folder of the official download with --data DIR".into(),
            #[cfg(feature = "hub")]
            Self::Hub { source, .. } => format!("pass the folder of the official download with --data DIR, or {}", source.remedy()),
            Self::NoNumbers { .. } => "remove kind under [columns], or pass a file or folder of your own".into(),
            Self::Limit { classes, .. } => format!("choose --limit {classes} or more"),
            Self::NothingToHoldOut { .. } => {
                "add a second row for at least one label, or pass a folder with a train and a dev file; for numeric labels, set \
                kind = \"regression\" under [columns]"
                    .into()
            }
            Self::TooFew { .. } => "pass a file of labelled text with at least two rows, or a folder with a train and a dev file".into(),
            Self::NoSplit { splits, .. } => format!("name one of {}", splits.join(", ")),
            Self::Outputs { task, .. } => format!("train the model for it first: isostar train --model DIR --task {task} --data DIR"),
            Self::Data(error) => error.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for ExperimentError {
    fn remedy(&self) -> String {
        match self {
            Self::Setting { name, expected, .. } => format!("set {} to {expected}", flag(name)),
            Self::MaxLength { positions, .. } => format!("choose --max-length {positions} or less"),
            Self::NotMeasured { setting, .. } => format!("name one of these in {}; those of geometry.jsonl need --monitor N", flag(setting)),
            Self::NotMonitored => "pass one --device, leave out --accumulate, and start one process; or leave out --monitor".into(),
            Self::SettingsFile { .. } => "correct the file; its keys are the flags of `isostar train`, with _ instead of -".into(),
            Self::ResultFile { .. } => "remove the file; the run then counts as unfinished".into(),
            Self::FolderTaken { .. } => "pass another folder with --out, or continue the run with --resume".into(),
            Self::Locked { .. } => {
                "wait until it ends, or end it and give the same command again: its lock ends with it; or pass another --out".into()
            }
            Self::NothingToResume { .. } => "pass the folder of an unfinished run with --out, or start a new run without --resume".into(),
            Self::Io { .. } => "check that the path exists and is writable, and that the disk has free space".into(),
            Self::Write { .. } => "free space there, or check that the disk is writable and sound; the same command goes on".into(),
            Self::NoSpace { need, free, .. } => {
                format!("free {}, choose an --out on another disk, or keep fewer snapshots with --keep 1", DecimalBytes(need - free))
            }
            Self::Snapshot { .. } => {
                "check that the model is the one that the run was begun with, or start a new run with another --out".into()
            }
            Self::OtherSettings { .. } => "leave these flags out, or start a new run with another --out; only --epochs may grow".into(),
            Self::OtherRows { .. } => "restore the files of the task, or start a new run with another --out".into(),
            Self::Altered { .. } => "restore the file, or start a new run with another --out".into(),
            Self::Damaged { path, .. } => {
                format!("make the file anew with `isostar train --resume --out {}`", path.display())
            }
            Self::NothingToVerify { .. } => "verify a run of at least two epochs, or one with a shorter --snapshot-every".into(),
            Self::SeveralProcesses { processes, .. } => format!(
                "compare the files of two runs of the same command with `mpirun -n {processes}`: their bits are the same"
            ),
            Self::Interrupted { path: Some(path), step, .. } => {
                let saved = if *step > 0 { "the state is saved; " } else { "" };
                format!("{saved}go on with `isostar train --resume --out {}`", path.display())
            }
            Self::Interrupted { path: None, .. } => "the same command begins again".into(),
            Self::Spike { path, .. } => format!(
                "go on without the batch: `isostar train --resume --out {} --on-spike skip`, or from earlier weights: --on-spike rollback",
                path.display()
            ),
            Self::Limit { path, .. } => format!(
                "look at the run's metrics.jsonl and geometry.jsonl; to go on, give another limit: \
                 `isostar train --resume --out {} --stop-below MEASURE=VALUE`",
                path.display()
            ),
            Self::World(error) => error.remedy(),
            Self::Batch { .. } => "check that the task's files can still be read".into(),
            Self::Stopped { path, .. } => {
                format!("fix the cause and go on from the last snapshot with `isostar train --resume --out {}`", path.display())
            }
            Self::Diverged { diverged, .. } => format!("train again with another --out and {}", advice(diverged, flag)),
            Self::Read(_) => "check that the device responds and has free memory; a smaller --batch-size needs less".into(),
            Self::Config(error) => error.remedy(),
            Self::Data(error) => error.remedy(),
            Self::Task(error) => error.remedy(),
            Self::Model(error) => error.remedy(),
            Self::FindModel(error) => error.remedy(),
            Self::Device(error) => error.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}

/// Suggests settings to change. `flag` formats the name of a setting.
pub fn advice(diverged: &Diverged, flag: impl Fn(&str) -> String) -> String {
    let rate = || {
        format!(
            "a lower {}, such as {:e}",
            flag("learning_rate"),
            (diverged.learning_rate / 10.0).min(USUAL_RATE)
        )
    };
    let weight = || {
        format!(
            "a {} nearer to 0, such as {}",
            flag("weight"),
            diverged.weight / 10.0
        )
    };
    match diverged.divergence.cause {
        NotFinite::Penalty => weight(),
        NotFinite::Reference if diverged.divergence.epoch == 1 => {
            format!("another {}", flag("model"))
        }
        _ if diverged.weight == 0.0 => rate(),
        _ => format!("{}; if it diverges again, {}", rate(), weight()),
    }
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

impl Remedy for SweepError {
    fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "pass a plan: a TOML file with [settings], [vary] and [[runs]], such as examples/nine_tasks.toml".into()
            }
            Self::Malformed { .. } => {
                "correct the plan: [settings] and [[runs]] take the keys of a settings file, [vary] takes lists of their values".into()
            }
            Self::Run { source, .. } => source.remedy(),
            Self::SameName { .. } => "give each of [[runs]] its own name".into(),
            Self::OtherSettings { .. } => "pass another folder with --out, or move the run to another folder".into(),
            Self::Folder(error) => error.remedy(),
            Self::NoSuchShard { .. } => "pass --shard I/N with I from 1 to N, or --shard auto under SLURM or MPI".into(),
            Self::NoLauncher => {
                "start the command in a SLURM array, or with srun, mpirun or mpiexec; or pass --shard I/N with I from 1 to N".into()
            }
            Self::Launcher { .. } => "pass --shard I/N with I from 1 to N".into(),
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for EmbedError {
    fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy(),
            Self::NotIds { .. } => {
                "write one JSON array of token ids per line, such as [101, 2023, 102]".into()
            }
            Self::NoTokens { .. } => "remove the line, or write at least one token id".into(),
            Self::UnknownId { .. } => "tokenize with the tokenizer of this model".into(),
            Self::LongSequence { limit, .. } => format!("truncate the sequence to {limit} tokens"),
            Self::MaxLength { positions, .. } => format!("choose --max-length {positions} or less"),
            Self::BatchSize => "choose --batch-size 1 or more".into(),
            Self::Output { .. } => {
                "check that the folder exists and is writable, and that the disk has free space"
                    .into()
            }
            Self::Device { .. } => "try again with --device flex".into(),
            Self::Data(error) => error.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for AnalysisError {
    fn remedy(&self) -> String {
        match self {
            Self::Setting { name, expected, .. } => format!("give {} {expected}", flag(name)),
            Self::NotFinite { .. } => {
                "choose another model: the training of this one diverged".into()
            }
            Self::Output { .. } => {
                "name a folder that may be written to with --out, on a disk with room".into()
            }
            Self::Embed(error) => error.remedy(),
            Self::Embeddings(error) => error.remedy(),
            _ => UNKNOWN.into(),
        }
    }
}
