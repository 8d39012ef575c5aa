//! What is learned, from which rows: a task by name, a folder, or a file of one's own.

mod judge;
mod known;
mod labels;
mod limit;
mod metric;
mod model;
mod prepared;
mod read;
mod sequence;
mod source;
mod span;
mod summary;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::{Columns, DataError, Format, LabelKind, Labels, Question, Split, Splits, Unanswerable, default_rows, plain_name};
use crate::experiment::Observer;

pub use judge::{Answer, Judge, Prediction, SequenceJudge, SpanJudge};
pub use known::{KNOWN_TASKS, KnownTask, TaskColumns};
pub use metric::TaskMetric;
pub use model::TaskModel;
pub use prepared::{Preparation, PreparedSplit, TaskRows};
pub use sequence::SequenceOutput;
pub use source::TaskSource;
pub use span::SpanOutput;
pub use summary::{Lengths, SplitSummary, Spread, TaskSummary};

use known::plain;
use read::KnownRows;

/// The task that runs where none is asked for: sarcasm in headlines, embedded in the binary.
pub const DEFAULT_TASK: &str = "headlines";

/// The names of the splits that every task has.
const TRAIN: &str = "train";
const DEV: &str = "dev";

/// The scores of classes of one's own, and of the default.
const CLASS_METRICS: [TaskMetric; 3] = [TaskMetric::Accuracy, TaskMetric::F1, TaskMetric::Matthews];

/// The scores of numbers of one's own.
const NUMBER_METRICS: [TaskMetric; 2] = [TaskMetric::Pearson, TaskMetric::Spearman];

/// What a number of one's own is called in the model's configuration where its column is not named.
const NUMBER: &str = "value";

/// Held out from training rows that come without a development split: a tenth of its rows, and at most this many.
const HELD_OUT_AT_MOST: usize = 1000;

/// What is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// The class of a text, or of a pair of texts.
    Classification,
    /// A number of theirs.
    Regression,
    /// The words of a paragraph that answer a question.
    Span,
}

/// Rows to learn from, rows to judge by, and what is to be found.
#[derive(Debug, Clone)]
pub struct Task {
    /// What the task is called in results: its name, or that of its file or folder.
    pub name: String,
    /// What is to be found.
    pub kind: TaskKind,
    /// The rows.
    pub splits: Splits,
    /// Further development sets by name, on which a model is scored when it has learned, such as `dev_mismatched` of MNLI.
    pub further: Vec<(&'static str, Split)>,
    /// The classes, in the order of their indices; the name of the number of a regression; nothing of spans.
    pub labels: Labels,
    /// The answers of the questions in `train` and `dev`; empty where rows have labels.
    pub questions: [Vec<Question>; 2],
    /// The scores it is judged by, the one that is compared first.
    pub metrics: Vec<TaskMetric>,
    /// The entry of the table, of a task by name.
    known: Option<&'static KnownTask>,
}

/// Why a task cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Neither a known name nor a file.
    #[error("{name:?} is neither a task nor a file")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A known task whose data is not embedded, without a hub to bring it from.
    #[error("the task {name} needs its data")]
    NeedsData {
        /// The task.
        name: String,
    },
    /// A known task whose data the hub could not give.
    #[cfg(feature = "hub")]
    #[error("the task {name} needs its data, and from the hub: {source}")]
    Hub {
        /// The task.
        name: String,
        /// What the hub's side met.
        source: Box<isostar_models::hub::HubError>,
    },
    /// Numbers are to be learned from a task that has none.
    #[error("the labels of {task} are no numbers to be learned by regression")]
    NoNumbers {
        /// The task.
        task: String,
    },
    /// Fewer rows are to be learned from than there are classes.
    #[error("{}: {limit} training {} cannot hold all {classes} labels", path.display(), if *limit == 1 { "row" } else { "rows" })]
    Limit {
        /// The file of the training rows.
        path: PathBuf,
        /// The limit asked for.
        limit: usize,
        /// How many labels the training rows have.
        classes: usize,
    },
    /// A file of which no row can be held out, because its label would be lost to the others.
    #[error("{}: no row can be held out to judge by: each of the {rows} labels occurs once", path.display())]
    NothingToHoldOut {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// A file too short to hold rows out of it.
    #[error("{}: {rows} row is too few to learn from some and judge by others", path.display())]
    TooFew {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// A split that the task does not have.
    #[error("the task {task} has no split {split}")]
    NoSplit {
        /// The task.
        task: String,
        /// What was asked for.
        split: String,
        /// The splits that it has.
        splits: Vec<&'static str>,
    },
    /// A model that was made for another task.
    #[error("{task} needs a model of {expected} outputs, and this one has {found}")]
    Outputs {
        /// The task.
        task: String,
        /// Its labels.
        expected: usize,
        /// The outputs of the model.
        found: usize,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl TaskError {
    /// One line that says what to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                let known: Vec<&str> = std::iter::once(DEFAULT_TASK).chain(KNOWN_TASKS.iter().map(|task| task.name)).collect();
                format!("name a task ({}), or a .tsv, .csv, .jsonl, .parquet or .csv.gz file", known.join(", "))
            }
            Self::NeedsData { .. } => "name the folder of the official download with --data DIR".into(),
            #[cfg(feature = "hub")]
            Self::Hub { source, .. } => format!("name the folder of the official download with --data DIR, or {}", source.remedy()),
            Self::NoNumbers { .. } => "leave out kind under [columns], or name a file or folder of your own".into(),
            Self::Limit { classes, .. } => format!("choose --limit {classes} or more"),
            Self::NothingToHoldOut { .. } => {
                "give at least one label a second row, or a folder with a train and a dev file; numbers to be learned need \
                 kind = \"regression\" under [columns]"
                    .into()
            }
            Self::TooFew { .. } => "give a file of labelled text with at least two rows, or a folder with a train and a dev file".into(),
            Self::NoSplit { splits, .. } => format!("name one of {}", splits.join(", ")),
            Self::Outputs { task, .. } => format!("train the model for it first: isostar train --model DIR --task {task} --data DIR"),
            Self::Data(error) => error.remedy(),
        }
    }
}

impl Task {
    /// Reads a task.
    ///
    /// - no task and no folder: the embedded default
    /// - the name of a task and a folder: the files of the official download, or of the hub; `columns` replace the task's own if they name any
    /// - the name of a task alone: the hub's files, with the feature `hub`; a download is told to the observer
    /// - another name, or none, and a folder: its train and dev files
    /// - a file: its rows
    ///
    /// Of a file, or of a folder without dev files, a tenth of the training rows (at most 1,000) are held out, chosen by `seed`, but never the
    /// only row of a class; of a folder the observer is told. A task by name needs its own development set. The observer is also told of rows
    /// that a file breaks over lines and that were left out. Of the training rows `limit` are kept, drawn by `seed`; each class keeps its share.
    /// Classes are those of the task, or else those of the training rows, however few; `columns` may say that labels of one's own are numbers.
    ///
    /// # Errors
    /// If the name is unknown, the data is missing or malformed, or the limit is below the number of classes.
    pub fn read(source: TaskSource<'_>, observer: &dyn Observer) -> Result<Self, TaskError> {
        let TaskSource { name, folder, ref columns, limit, seed, .. } = source;
        let known = name.and_then(KnownTask::named);
        if let Some(known) = known.filter(|known| columns.kind == LabelKind::Regression && known.kind != TaskKind::Regression) {
            return Err(TaskError::NoNumbers { task: known.name.into() });
        }
        let mut task = match (known, folder) {
            (Some(known), Some(folder)) => Self::read_known(known, folder, columns)?,
            (Some(known), None) => Self::read_known(known, &source::fetch(known, observer)?, columns)?,
            (None, _) => Self::read_own(&source, observer)?,
        };
        let further = task.further.iter().map(|(_, split)| split);
        for Split { path, left_out, .. } in [&task.splits.train, &task.splits.dev].into_iter().chain(further) {
            if *left_out > 0 {
                let (rows, are) = if *left_out == 1 { ("row", "is") } else { ("rows", "are") };
                observer.note(&format!("{left_out} {rows} of {} {are} broken over lines and left out", path.display()));
            }
        }
        let limit = limit.filter(|_| !source.is_whole);
        if let Some(limit) = limit {
            task.limit_train(limit, seed)?;
        }
        if task.labels.names().is_empty() && task.kind == TaskKind::Classification {
            let Splits { train, dev } = &task.splits;
            task.labels = Labels::occurring_in(if source.is_whole { &dev.rows } else { &train.rows });
        }
        Ok(task)
    }

    fn read_known(known: &'static KnownTask, folder: &Path, columns: &Columns) -> Result<Self, TaskError> {
        let KnownRows { splits, questions, further } = known.read(folder, if columns.name_any() { columns } else { &known.columns })?;
        Ok(Self {
            name: known.name.into(),
            kind: known.kind,
            splits,
            further,
            labels: Labels::from_names(known.labels.iter().map(|label| label.to_string()).collect()),
            questions,
            metrics: known.metrics.to_vec(),
            known: Some(known),
        })
    }

    /// The embedded default, a folder or a file; its classes are not known yet.
    fn read_own(source: &TaskSource<'_>, observer: &dyn Observer) -> Result<Self, TaskError> {
        let TaskSource { name, folder, ref columns, is_whole, seed, .. } = *source;
        let (name, splits) = match (name, folder) {
            (name, Some(folder)) => (name.map_or_else(|| stem(folder), String::from), read_folder(folder, columns, seed, observer)?),
            (Some(file), None) if plain(file) != DEFAULT_TASK => {
                let rows = read_file(file, columns)?;
                let splits = if is_whole { all_in_dev(rows) } else { hold_out(rows, columns.kind, seed)? };
                (stem(Path::new(file)), splits)
            }
            _ => (DEFAULT_TASK.to_string(), default_rows()),
        };
        let (kind, labels, metrics) = match columns.kind {
            LabelKind::Classification => (TaskKind::Classification, Vec::new(), CLASS_METRICS.to_vec()),
            LabelKind::Regression => {
                let number = columns.label.clone().unwrap_or_else(|| NUMBER.into());
                (TaskKind::Regression, vec![number], NUMBER_METRICS.to_vec())
            }
        };
        let labels = Labels::from_names(labels);
        Ok(Self { name, kind, splits, further: Vec::new(), labels, questions: Default::default(), metrics, known: None })
    }

    /// The split of a name: `train`, `dev`, or that of a further development set.
    ///
    /// # Errors
    /// [`TaskError::NoSplit`] if there is none of this name.
    pub fn split(&self, name: &str) -> Result<&Split, TaskError> {
        match name {
            TRAIN => Ok(&self.splits.train),
            DEV => Ok(&self.splits.dev),
            _ => self.further.iter().find_map(|(further, split)| (*further == name).then_some(split)).ok_or_else(|| self.no_split(name)),
        }
    }

    fn no_split(&self, name: &str) -> TaskError {
        let splits = [TRAIN, DEV].into_iter().chain(self.further.iter().map(|(name, _)| *name)).collect();
        TaskError::NoSplit { task: self.name.clone(), split: name.into(), splits }
    }

    /// The rows of a split, taken out of the task.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn take(&mut self, name: &str) -> Result<TaskRows, TaskError> {
        match name {
            TRAIN => Ok(self.take_train()),
            DEV => Ok(self.take_dev()),
            _ => {
                let place = self.further.iter().position(|(further, _)| *further == name).ok_or_else(|| self.no_split(name))?;
                let split = taken(&mut self.further[place].1);
                Ok(self.rows(split, Vec::new()))
            }
        }
    }

    /// The rows to learn from, taken out of the task.
    pub fn take_train(&mut self) -> TaskRows {
        let (split, questions) = (taken(&mut self.splits.train), std::mem::take(&mut self.questions[0]));
        self.rows(split, questions)
    }

    /// The rows to judge by, taken out of the task.
    pub fn take_dev(&mut self) -> TaskRows {
        let (split, questions) = (taken(&mut self.splits.dev), std::mem::take(&mut self.questions[1]));
        self.rows(split, questions)
    }

    /// The rows of the further development sets by name, taken out of the task.
    pub fn take_further(&mut self) -> Vec<(&'static str, TaskRows)> {
        let further = std::mem::take(&mut self.further);
        further.into_iter().map(|(name, split)| (name, self.rows(split, Vec::new()))).collect()
    }

    fn rows(&self, split: Split, questions: Vec<Question>) -> TaskRows {
        let unanswerable = self.known.map_or_else(Unanswerable::default, |known| known.unanswerable);
        TaskRows { kind: self.kind, split, questions, unanswerable, metrics: self.metrics.clone() }
    }
}

/// The rows of a file of one's own.
fn read_file(file: &str, columns: &Columns) -> Result<Split, TaskError> {
    let path = Path::new(file);
    // What ends in no known extension was not meant for a file.
    if !path.exists() && Format::of(path).is_err() {
        return Err(TaskError::Unknown { name: file.into() });
    }
    Ok(Split::read(path, columns)?)
}

/// The rows of a folder of one's own; without a dev file some of train are held out, and the observer is told.
fn read_folder(folder: &Path, columns: &Columns, seed: u64, observer: &dyn Observer) -> Result<Splits, TaskError> {
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

/// Every row to judge by, none to learn from.
fn all_in_dev(split: Split) -> Splits {
    Splits { train: Split { path: split.path.clone(), rows: Vec::new(), left_out: 0 }, dev: split }
}

/// Divides rows that come without a development split.
fn hold_out(split: Split, kind: LabelKind, seed: u64) -> Result<Splits, TaskError> {
    let (path, rows) = (split.path.clone(), split.rows.len());
    if rows < 2 {
        return Err(TaskError::TooFew { path, rows });
    }
    let splits = Splits::hold_out(split, rows.div_ceil(10).min(HELD_OUT_AT_MOST), kind, seed);
    if splits.dev.rows.is_empty() { Err(TaskError::NothingToHoldOut { path, rows }) } else { Ok(splits) }
}

/// A split with its rows, which it loses.
fn taken(split: &mut Split) -> Split {
    let rows = std::mem::take(&mut split.rows);
    Split { rows, ..split.clone() }
}

/// Whether rows are those of a task that has a name: the embedded default or one of [`KNOWN_TASKS`], not of a file or folder of one's own.
pub fn is_named(asked: &str) -> bool {
    plain(asked) == DEFAULT_TASK || KnownTask::named(asked).is_some()
}

/// What a task is called in results: the name of a known task, or else that of its file or folder.
pub fn task_name(asked: &str) -> String {
    KnownTask::named(asked).map_or_else(|| stem(Path::new(asked)), |known| known.name.into())
}

/// The name of a file without its extensions, or of a folder.
fn stem(path: &Path) -> String {
    plain_name(path).file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
