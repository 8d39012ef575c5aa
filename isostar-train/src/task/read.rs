//! The rows of a task by name, from the folder of its files.

use std::path::{Path, PathBuf};

use crate::data::{
    DataError, Format, Labels, Layout, Question, Questions, RowTargets, Split, Splits, TextRow, read_questions, read_trees, split_files,
};

use super::{KnownTask, TaskKind};

/// The trees of the Stanford Sentiment Treebank.
const TREES: &str = "txt";

/// The rows of `train` and `dev`, and the answers of those that are questions.
type Read = (Splits, [Vec<Question>; 2]);

impl KnownTask {
    /// Reads `train` and `dev` (or `validation`): the official files, or Parquet, CSV and JSON lines with the hub's columns. Labels become
    /// those of the table: the hub's are their positions.
    pub(super) fn read(&self, folder: &Path, layout: &dyn Layout) -> Result<Read, DataError> {
        let mut extensions: Vec<&str> = match self.kind {
            TaskKind::Span => vec!["json"],
            TaskKind::Classification | TaskKind::Regression => vec![TREES, "tsv", "csv"],
        };
        extensions.extend(Format::JSON_LINES);
        extensions.push(Format::PARQUET);
        let [train, dev] = split_files(folder, Some(self.hub_configuration()), &extensions)?;
        let ((train, train_questions), (dev, dev_questions)) = (self.read_files(train, layout)?, self.read_files(dev, layout)?);
        Ok((Splits { train, dev }, [train_questions, dev_questions]))
    }

    /// The files of a split, of which there are several where the hub has cut it into shards.
    fn read_files(&self, files: Vec<PathBuf>, layout: &dyn Layout) -> Result<(Split, Vec<Question>), DataError> {
        let parts = files.into_iter().map(|file| self.read_file(file, layout)).collect::<Result<Vec<_>, _>>()?;
        let (splits, questions): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        Ok((Split::joined(splits), questions.into_iter().flatten().collect()))
    }

    fn read_file(&self, path: PathBuf, layout: &dyn Layout) -> Result<(Split, Vec<Question>), DataError> {
        if self.kind == TaskKind::Span {
            let Questions { rows, questions } = read_questions(&path)?;
            return Ok((Split { path, rows, left_out: 0 }, questions));
        }
        let is_trees = path.extension().is_some_and(|extension| extension == TREES);
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
