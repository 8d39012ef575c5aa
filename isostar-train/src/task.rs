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

use crate::data::{Columns, DataError, LabelKind, Labels, Question, Split, Splits, default_rows};
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

/// The task that runs where none is asked for: sarcasm in headlines, embedded in the binary.
pub const DEFAULT_TASK: &str = "headlines";

/// The scores of classes of one's own, and of the default.
const CLASS_METRICS: [TaskMetric; 3] = [TaskMetric::Accuracy, TaskMetric::F1, TaskMetric::Matthews];

/// The scores of numbers of one's own.
const NUMBER_METRICS: [TaskMetric; 2] = [TaskMetric::Pearson, TaskMetric::Spearman];

/// What a number of one's own is called in the model's configuration where its column is not named.
const NUMBER: &str = "value";

/// Held out from a file that brings no development split: a tenth of its rows, and at most this many.
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
                format!("name a task ({}), or a .tsv, .csv, .jsonl or .parquet file", known.join(", "))
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
    /// - a file: its rows, of which a tenth (at most 1,000) are held out, chosen by `seed`; never the only row of a class
    ///
    /// The observer is told of rows that a file breaks over lines and that were left out. Of the training rows `limit` are kept, drawn by
    /// `seed`; each class keeps its share. Classes are those of the task, or else those of the training rows, however few; `columns` may say
    /// that labels of one's own are numbers.
    ///
    /// # Errors
    /// If the name is unknown, the data is missing or malformed, or the limit is below the number of classes.
    pub fn read(source: TaskSource<'_>, observer: &dyn Observer) -> Result<Self, TaskError> {
        let TaskSource { name, folder, columns, limit, seed } = source;
        let known = name.and_then(KnownTask::named);
        if let Some(known) = known.filter(|known| columns.kind == LabelKind::Regression && known.kind != TaskKind::Regression) {
            return Err(TaskError::NoNumbers { task: known.name.into() });
        }
        let mut task = match (known, folder) {
            (Some(known), Some(folder)) => Self::read_known(known, folder, &columns)?,
            (Some(known), None) => Self::read_known(known, &source::fetch(known, observer)?, &columns)?,
            (None, _) => Self::read_own(name, folder, &columns, seed)?,
        };
        for Split { path, left_out, .. } in [&task.splits.train, &task.splits.dev] {
            if *left_out > 0 {
                let (rows, are) = if *left_out == 1 { ("row", "is") } else { ("rows", "are") };
                observer.note(&format!("{left_out} {rows} of {} {are} broken over lines and left out", path.display()));
            }
        }
        if let Some(limit) = limit {
            task.limit_train(limit, seed)?;
        }
        if task.labels.names().is_empty() && task.kind == TaskKind::Classification {
            task.labels = Labels::occurring_in(&task.splits.train.rows);
        }
        Ok(task)
    }

    fn read_known(known: &'static KnownTask, folder: &Path, columns: &Columns) -> Result<Self, TaskError> {
        let (splits, questions) = known.read(folder, if columns.name_any() { columns } else { &known.columns })?;
        Ok(Self {
            name: known.name.into(),
            kind: known.kind,
            splits,
            labels: Labels::from_names(known.labels.iter().map(|label| label.to_string()).collect()),
            questions,
            metrics: known.metrics.to_vec(),
            known: Some(known),
        })
    }

    /// The embedded default, a folder or a file; its classes are not known yet.
    fn read_own(name: Option<&str>, folder: Option<&Path>, columns: &Columns, seed: u64) -> Result<Self, TaskError> {
        let (name, splits) = match (name, folder) {
            (None | Some(DEFAULT_TASK), None) => (DEFAULT_TASK.to_string(), default_rows()),
            (name, Some(folder)) => (name.map_or_else(|| stem(folder), String::from), Splits::read_folder(folder, columns)?),
            (Some(file), None) => (stem(Path::new(file)), read_file(file, columns, seed)?),
        };
        let (kind, labels, metrics) = match columns.kind {
            LabelKind::Classification => (TaskKind::Classification, Vec::new(), CLASS_METRICS.to_vec()),
            LabelKind::Regression => {
                let number = columns.label.clone().unwrap_or_else(|| NUMBER.into());
                (TaskKind::Regression, vec![number], NUMBER_METRICS.to_vec())
            }
        };
        Ok(Self { name, kind, splits, labels: Labels::from_names(labels), questions: Default::default(), metrics, known: None })
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

    fn rows(&self, split: Split, questions: Vec<Question>) -> TaskRows {
        TaskRows { kind: self.kind, split, questions, metrics: self.metrics.clone() }
    }
}

fn read_file(file: &str, columns: &Columns, seed: u64) -> Result<Splits, TaskError> {
    let path = PathBuf::from(file);
    if !path.exists() && path.extension().is_none() {
        return Err(TaskError::Unknown { name: file.into() });
    }
    let split = Split::read(&path, columns)?;
    let rows = split.rows.len();
    if rows < 2 {
        return Err(TaskError::TooFew { path, rows });
    }
    let splits = Splits::hold_out(split, rows.div_ceil(10).min(HELD_OUT_AT_MOST), columns.kind, seed);
    if splits.dev.rows.is_empty() { Err(TaskError::NothingToHoldOut { path, rows }) } else { Ok(splits) }
}

/// A split with its rows, which it loses.
fn taken(split: &mut Split) -> Split {
    let rows = std::mem::take(&mut split.rows);
    Split { rows, ..split.clone() }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
