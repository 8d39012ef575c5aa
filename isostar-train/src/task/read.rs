//! Reading the rows of a known task from the folder of its files.

use std::path::{Path, PathBuf};

use crate::data::{
    Columns, DataError, Format, Labels, Layout, Question, Questions, RowTargets, Split,
    SplitFolder, Splits, TextRow, plain_name, read_questions, read_trees,
};

use super::{KnownTask, TaskKind};

/// The extension of the Stanford Sentiment Treebank's trees.
const TREES: &str = "txt";

/// The rows of a known task.
pub(super) struct KnownRows {
    /// The training and validation rows.
    pub splits: Splits,
    /// The gold answers of `train` and `dev`; empty for tasks with labels.
    pub questions: [Vec<Question>; 2],
    /// Further development sets by name.
    pub further: Vec<(&'static str, Split)>,
}

impl KnownTask {
    /// Reads `train` and the development sets from the official files, or from Parquet, CSV or JSON
    /// lines with the hub's columns. The hub's label indices become the labels of the table. `named`
    /// replaces the task's columns.
    pub(super) fn read(
        &self,
        folder: &Path,
        named: Option<&Columns>,
    ) -> Result<KnownRows, DataError> {
        let mut extensions: Vec<&str> = match self.kind {
            TaskKind::Span => vec!["json"],
            TaskKind::Classification | TaskKind::Regression => vec![TREES, "tsv", "csv"],
        };
        extensions.extend(Format::JSON_LINES);
        extensions.push(Format::PARQUET);
        let folder = SplitFolder {
            path: folder,
            configuration: Some(self.hub_configuration()),
            extensions: &extensions,
            version: self.version(),
        };
        // Report a missing file before reading any.
        let (train, dev) = (
            folder.find("train")?,
            self.dev
                .iter()
                .map(|split| folder.find(split))
                .collect::<Result<Vec<_>, _>>()?,
        );
        let (train, train_questions) = self.read_files(train, named)?;
        let mut dev = dev
            .into_iter()
            .map(|files| self.read_files(files, named))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        let (first, dev_questions) = dev.next().expect("a task has a development set");
        let further = self.dev[1..]
            .iter()
            .copied()
            .zip(dev.map(|(split, _)| split))
            .collect();
        Ok(KnownRows {
            splits: Splits { train, dev: first },
            questions: [train_questions, dev_questions],
            further,
        })
    }

    /// Reads the files of a split; the hub may store a split in several shards.
    fn read_files(
        &self,
        files: Vec<PathBuf>,
        named: Option<&Columns>,
    ) -> Result<(Split, Vec<Question>), DataError> {
        let parts = files
            .into_iter()
            .map(|file| self.read_file(file, named))
            .collect::<Result<Vec<_>, _>>()?;
        let (splits, questions): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Ok((
            Split::joined(splits),
            questions.into_iter().flatten().collect(),
        ))
    }

    fn read_file(
        &self,
        path: PathBuf,
        named: Option<&Columns>,
    ) -> Result<(Split, Vec<Question>), DataError> {
        let is_trees = plain_name(&path)
            .extension()
            .is_some_and(|extension| extension == TREES);
        let layout: &dyn Layout = match named {
            Some(_) if is_trees || self.kind == TaskKind::Span => {
                return Err(DataError::FixedColumns { path });
            }
            Some(columns) => columns,
            None => &self.columns,
        };
        if self.kind == TaskKind::Span {
            let Questions { rows, questions } = read_questions(&path, self.unanswerable)?;
            return Ok((
                Split {
                    path,
                    rows,
                    left_out: 0,
                },
                questions,
            ));
        }
        let mut split = match is_trees {
            true => Split {
                rows: read_trees(&path)?,
                path,
                left_out: 0,
            },
            false => Split::read(&path, layout)?,
        };
        if self.kind == TaskKind::Classification {
            let labels =
                Labels::from_names(self.labels.iter().map(|label| label.to_string()).collect());
            split
                .rows
                .iter_mut()
                .try_for_each(|row| name_label(row, &labels, &split.path))?;
        }
        if self.kind == TaskKind::Regression {
            RowTargets::values(&split.rows, &split.path)?;
        }
        Ok((split, Vec::new()))
    }
}

/// Replaces a label's index by the label.
fn name_label(row: &mut TextRow, labels: &Labels, path: &Path) -> Result<(), DataError> {
    if labels.names().contains(&row.label) {
        return Ok(());
    }
    match row
        .label
        .parse::<usize>()
        .ok()
        .and_then(|position| labels.names().get(position))
    {
        Some(name) => row.label.clone_from(name),
        None => {
            let (label, known) = (row.label.clone(), labels.names().to_vec());
            return Err(DataError::NotALabel {
                path: path.into(),
                line: row.line,
                label,
                known,
            });
        }
    }
    Ok(())
}
