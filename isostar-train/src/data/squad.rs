//! Questions about paragraphs, with the answers that people gave: SQuAD v1.1, as published and as the hub serves it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::text_file::{content, line_breaks, read_text};
use super::{DataError, Format, TextRow, parquet};

/// What people answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What predictions are filed under.
    pub id: String,
    /// The answers, as often as they were given.
    pub answers: Vec<GoldAnswer>,
}

/// An answer that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GoldAnswer {
    /// The text, which stands in the paragraph.
    pub text: String,
    /// Where it starts there, in characters.
    pub start: usize,
}

impl Question {
    /// The answer to learn from: the one that was given most often, and of several the first.
    ///
    /// # Panics
    /// If there is none; the reader refuses such questions.
    pub fn majority(&self) -> &GoldAnswer {
        let votes = |answer: &GoldAnswer| self.answers.iter().filter(|other| *other == answer).count();
        let most = self.answers.iter().map(votes).max().expect("a question has an answer");
        self.answers.iter().find(|answer| votes(answer) == most).expect("one of them has the most votes")
    }
}

/// Questions with their paragraphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    /// The question without the white space before it as text, the paragraph as its pair, and no label.
    pub rows: Vec<TextRow>,
    /// The answers of each row.
    pub questions: Vec<Question>,
}

/// Reads questions: from the official `.json`, or as the hub has them, from Parquet or from JSON lines with a question each.
///
/// # Errors
/// [`DataError::NotSquad`] for what is not such a file, [`DataError::BadQuestion`] for a question without an answer, one whose answer does not stand
/// where it says, or an id that comes twice; and those of a file that cannot be read or holds nothing. Lines are those of the question's id.
pub fn read_questions(path: &Path) -> Result<Questions, DataError> {
    let is = |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
    if is(Format::PARQUET) {
        let mut reader = Reader::new(path);
        parquet::add_questions(path, &mut reader)?;
        return reader.finish();
    }
    let text = read_text(path)?;
    if is("json") || path.extension().is_none() { parse_document(&text, path) } else { parse_lines(&text, path) }
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    data: Vec<Article<'a>>,
}

#[derive(Deserialize)]
struct Article<'a> {
    #[serde(borrow)]
    paragraphs: Vec<Paragraph<'a>>,
}

#[derive(Deserialize)]
struct Paragraph<'a> {
    #[serde(borrow)]
    context: Cow<'a, str>,
    #[serde(borrow)]
    qas: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    id: String,
    #[serde(borrow)]
    question: Cow<'a, str>,
    #[serde(borrow)]
    answers: Vec<Answer<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    answer_start: usize,
}

/// A line as the hub has it: the answers by column.
#[derive(Deserialize)]
struct Line<'a> {
    id: String,
    #[serde(borrow)]
    context: Cow<'a, str>,
    #[serde(borrow)]
    question: Cow<'a, str>,
    #[serde(borrow)]
    answers: Answers<'a>,
}

#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    text: Vec<Cow<'a, str>>,
    answer_start: Vec<usize>,
}

/// The questions of the official file's content; `path` is named in errors.
pub(super) fn parse_document(text: &str, path: &Path) -> Result<Questions, DataError> {
    let text = content(text, path)?;
    let document: Document<'_> = serde_json::from_str(text).map_err(|error| not_squad(path, error.line(), &error))?;
    let mut reader = Reader::new(path);
    // Ids stand in the file in the order in which they are read: each is looked for after the one before.
    let (mut read, mut line) = (0, 1);
    for paragraph in document.data.iter().flat_map(|article| &article.paragraphs) {
        for entry in &paragraph.qas {
            if let Some(place) = text[read..].find(entry.id.as_str()) {
                line += line_breaks(&text.as_bytes()[read..read + place]);
                read += place;
            }
            let answers = entry.answers.iter().map(|answer| (answer.text.as_ref(), answer.answer_start));
            reader.add(&entry.id, line, &entry.question, &paragraph.context, answers)?;
        }
    }
    reader.finish()
}

/// The questions of JSON lines; `path` is named in errors.
pub(super) fn parse_lines(text: &str, path: &Path) -> Result<Questions, DataError> {
    let mut reader = Reader::new(path);
    for (index, text) in content(text, path)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = index + 1;
        let entry: Line<'_> = serde_json::from_str(text).map_err(|error| not_squad(path, line, &error))?;
        reader.add_columns(&entry.id, line, &entry.question, &entry.context, &entry.answers.text, &entry.answers.answer_start)?;
    }
    reader.finish()
}

fn not_squad(path: &Path, line: usize, error: &serde_json::Error) -> DataError {
    DataError::NotSquad { path: path.into(), line, reason: error.to_string() }
}

/// Checks questions and gathers them.
pub(super) struct Reader<'a> {
    path: &'a Path,
    seen: HashSet<String>,
    found: Questions,
}

impl<'a> Reader<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, seen: HashSet::new(), found: Questions::default() }
    }

    pub fn refuse(&self, id: &str, line: usize, reason: String) -> DataError {
        DataError::BadQuestion { path: self.path.into(), line, id: id.into(), reason }
    }

    /// Adds a question whose answers stand in two columns.
    pub fn add_columns<T: AsRef<str>>(
        &mut self,
        id: &str,
        line: usize,
        question: &str,
        context: &str,
        texts: &[T],
        starts: &[usize],
    ) -> Result<(), DataError> {
        if texts.len() != starts.len() {
            return Err(self.refuse(id, line, format!("has {} answers, but {} starts", texts.len(), starts.len())));
        }
        self.add(id, line, question, context, texts.iter().map(AsRef::as_ref).zip(starts.iter().copied()))
    }

    fn add<'t>(
        &mut self,
        id: &str,
        line: usize,
        question: &str,
        context: &str,
        answers: impl Iterator<Item = (&'t str, usize)>,
    ) -> Result<(), DataError> {
        if !self.seen.insert(id.to_string()) {
            return Err(self.refuse(id, line, "comes twice".into()));
        }
        let answers: Vec<GoldAnswer> = answers.map(|(text, start)| GoldAnswer { text: text.into(), start }).collect();
        if answers.is_empty() {
            return Err(self.refuse(id, line, "has no answer; questions without one belong to SQuAD v2.0".into()));
        }
        for answer in &answers {
            let stands_there = context.char_indices().nth(answer.start).is_some_and(|(byte, _)| context[byte..].starts_with(&answer.text));
            if !stands_there || answer.text.is_empty() {
                let reason = format!("has an answer {:?} that does not stand at character {}", answer.text, answer.start);
                return Err(self.refuse(id, line, reason));
            }
        }
        let text = question.trim_start().to_string();
        self.found.rows.push(TextRow { text, pair: Some(context.into()), label: String::new(), line });
        self.found.questions.push(Question { id: id.into(), answers });
        Ok(())
    }

    fn finish(self) -> Result<Questions, DataError> {
        if self.found.rows.is_empty() { Err(DataError::NoRows { path: self.path.into() }) } else { Ok(self.found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "dev.json";

    fn document(qas: &str) -> Result<Questions, DataError> {
        let text = format!(
            "{{\"version\": \"1.1\", \"data\": [{{\"title\": \"T\", \"paragraphs\": [\n{{\"context\": \"Zo\\u00eb saw 東京.\", \"qas\": [\n{qas}\n]}}]}}]}}"
        );
        parse_document(&text, Path::new(PATH))
    }

    fn refused(qas: &str) -> String {
        document(qas).unwrap_err().to_string()
    }

    #[test]
    fn starts_count_characters_and_questions_lose_leading_space() {
        let qas =
            r#"{"id": "q1", "question": "  What?", "answers": [{"text": "東京", "answer_start": 8}, {"text": "Zoë", "answer_start": 0}]}"#;
        let read = document(qas).unwrap();
        let row = TextRow { text: "What?".into(), pair: Some("Zoë saw 東京.".into()), label: String::new(), line: 3 };
        assert_eq!(read.rows, [row]);
        assert_eq!(read.questions[0].answers[0], GoldAnswer { text: "東京".into(), start: 8 });
    }

    #[test]
    fn what_is_wrong_names_the_question_and_its_line() {
        let good = r#"{"id": "q1", "question": "?", "answers": [{"text": "saw", "answer_start": 4}]}"#;
        let second = |answers: &str| refused(&format!("{good},\n{{\"id\": \"q2\", \"question\": \"?\", \"answers\": {answers}}}"));
        for (answers, reason) in [
            ("[]", "no answer"),
            (r#"[{"text": "saw", "answer_start": 5}]"#, "\"saw\" that does not stand at character 5"),
            (r#"[{"text": "saw", "answer_start": 99}]"#, "at character 99"),
            (r#"[{"text": "", "answer_start": 0}]"#, "at character 0"),
        ] {
            let error = second(answers);
            assert!(error.starts_with("dev.json, line 4: question \"q2\" ") && error.contains(reason), "{answers}: {error}");
        }
        assert!(second(r#"[{"text": "saw"}]"#).starts_with("dev.json, line 4: not SQuAD: missing field `answer_start`"));
        assert!(refused(&format!("{good},\n{good}")).contains("question \"q1\" comes twice"));
        assert!(matches!(document(""), Err(DataError::NoRows { .. })));
        assert!(matches!(parse_document("[]", Path::new(PATH)), Err(DataError::NotSquad { line: 1, .. })));
    }

    #[test]
    fn a_line_holds_its_answers_by_column() {
        let line = |answers| format!(r#"{{"id": "q1", "title": "T", "context": "so it was", "question": "?", "answers": {answers}}}"#);
        let parse = |text: &str| parse_lines(text, Path::new("dev.jsonl"));
        let read = parse(&line(r#"{"text": ["it", "was"], "answer_start": [3, 6]}"#)).unwrap();
        assert_eq!(read.questions[0].answers.iter().map(|answer| answer.start).collect::<Vec<_>>(), [3, 6]);
        let error = parse(&line(r#"{"text": ["it", "was"], "answer_start": [3]}"#)).unwrap_err().to_string();
        assert_eq!(error, "dev.jsonl, line 1: question \"q1\" has 2 answers, but 1 starts");
        assert!(matches!(parse("{}"), Err(DataError::NotSquad { line: 1, .. })));
    }

    #[test]
    fn the_answer_given_most_often_is_learned_and_of_several_the_first() {
        let question = |starts: &[usize]| Question {
            id: "q".into(),
            answers: starts.iter().map(|&start| GoldAnswer { text: "a".into(), start }).collect(),
        };
        assert_eq!(question(&[3, 7, 7]).majority().start, 7);
        assert_eq!(question(&[7, 3]).majority().start, 7);
        assert_eq!(question(&[1, 3, 7, 3, 7]).majority().start, 3);
    }
}
