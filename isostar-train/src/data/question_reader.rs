//! Checking and collecting the questions of a file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::text_file::{content, line_breaks};
use super::{DataError, GoldAnswer, Question, Questions, TextRow, Unanswerable};

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

/// One line in the hub's layout, in which answers are stored by column.
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
    DataError::NotSquad {
        path: path.into(),
        line,
        reason: error.to_string(),
    }
}

/// Validates and collects questions.
pub(super) struct QuestionReader<'a> {
    path: &'a Path,
    unanswerable: Unanswerable,
    seen: HashSet<String>,
    found: Questions,
}

impl<'a> QuestionReader<'a> {
    /// Creates a reader; errors name the file `path`.
    pub fn new(path: &'a Path, unanswerable: Unanswerable) -> Self {
        Self {
            path,
            unanswerable,
            seen: HashSet::new(),
            found: Questions::default(),
        }
    }

    /// Adds the questions of a file in the official format.
    pub fn add_document(&mut self, text: &str) -> Result<(), DataError> {
        let text = content(text, self.path)?;
        let document: Document<'_> = serde_json::from_str(text)
            .map_err(|error| not_squad(self.path, error.line(), &error))?;
        // Ids appear in the file in reading order, so each is searched for after the previous one.
        let (mut read, mut line) = (0, 1);
        for paragraph in document.data.iter().flat_map(|article| &article.paragraphs) {
            for entry in &paragraph.qas {
                if let Some(place) = text[read..].find(entry.id.as_str()) {
                    line += line_breaks(&text.as_bytes()[read..read + place]);
                    read += place;
                }
                let answers = entry
                    .answers
                    .iter()
                    .map(|answer| (answer.text.as_ref(), answer.answer_start));
                self.add(
                    &entry.id,
                    line,
                    &entry.question,
                    &paragraph.context,
                    answers,
                )?;
            }
        }
        Ok(())
    }

    /// Adds the questions of JSON lines.
    pub fn add_lines(&mut self, text: &str) -> Result<(), DataError> {
        for (index, text) in content(text, self.path)?
            .lines()
            .enumerate()
            .filter(|(_, text)| !text.trim().is_empty())
        {
            let line = index + 1;
            let entry: Line<'_> =
                serde_json::from_str(text).map_err(|error| not_squad(self.path, line, &error))?;
            self.add_columns(
                &entry.id,
                line,
                &entry.question,
                &entry.context,
                &entry.answers.text,
                &entry.answers.answer_start,
            )?;
        }
        Ok(())
    }

    pub fn refuse(&self, id: &str, line: usize, reason: String) -> DataError {
        DataError::BadQuestion {
            path: self.path.into(),
            line,
            id: id.into(),
            reason,
        }
    }

    /// Adds a question whose answers are stored as two lists.
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
            let reason = format!(
                "has answer lists of different lengths: text {}, answer_start {}",
                texts.len(),
                starts.len()
            );
            return Err(self.refuse(id, line, reason));
        }
        self.add(
            id,
            line,
            question,
            context,
            texts.iter().map(AsRef::as_ref).zip(starts.iter().copied()),
        )
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
            return Err(self.refuse(id, line, "appears twice".into()));
        }
        let answers: Vec<GoldAnswer> = answers
            .map(|(text, start)| GoldAnswer {
                text: text.into(),
                start,
            })
            .collect();
        if answers.is_empty() && self.unanswerable == Unanswerable::Refused {
            return Err(DataError::NoAnswer {
                path: self.path.into(),
                line,
                id: id.into(),
            });
        }
        for answer in &answers {
            let stands_there = context
                .char_indices()
                .nth(answer.start)
                .is_some_and(|(byte, _)| context[byte..].starts_with(&answer.text));
            if !stands_there || answer.text.is_empty() {
                let reason = format!(
                    "has an answer {:?} that is not at character {} of the paragraph",
                    answer.text, answer.start
                );
                return Err(self.refuse(id, line, reason));
            }
        }
        let text = question.trim_start().to_string();
        self.found.rows.push(TextRow {
            text,
            pair: Some(context.into()),
            label: String::new(),
            line,
        });
        self.found.questions.push(Question {
            id: id.into(),
            answers,
        });
        Ok(())
    }

    pub fn finish(self) -> Result<Questions, DataError> {
        if self.found.rows.is_empty() {
            Err(DataError::NoRows {
                path: self.path.into(),
            })
        } else {
            Ok(self.found)
        }
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
        let mut reader = QuestionReader::new(Path::new(PATH), unanswerable);
        reader.add_document(text)?;
        reader.finish()
    }

    fn refused(qas: &str) -> String {
        document(qas).unwrap_err().to_string()
    }

    #[test]
    fn starts_count_characters_and_questions_lose_leading_space() {
        let qas = r#"{"id": "q1", "question": "  What?", "answers": [{"text": "東京", "answer_start": 8}, {"text": "Zoë", "answer_start": 0}]}"#;
        let read = document(qas).unwrap();
        let row = TextRow {
            text: "What?".into(),
            pair: Some("Zoë saw 東京.".into()),
            label: String::new(),
            line: 3,
        };
        assert_eq!(read.rows, [row]);
        assert_eq!(
            read.questions[0].answers[0],
            GoldAnswer {
                text: "東京".into(),
                start: 8
            }
        );
    }

    #[test]
    fn invalid_questions_are_named_with_their_line() {
        let good =
            r#"{"id": "q1", "question": "?", "answers": [{"text": "saw", "answer_start": 4}]}"#;
        let second = |answers: &str| {
            refused(&format!(
                "{good},\n{{\"id\": \"q2\", \"question\": \"?\", \"answers\": {answers}}}"
            ))
        };
        for (answers, reason) in [
            ("[]", "no answer"),
            (
                r#"[{"text": "saw", "answer_start": 5}]"#,
                "\"saw\" that is not at character 5",
            ),
            (
                r#"[{"text": "saw", "answer_start": 99}]"#,
                "at character 99",
            ),
            (r#"[{"text": "", "answer_start": 0}]"#, "at character 0"),
        ] {
            let error = second(answers);
            assert!(
                error.starts_with("dev.json, line 4: question \"q2\" ") && error.contains(reason),
                "{answers}: {error}"
            );
        }
        assert!(
            second(r#"[{"text": "saw"}]"#)
                .starts_with("dev.json, line 4: not in SQuAD format: missing field `answer_start`")
        );
        assert!(refused(&format!("{good},\n{good}")).contains("question \"q1\" appears twice"));
        assert!(matches!(document(""), Err(DataError::NoRows { .. })));
        assert!(matches!(
            read_document("[]", Unanswerable::Refused),
            Err(DataError::NotSquad { line: 1, .. })
        ));
    }

    #[test]
    fn a_question_without_an_answer_is_read_if_allowed() {
        let text = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "so it was", "qas": [
            {"id": "q1", "question": "?", "answers": [{"text": "it", "answer_start": 3}], "is_impossible": false},
            {"id": "q2", "question": "?", "answers": [], "is_impossible": true, "plausible_answers": [{"text": "it", "answer_start": 3}]}
        ]}]}]}"#;
        let read = read_document(text, Unanswerable::Allowed).unwrap();
        assert_eq!(
            read.questions
                .iter()
                .map(|question| question.answers.len())
                .collect::<Vec<_>>(),
            [1, 0]
        );
        assert_eq!(read.questions[1].majority(), None);
        let error = read_document(text, Unanswerable::Refused).unwrap_err();
        assert_eq!(
            error.to_string(),
            "dev.json, line 3: question \"q2\" has no answer, which only SQuAD v2.0 allows"
        );
    }

    #[test]
    fn json_lines_store_answers_by_column() {
        let line = |answers| {
            format!(
                r#"{{"id": "q1", "title": "T", "context": "so it was", "question": "?", "answers": {answers}}}"#
            )
        };
        let parse = |text: &str| {
            let mut reader = QuestionReader::new(Path::new("dev.jsonl"), Unanswerable::Refused);
            reader.add_lines(text)?;
            reader.finish()
        };
        let read = parse(&line(r#"{"text": ["it", "was"], "answer_start": [3, 6]}"#)).unwrap();
        assert_eq!(
            read.questions[0]
                .answers
                .iter()
                .map(|answer| answer.start)
                .collect::<Vec<_>>(),
            [3, 6]
        );
        let error = parse(&line(r#"{"text": ["it", "was"], "answer_start": [3]}"#))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "dev.jsonl, line 1: question \"q1\" has answer lists of different lengths: text 2, answer_start 1"
        );
        assert!(matches!(
            parse("{}"),
            Err(DataError::NotSquad { line: 1, .. })
        ));
    }

    #[test]
    fn the_majority_answer_is_the_most_frequent_and_the_first_on_a_tie() {
        let question = |starts: &[usize]| Question {
            id: "q".into(),
            answers: starts
                .iter()
                .map(|&start| GoldAnswer {
                    text: "a".into(),
                    start,
                })
                .collect(),
        };
        assert_eq!(question(&[3, 7, 7]).majority().unwrap().start, 7);
        assert_eq!(question(&[7, 3]).majority().unwrap().start, 7);
        assert_eq!(question(&[1, 3, 7, 3, 7]).majority().unwrap().start, 3);
    }
}
