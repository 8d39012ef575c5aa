//! Questions about paragraphs, with the answers that people gave: SQuAD v1.1 and v2.0, as published and as the hub serves them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::text_file::{content, line_breaks, plain_name, read_text};
use super::{DataError, Format, TextRow, parquet};

/// What people answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What predictions are filed under.
    pub id: String,
    /// The answers, as often as they were given; none where the paragraph does not answer the question.
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
    /// The answer to learn from: the one that was given most often, and of several the first. `None` where there is no answer.
    pub fn majority(&self) -> Option<&GoldAnswer> {
        let votes = |answer: &GoldAnswer| self.answers.iter().filter(|other| *other == answer).count();
        let most = self.answers.iter().map(votes).max()?;
        self.answers.iter().find(|answer| votes(answer) == most)
    }
}

/// What becomes of questions that their paragraph does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unanswerable {
    /// Each question has an answer, as in SQuAD v1.1.
    #[default]
    Refused,
    /// A question may have no answer, as in SQuAD v2.0.
    Allowed,
}

/// Questions with their paragraphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    /// The question without the white space before it as text, the paragraph as its pair, and no label.
    pub rows: Vec<TextRow>,
    /// The answers of each row.
    pub questions: Vec<Question>,
}

/// Reads questions: from the official `.json`, or as the hub has them, from Parquet or from JSON lines with a question each. JSON may be
/// compressed by gzip.
///
/// A question without an answer is one whose list of answers is empty; `is_impossible` and `plausible_answers` are not read.
///
/// # Errors
/// [`DataError::NotSquad`] for what is not such a file, [`DataError::NoAnswer`] for a question without an answer where these are refused,
/// [`DataError::BadQuestion`] for one whose answer does not stand where it says, or an id that comes twice; and those of a file that cannot be
/// read or holds nothing. Lines are those of the question's id.
pub fn read_questions(path: &Path, unanswerable: Unanswerable) -> Result<Questions, DataError> {
    let mut reader = Reader::new(path, unanswerable);
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

fn not_squad(path: &Path, line: usize, error: &serde_json::Error) -> DataError {
    DataError::NotSquad { path: path.into(), line, reason: error.to_string() }
}

/// Checks questions and gathers them.
pub(super) struct Reader<'a> {
    path: &'a Path,
    unanswerable: Unanswerable,
    seen: HashSet<String>,
    found: Questions,
}

impl<'a> Reader<'a> {
    /// A reader of the file `path`, which is named in errors.
    pub fn new(path: &'a Path, unanswerable: Unanswerable) -> Self {
        Self { path, unanswerable, seen: HashSet::new(), found: Questions::default() }
    }

    /// Adds the questions of the official file's content.
    pub fn add_document(&mut self, text: &str) -> Result<(), DataError> {
        let text = content(text, self.path)?;
        let document: Document<'_> = serde_json::from_str(text).map_err(|error| not_squad(self.path, error.line(), &error))?;
        // Ids stand in the file in the order in which they are read: each is looked for after the one before.
        let (mut read, mut line) = (0, 1);
        for paragraph in document.data.iter().flat_map(|article| &article.paragraphs) {
            for entry in &paragraph.qas {
                if let Some(place) = text[read..].find(entry.id.as_str()) {
                    line += line_breaks(&text.as_bytes()[read..read + place]);
                    read += place;
                }
                let answers = entry.answers.iter().map(|answer| (answer.text.as_ref(), answer.answer_start));
                self.add(&entry.id, line, &entry.question, &paragraph.context, answers)?;
            }
        }
        Ok(())
    }

    /// Adds the questions of JSON lines.
    pub fn add_lines(&mut self, text: &str) -> Result<(), DataError> {
        for (index, text) in content(text, self.path)?.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = index + 1;
            let entry: Line<'_> = serde_json::from_str(text).map_err(|error| not_squad(self.path, line, &error))?;
            self.add_columns(&entry.id, line, &entry.question, &entry.context, &entry.answers.text, &entry.answers.answer_start)?;
        }
        Ok(())
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
        if answers.is_empty() && self.unanswerable == Unanswerable::Refused {
            return Err(DataError::NoAnswer { path: self.path.into(), line, id: id.into() });
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
        read_document(&text, Unanswerable::Refused)
    }

    fn read_document(text: &str, unanswerable: Unanswerable) -> Result<Questions, DataError> {
        let mut reader = Reader::new(Path::new(PATH), unanswerable);
        reader.add_document(text)?;
        reader.finish()
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
        assert!(matches!(read_document("[]", Unanswerable::Refused), Err(DataError::NotSquad { line: 1, .. })));
    }

    #[test]
    fn a_question_without_an_answer_is_read_where_it_may_be() {
        let text = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "so it was", "qas": [
            {"id": "q1", "question": "?", "answers": [{"text": "it", "answer_start": 3}], "is_impossible": false},
            {"id": "q2", "question": "?", "answers": [], "is_impossible": true, "plausible_answers": [{"text": "it", "answer_start": 3}]}
        ]}]}]}"#;
        let read = read_document(text, Unanswerable::Allowed).unwrap();
        assert_eq!(read.questions.iter().map(|question| question.answers.len()).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(read.questions[1].majority(), None);
        let error = read_document(text, Unanswerable::Refused).unwrap_err();
        assert_eq!(error.to_string(), "dev.json, line 3: question \"q2\" has no answer; questions without one belong to SQuAD v2.0");
        assert!(error.remedy().contains("squad2"), "{}", error.remedy());
    }

    #[test]
    fn a_line_holds_its_answers_by_column() {
        let line = |answers| format!(r#"{{"id": "q1", "title": "T", "context": "so it was", "question": "?", "answers": {answers}}}"#);
        let parse = |text: &str| {
            let mut reader = Reader::new(Path::new("dev.jsonl"), Unanswerable::Refused);
            reader.add_lines(text)?;
            reader.finish()
        };
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
        assert_eq!(question(&[3, 7, 7]).majority().unwrap().start, 7);
        assert_eq!(question(&[7, 3]).majority().unwrap().start, 7);
        assert_eq!(question(&[1, 3, 7, 3, 7]).majority().unwrap().start, 3);
    }
}
