//! Reading SQuAD v1.1 and v2.0, as published and as served by the hub: questions about paragraphs,
//! with reference answers.

use std::path::Path;

use super::question_reader::QuestionReader;
use super::text_file::{plain_name, read_text};
use super::{DataError, Format, Questions, Unanswerable, parquet};

/// Reads questions from the official `.json`, or in the hub's layout from Parquet or from JSON
/// lines with one question per line. JSON may be gzip-compressed.
///
/// A question has no answer if its list of answers is empty; `is_impossible` and
/// `plausible_answers` are ignored.
///
/// # Errors
/// - [`DataError::NotSquad`] if the file is not in SQuAD format,
/// - [`DataError::NoAnswer`] for a question without an answer, with [`Unanswerable::Refused`],
/// - [`DataError::BadQuestion`] if an answer is not at its stated position, or an id appears twice,
/// - the errors of a file that cannot be read or is empty.
///
/// The reported line is that of the question's id.
pub fn read_questions(path: &Path, unanswerable: Unanswerable) -> Result<Questions, DataError> {
    let mut reader = QuestionReader::new(path, unanswerable);
    let extension = plain_name(path).extension();
    let is = |name: &str| extension.is_some_and(|extension| extension.eq_ignore_ascii_case(name));
    if is(Format::PARQUET) {
        parquet::add_questions(path, &mut reader)?;
    } else if is("json") || extension.is_none() {
        reader.add_document(&read_text(path)?)?;
    } else {
        reader.add_lines(&read_text(path)?)?;
    }
    reader.finish()
}
