//! Reading questions with their paragraphs and lists of answers from Parquet.

use std::path::Path;

use super::super::question_reader::QuestionReader;
use super::super::{DataError, columns};
use super::{Expected, Table};

/// Adds the questions of a file in the hub's layout: the columns `id`, `context`, `question`, and
/// `answers` with the lists `text` and `answer_start`.
///
/// # Errors
/// [`DataError::NoSuchColumn`], [`DataError::ColumnType`], [`DataError::BadValue`] for a null,
/// [`DataError::BadQuestion`], [`DataError::Undecodable`] for a corrupt page, and the errors of a
/// file that cannot be read.
pub(in super::super) fn add_questions(
    path: &Path,
    reader: &mut QuestionReader<'_>,
) -> Result<(), DataError> {
    let table = Table::open(path)?;
    let header = table.header();
    let text = |name: &str| {
        let missing = || DataError::NoSuchColumn {
            path: path.into(),
            name: name.into(),
            columns: header.clone(),
        };
        table.column(
            columns::position(&header, name).ok_or_else(missing)?,
            Expected::Text,
        )
    };
    let columns = [
        text("id")?,
        text("context")?,
        text("question")?,
        table.list("answers", "text", Expected::Text)?,
        table.list("answers", "answer_start", Expected::Integers)?,
    ];
    table.read(&columns, |before, cells| {
        let Ok([ids, contexts, questions, texts, starts]) = <[_; 5]>::try_from(cells) else {
            unreachable!("as many cells as columns")
        };
        let (mut texts, mut starts) = (texts.lists(), starts.lists());
        let rows = ids
            .of_rows()
            .zip(contexts.of_rows())
            .zip(questions.of_rows());
        for (((id, context), question), line) in rows.zip(before + 1..) {
            let id = id.text(&columns[0], line, path)?;
            let context = context.text(&columns[1], line, path)?;
            let question = question.text(&columns[2], line, path)?;
            let texts = texts
                .next()
                .into_iter()
                .flatten()
                .map(|text| text.text(&columns[3], line, path));
            let texts = texts.collect::<Result<Vec<String>, _>>()?;
            let starts = starts.next().into_iter().flatten().map(|start| {
                let start = start.text(&columns[4], line, path)?;
                start.parse::<usize>().map_err(|_| {
                    reader.refuse(&id, line, format!("has an invalid answer_start, {start}"))
                })
            });
            let starts = starts.collect::<Result<Vec<usize>, _>>()?;
            reader.add_columns(&id, line, &question, &context, &texts, &starts)?;
        }
        Ok(())
    })
}
