//! Questions about paragraphs, with reference answers.

use super::TextRow;

/// Id and reference answers of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Id, the key of the question's prediction.
    pub id: String,
    /// Reference answers, repeated as often as they were given; empty if the paragraph does not
    /// answer the question.
    pub answers: Vec<GoldAnswer>,
}

/// Reference answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GoldAnswer {
    /// Text of the answer, a substring of the paragraph.
    pub text: String,
    /// Start of the answer in the paragraph, in characters.
    pub start: usize,
}

impl Question {
    /// The answer used for training: the most frequent one, and the first of them on a tie. `None`
    /// if the question has no answer.
    pub fn majority(&self) -> Option<&GoldAnswer> {
        let votes =
            |answer: &GoldAnswer| self.answers.iter().filter(|other| *other == answer).count();
        let most = self.answers.iter().map(votes).max()?;
        self.answers.iter().find(|answer| votes(answer) == most)
    }
}

/// Treatment of questions without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unanswerable {
    /// Every question must have an answer, as in SQuAD v1.1.
    #[default]
    Refused,
    /// A question may have no answer, as in SQuAD v2.0.
    Allowed,
}

/// Questions with their paragraphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    /// One row per question: the question without leading white space as its text, the paragraph as
    /// its pair, and an empty label.
    pub rows: Vec<TextRow>,
    /// Answers of each row.
    pub questions: Vec<Question>,
}
