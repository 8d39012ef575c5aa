//! Reading the rows of your own, from a folder or a file, and holding some of them out.

use std::path::Path;

use super::known::plain;
use super::{DEFAULT_TASK, Task, TaskError, TaskKind, TaskMetric, TaskSource, stem};
use crate::data::{Columns, DataError, Format, LabelKind, Labels, Split, Splits, default_rows};
use crate::progress::Progress;

/// The metrics of your own classes, and of the default task.
const CLASS_METRICS: [TaskMetric; 3] = [TaskMetric::Accuracy, TaskMetric::F1, TaskMetric::Matthews];

/// The metrics of your own numbers.
const NUMBER_METRICS: [TaskMetric; 2] = [TaskMetric::Pearson, TaskMetric::Spearman];

/// The name of a regression output in the model's configuration, if no label column is named.
const NUMBER: &str = "value";

/// The largest held-out split. Without a development split, a tenth of the training rows is held
/// out.
const HELD_OUT_AT_MOST: usize = 1000;

impl Task {
    /// Reads the embedded default, a folder or a file; the classes are filled in later.
    pub(super) fn read_own(
        source: &TaskSource<'_>,
        observer: &dyn Progress,
    ) -> Result<Self, TaskError> {
        let TaskSource {
            name,
            folder,
            ref columns,
            is_whole,
            seed,
            ..
        } = *source;
        let (name, splits) = match (name, folder) {
            (name, Some(folder)) => {
                if let Some(name) = name.filter(|name| plain(name) != DEFAULT_TASK) {
                    observer.note(&format!(
                        "no task has the name {name:?}: the rows of {} are read as your own",
                        folder.display()
                    ));
                }
                (
                    name.map_or_else(|| stem(folder), String::from),
                    read_folder(folder, columns, seed, observer)?,
                )
            }
            (Some(file), None) if plain(file) != DEFAULT_TASK => {
                let rows = read_file(file, columns)?;
                let splits = if is_whole {
                    all_in_dev(rows)
                } else {
                    hold_out(rows, columns.kind, seed)?
                };
                (stem(Path::new(file)), splits)
            }
            _ => {
                let splits = default_rows();
                if columns.name_any() {
                    let path = splits.train.path;
                    return Err(DataError::FixedColumns { path }.into());
                }
                (DEFAULT_TASK.to_string(), splits)
            }
        };
        let (kind, labels, metrics) = match columns.kind {
            LabelKind::Classification => {
                (TaskKind::Classification, Vec::new(), CLASS_METRICS.to_vec())
            }
            LabelKind::Regression => {
                let number = columns.label.clone().unwrap_or_else(|| NUMBER.into());
                (TaskKind::Regression, vec![number], NUMBER_METRICS.to_vec())
            }
        };
        let labels = Labels::from_names(labels);
        Ok(Self {
            name,
            kind,
            splits,
            further: Vec::new(),
            labels,
            questions: Default::default(),
            metrics,
            known: None,
        })
    }
}

/// Reads the rows of your own file.
fn read_file(file: &str, columns: &Columns) -> Result<Split, TaskError> {
    let path = Path::new(file);
    // A name without a known extension was not meant as a file.
    if !path.exists() && Format::from_path(path).is_err() {
        return Err(TaskError::Unknown { name: file.into() });
    }
    Ok(Split::read(path, columns)?)
}

/// Reads the rows of your own folder. Without a dev file, some training rows are held out and the
/// observer is notified.
fn read_folder(
    folder: &Path,
    columns: &Columns,
    seed: u64,
    observer: &dyn Progress,
) -> Result<Splits, TaskError> {
    let (train, dev) = Split::read_folder(folder, columns)?;
    if let Some(dev) = dev {
        return Ok(Splits { train, dev });
    }
    let (rows, splits) = (train.rows.len(), hold_out(train, columns.kind, seed)?);
    let (held_out, file) = (splits.dev.rows.len(), splits.dev.path.display());
    observer.note(&format!(
        "{} has no dev file: {held_out} of the {rows} rows of {file} are held out, chosen by seed {seed}",
        folder.display()
    ));
    Ok(splits)
}

/// Puts every row into `dev` and none into `train`.
fn all_in_dev(split: Split) -> Splits {
    Splits {
        train: Split {
            path: split.path.clone(),
            rows: Vec::new(),
            left_out: 0,
        },
        dev: split,
    }
}

/// Holds out validation rows from rows without a development split.
fn hold_out(split: Split, kind: LabelKind, seed: u64) -> Result<Splits, TaskError> {
    let (path, rows) = (split.path.clone(), split.rows.len());
    if rows < 2 {
        return Err(TaskError::TooFew { path, rows });
    }
    let splits = Splits::hold_out(split, rows.div_ceil(10).min(HELD_OUT_AT_MOST), kind, seed);
    if splits.dev.rows.is_empty() {
        Err(TaskError::NothingToHoldOut { path, rows })
    } else {
        Ok(splits)
    }
}
