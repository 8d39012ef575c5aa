//! The rows of a task by name, from the folder of its files.

use std::path::{Path, PathBuf};

use crate::data::{
    DataError, Format, Labels, Layout, Question, Questions, RowTargets, Split, SplitFolder, Splits, TextRow, plain_name, read_questions,
    read_trees,
};

use super::{KnownTask, TaskKind};

/// The trees of the Stanford Sentiment Treebank.
const TREES: &str = "txt";

/// The rows of a task by name.
pub(super) struct KnownRows {
    /// The rows to learn from, and those to judge by.
    pub splits: Splits,
    /// The answers of those that are questions.
    pub questions: [Vec<Question>; 2],
    /// Further development sets by name.
    pub further: Vec<(&'static str, Split)>,
}

impl KnownTask {
    /// Reads `train` and the development sets: the official files, or Parquet, CSV and JSON lines with the hub's columns. Labels become those of
    /// the table: the hub's are their positions.
    pub(super) fn read(&self, folder: &Path, layout: &dyn Layout) -> Result<KnownRows, DataError> {
        let mut extensions: Vec<&str> = match self.kind {
            TaskKind::Span => vec!["json"],
            TaskKind::Classification | TaskKind::Regression => vec![TREES, "tsv", "csv"],
        };
        extensions.extend(Format::JSON_LINES);
        extensions.push(Format::PARQUET);
        let folder =
            SplitFolder { path: folder, configuration: Some(self.hub_configuration()), extensions: &extensions, version: self.version() };
        // What is missing is said before anything is read.
        let (train, dev) = (folder.find("train")?, self.dev.iter().map(|split| folder.find(split)).collect::<Result<Vec<_>, _>>()?);
        let (train, train_questions) = self.read_files(train, layout)?;
        let mut dev = dev.into_iter().map(|files| self.read_files(files, layout)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let (first, dev_questions) = dev.next().expect("a task has a development set");
        let further = self.dev[1..].iter().copied().zip(dev.map(|(split, _)| split)).collect();
        Ok(KnownRows { splits: Splits { train, dev: first }, questions: [train_questions, dev_questions], further })
    }

    /// The files of a split, of which there are several where the hub has cut it into shards.
    fn read_files(&self, files: Vec<PathBuf>, layout: &dyn Layout) -> Result<(Split, Vec<Question>), DataError> {
        let parts = files.into_iter().map(|file| self.read_file(file, layout)).collect::<Result<Vec<_>, _>>()?;
        let (splits, questions): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Ok((Split::joined(splits), questions.into_iter().flatten().collect()))
    }

    fn read_file(&self, path: PathBuf, layout: &dyn Layout) -> Result<(Split, Vec<Question>), DataError> {
        if self.kind == TaskKind::Span {
            let Questions { rows, questions } = read_questions(&path, self.unanswerable)?;
            return Ok((Split { path, rows, left_out: 0 }, questions));
        }
        let is_trees = plain_name(&path).extension().is_some_and(|extension| extension == TREES);
        let mut split = match is_trees {
            true => Split { rows: read_trees(&path)?, path, left_out: 0 },
            false => Split::read(&path, layout)?,
        };
        if self.kind == TaskKind::Classification {
            let labels = Labels::from_names(self.labels.iter().map(|label| label.to_string()).collect());
            split.rows.iter_mut().try_for_each(|row| name_label(row, &labels, &split.path))?;
        }
        if self.kind == TaskKind::Regression {
            RowTargets::values(&split.rows, &split.path)?;
        }
        Ok((split, Vec::new()))
    }
}

/// Puts the label in the place of its position.
fn name_label(row: &mut TextRow, labels: &Labels, path: &Path) -> Result<(), DataError> {
    if labels.names().contains(&row.label) {
        return Ok(());
    }
    match row.label.parse::<usize>().ok().and_then(|position| labels.names().get(position)) {
        Some(name) => row.label.clone_from(name),
        None => {
            let (label, known) = (row.label.clone(), labels.names().to_vec());
            return Err(DataError::NotALabel { path: path.into(), line: row.line, label, known });
        }
    }
    Ok(())
}
