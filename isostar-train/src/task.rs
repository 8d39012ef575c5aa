//! Tasks: a task by name, or rows of your own in a folder or a file.

mod error;
mod evaluator;
mod kind;
mod known;
mod labels;
mod limit;
mod metric;
mod model;
mod own;
mod prepared;
mod read;
mod rows;
mod sequence;
mod source;
mod span;
mod split_score;
mod summary;

use std::path::Path;

use crate::data::{Columns, LabelKind, Labels, Question, Split, Splits, Unanswerable, plain_name};
use crate::progress::Progress;

pub use error::TaskError;
pub use evaluator::{Answer, Evaluator, Prediction, SequenceEvaluator, SpanEvaluator};
pub use kind::TaskKind;
pub use known::{DEFAULT_TASK, KNOWN_TASKS, KnownTask, TaskColumns};
pub use metric::TaskMetric;
pub use model::{PreparedFor, TaskModel};
pub use prepared::{Preparation, PreparedSplit};
pub use rows::TaskRows;
pub use sequence::SequenceOutput;
pub use source::TaskSource;
pub use span::SpanOutput;
pub use split_score::SplitScoreMetric;
pub use summary::{Lengths, MeanAndDeviation, SplitSummary, TaskSummary};

use known::plain;
use read::KnownRows;

/// The names of the splits that every task has.
const TRAIN: &str = "train";
const DEV: &str = "dev";

/// Training rows, validation rows, and the kind of their targets.
#[derive(Debug, Clone)]
pub struct Task {
    /// The name in results: that of the task, of its file or of its folder.
    pub name: String,
    /// The kind of the targets.
    pub kind: TaskKind,
    /// The training and validation rows.
    pub splits: Splits,
    /// Further development sets by name, such as `dev_mismatched` of MNLI. The model is evaluated
    /// on them after training.
    pub further: Vec<(&'static str, Split)>,
    /// The classes in the order of their indices, or the name of a regression's number; empty for
    /// spans.
    pub labels: Labels,
    /// The gold answers of the questions in `train` and `dev`; empty for tasks with labels.
    pub questions: [Vec<Question>; 2],
    /// The metrics, the main one first.
    pub metrics: Vec<TaskMetric>,
    /// The entry in [`KNOWN_TASKS`], for a task by name.
    known: Option<&'static KnownTask>,
}

impl Task {
    /// Reads the rows of a task.
    ///
    /// - no task and no folder: the embedded default
    /// - the name of a task and a folder: the files of the official download or of the hub;
    ///   `columns` replaces the task's own columns if it names any
    /// - the name of a task alone: the files of the hub (feature `hub`); the observer is notified
    ///   of the download
    /// - any other name, or none, and a folder: the train and dev files of the folder
    /// - a file: its rows
    ///
    /// For a file, or a folder without dev files, a tenth of the training rows (at most 1,000) is
    /// held out. The rows are drawn with `seed`; the only row of a class is never held out. A task
    /// by name needs its own development set. `limit` caps the training rows: they are drawn with
    /// `seed`, and each class keeps its share.
    ///
    /// The classes are those of the task; for your own rows, those that occur in the training rows.
    /// `columns` may declare that your labels are numbers.
    ///
    /// The observer is notified when rows of a folder are held out, and when rows are skipped
    /// because the file breaks them across lines.
    ///
    /// # Errors
    /// If the name is unknown, the data is missing or malformed, or the limit is below the number of
    /// classes.
    pub fn read(source: TaskSource<'_>, observer: &dyn Progress) -> Result<Self, TaskError> {
        let TaskSource {
            name,
            folder,
            ref columns,
            limit,
            seed,
            ..
        } = source;
        let known = name.and_then(KnownTask::named);
        if let Some(known) = known.filter(|known| {
            columns.kind == LabelKind::Regression && known.kind != TaskKind::Regression
        }) {
            return Err(TaskError::NoNumbers {
                task: known.name.into(),
            });
        }
        let mut task = match (known, folder) {
            (Some(known), Some(folder)) => Self::read_known(known, folder, columns)?,
            (Some(known), None) => {
                Self::read_known(known, &source::fetch(known, observer)?, columns)?
            }
            (None, _) => Self::read_own(&source, observer)?,
        };
        let further = task.further.iter().map(|(_, split)| split);
        for Split { path, left_out, .. } in [&task.splits.train, &task.splits.dev]
            .into_iter()
            .chain(further)
        {
            if *left_out > 0 {
                let (rows, are) = if *left_out == 1 {
                    ("row", "is")
                } else {
                    ("rows", "are")
                };
                observer.note(&format!(
                    "{left_out} {rows} of {} {are} broken across lines and skipped",
                    path.display()
                ));
            }
        }
        let limit = limit.filter(|_| !source.is_whole);
        if let Some(limit) = limit {
            task.limit_train(limit, seed)?;
        }
        if task.labels.names().is_empty() && task.kind == TaskKind::Classification {
            let Splits { train, dev } = &task.splits;
            task.labels = Labels::occurring_in(if source.is_whole {
                &dev.rows
            } else {
                &train.rows
            });
        }
        Ok(task)
    }

    fn read_known(
        known: &'static KnownTask,
        folder: &Path,
        columns: &Columns,
    ) -> Result<Self, TaskError> {
        let KnownRows {
            splits,
            questions,
            further,
        } = known.read(folder, Some(columns).filter(|columns| columns.name_any()))?;
        Ok(Self {
            name: known.name.into(),
            kind: known.kind,
            splits,
            further,
            labels: Labels::from_names(
                known.labels.iter().map(|label| label.to_string()).collect(),
            ),
            questions,
            metrics: known.metrics.to_vec(),
            known: Some(known),
        })
    }

    /// Returns a split by name: `train`, `dev` or a further development set.
    ///
    /// # Errors
    /// [`TaskError::NoSplit`] if the task has no split of this name.
    pub fn split(&self, name: &str) -> Result<&Split, TaskError> {
        match name {
            TRAIN => Ok(&self.splits.train),
            DEV => Ok(&self.splits.dev),
            _ => self
                .further
                .iter()
                .find_map(|(further, split)| (*further == name).then_some(split))
                .ok_or_else(|| self.no_split(name)),
        }
    }

    fn no_split(&self, name: &str) -> TaskError {
        let splits = [TRAIN, DEV]
            .into_iter()
            .chain(self.further.iter().map(|(name, _)| *name))
            .collect();
        TaskError::NoSplit {
            task: self.name.clone(),
            split: name.into(),
            splits,
        }
    }

    /// Takes the rows of a split out of the task.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn take(&mut self, name: &str) -> Result<TaskRows, TaskError> {
        match name {
            TRAIN => Ok(self.take_train()),
            DEV => Ok(self.take_dev()),
            _ => {
                let place = self
                    .further
                    .iter()
                    .position(|(further, _)| *further == name)
                    .ok_or_else(|| self.no_split(name))?;
                let split = taken(&mut self.further[place].1);
                Ok(self.rows(split, Vec::new()))
            }
        }
    }

    /// Takes the training rows out of the task.
    pub fn take_train(&mut self) -> TaskRows {
        let (split, questions) = (
            taken(&mut self.splits.train),
            std::mem::take(&mut self.questions[0]),
        );
        self.rows(split, questions)
    }

    /// Takes the validation rows out of the task.
    pub fn take_dev(&mut self) -> TaskRows {
        let (split, questions) = (
            taken(&mut self.splits.dev),
            std::mem::take(&mut self.questions[1]),
        );
        self.rows(split, questions)
    }

    /// Takes the rows of the further development sets, by name, out of the task.
    pub fn take_further(&mut self) -> Vec<(&'static str, TaskRows)> {
        let further = std::mem::take(&mut self.further);
        further
            .into_iter()
            .map(|(name, split)| (name, self.rows(split, Vec::new())))
            .collect()
    }

    fn rows(&self, split: Split, questions: Vec<Question>) -> TaskRows {
        let unanswerable = self
            .known
            .map_or_else(Unanswerable::default, |known| known.unanswerable);
        TaskRows {
            kind: self.kind,
            split,
            questions,
            unanswerable,
            metrics: self.metrics.clone(),
        }
    }
}

/// Moves the rows of a split into a copy of it.
fn taken(split: &mut Split) -> Split {
    let rows = std::mem::take(&mut split.rows);
    Split {
        rows,
        ..split.clone()
    }
}

/// Whether this name is that of a task, the embedded default or one of [`KNOWN_TASKS`], rather than
/// that of your own file or folder.
pub fn is_named(asked: &str) -> bool {
    plain(asked) == DEFAULT_TASK || KnownTask::named(asked).is_some()
}

/// Returns the name of a task in results: that of a known task, or that of the file or folder.
pub fn task_name(asked: &str) -> String {
    KnownTask::named(asked).map_or_else(|| stem(Path::new(asked)), |known| known.name.into())
}

/// Returns the name of a file without its extensions, or of a folder.
fn stem(path: &Path) -> String {
    plain_name(path)
        .file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
