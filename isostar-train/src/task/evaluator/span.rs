use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorReadError};

use super::bytes::{Reader, write_floats};
use super::{Answer, Evaluator, Prediction};
use crate::data::{CharSpan, PaddingSide, Question, TextRow, Unanswerable, Windows};
use crate::score::{
    Span, SpanLimits, Squad2Score, Window, n_best_spans, no_answer_score, span_or_none,
    squad_score, squad2_score,
};
use crate::task::{SpanOutput, TaskMetric};

/// Judges answers. Finds the best span of each question over all its windows, or no answer if
/// questions may be unanswerable, and scores it like the SQuAD script of that version.
#[derive(Clone, Debug)]
pub struct SpanEvaluator {
    split: Arc<SpanSplit>,
    metrics: Arc<[TaskMetric]>,
    limits: SpanLimits,
    /// The logits by window index.
    logits: BTreeMap<u32, Logits>,
    loss: f64,
}

/// The questions of the split.
#[derive(Debug)]
struct SpanSplit {
    windows: Arc<Windows>,
    rows: Vec<TextRow>,
    questions: Vec<Question>,
    unanswerable: Unanswerable,
}

/// The prediction for one question.
struct Found<'a> {
    /// The best spans, best first.
    spans: Vec<Span<'a>>,
    /// The text of the answer; empty for no answer.
    text: &'a str,
}

/// The start and end logits of one window, without padding.
type Logits = [Vec<f32>; 2];

impl SpanEvaluator {
    /// Creates an evaluator of `windows`. `rows` holds the questions, with paragraphs as pairs, and
    /// `questions` their gold answers.
    ///
    /// # Panics
    /// If `rows` and `questions` differ in length.
    pub fn new(
        windows: Arc<Windows>,
        rows: Vec<TextRow>,
        questions: Vec<Question>,
        unanswerable: Unanswerable,
        metrics: impl Into<Arc<[TaskMetric]>>,
    ) -> Self {
        assert_eq!(
            rows.len(),
            questions.len(),
            "SpanEvaluator::new: rows and questions differ in length"
        );
        let split = Arc::new(SpanSplit {
            windows,
            rows,
            questions,
            unanswerable,
        });
        Self {
            split,
            metrics: metrics.into(),
            limits: SpanLimits::default(),
            logits: BTreeMap::new(),
            loss: 0.0,
        }
    }

    /// Predicts the answer of every question.
    fn found(&self) -> Vec<Found<'_>> {
        let windows = &self.split.windows;
        let mut of_questions: Vec<Vec<u32>> = vec![Vec::new(); self.split.rows.len()];
        self.logits
            .keys()
            .for_each(|window| of_questions[windows.question(*window) as usize].push(*window));
        let place = |place: &CharSpan| place.map(|(start, end)| (start as usize, end as usize));
        let offsets =
            |window: &u32| -> Vec<_> { windows.places(*window).iter().map(place).collect() };
        let mut found = Vec::with_capacity(of_questions.len());
        for (row, numbers) in self.split.rows.iter().zip(&of_questions) {
            let offsets: Vec<Vec<_>> = numbers.iter().map(offsets).collect();
            let mut windows = Vec::with_capacity(numbers.len());
            for (number, offsets) in numbers.iter().zip(&offsets) {
                let [start_logits, end_logits] = &self.logits[number];
                windows.push(Window {
                    start_logits,
                    end_logits,
                    offsets,
                });
            }
            let spans = n_best_spans(
                row.pair.as_deref().unwrap_or_default(),
                &windows,
                self.limits,
            );
            let answer = match self.split.unanswerable {
                Unanswerable::Refused => spans.first(),
                Unanswerable::Allowed => span_or_none(&spans, no_answer_score(&windows)),
            };
            let text = answer.map_or("", |span| span.text);
            found.push(Found { spans, text });
        }
        found
    }

    /// Returns SQuAD's scores; `None` before the first batch.
    fn squad_score(&self) -> Option<Squad2Score> {
        if self.logits.is_empty() {
            return None;
        }
        let found = self.found();
        let golds: Vec<Vec<&str>> = self
            .split
            .questions
            .iter()
            .map(|question| {
                question
                    .answers
                    .iter()
                    .map(|answer| answer.text.as_str())
                    .collect()
            })
            .collect();
        let answers = found
            .iter()
            .map(|found| found.text)
            .zip(golds.iter().map(Vec::as_slice));
        match self.split.unanswerable {
            Unanswerable::Allowed => squad2_score(answers),
            Unanswerable::Refused => {
                let all = squad_score(answers.map(|(text, golds)| (Some(text), golds)))?;
                Some(Squad2Score {
                    all,
                    has_answer: None,
                    no_answer: None,
                })
            }
        }
    }
}

impl Evaluator for SpanEvaluator {
    type Output = SpanOutput;

    fn add(&mut self, output: &SpanOutput) -> Result<(), TensorReadError> {
        let [_, tokens] = output.logits[0].dims();
        let [starts, ends]: [Result<Vec<f32>, _>; 2] =
            output.logits.clone().map(Tensor::try_into_vec_as);
        let (starts, ends) = (starts?, ends?);
        let losses: Vec<f64> = output.losses.clone().try_into_vec_as()?;
        self.loss += losses.iter().sum::<f64>();
        for (window, (starts, ends)) in output
            .windows
            .iter()
            .zip(starts.chunks_exact(tokens).zip(ends.chunks_exact(tokens)))
        {
            let length = self.split.windows.ids(*window).len();
            let inside = match self.split.windows.padding_side() {
                PaddingSide::Right => 0..length,
                PaddingSide::Left => tokens - length..tokens,
            };
            self.logits.insert(
                *window,
                [starts[inside.clone()].to_vec(), ends[inside].to_vec()],
            );
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.logits.clear();
        self.loss = 0.0;
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.loss.to_le_bytes().to_vec();
        for (window, logits) in &self.logits {
            bytes.extend(window.to_le_bytes());
            logits
                .iter()
                .for_each(|logits| write_floats(&mut bytes, logits));
        }
        bytes
    }

    fn restore(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader(bytes);
        self.logits.clear();
        self.loss = reader.f64()?;
        while !reader.is_empty() {
            let window = reader.u32()?;
            self.logits
                .insert(window, [reader.floats()?, reader.floats()?]);
        }
        Some(())
    }

    fn metrics(&self) -> &[TaskMetric] {
        &self.metrics
    }

    fn score(&self, metric: TaskMetric) -> f64 {
        self.squad_score()
            .map_or(f64::NAN, |score| metric.of_answers(score))
    }

    fn scores(&self) -> BTreeMap<String, f64> {
        let score = self.squad_score();
        let of = |metric: &TaskMetric| score.map_or(f64::NAN, |score| metric.of_answers(score));
        self.metrics
            .iter()
            .map(|metric| (metric.name().to_string(), of(metric)))
            .collect()
    }

    fn loss(&self) -> f64 {
        self.loss / self.logits.len() as f64
    }

    fn predictions(&self) -> Vec<Prediction> {
        let prediction =
            |(index, (found, question)): (usize, (&Found<'_>, &Question))| Prediction {
                index,
                answer: Answer::Text {
                    id: question.id.clone(),
                    text: found.text.to_string(),
                },
                scores: found.spans.iter().map(|span| span.score).collect(),
            };
        self.found()
            .iter()
            .zip(&self.split.questions)
            .enumerate()
            .map(prediction)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::data::{DEFAULT_TOKENIZER, GoldAnswer, TextEncoder, WindowSettings};

    const PARAGRAPH: &str = "the man said that the area was good";

    /// Returns the predicted texts and the scores of two questions about the paragraph; the second
    /// has no answer. The logits of the first token are `no_answer` for the first question and
    /// `2 * no_answer` for the second; those of `area` are 3, as start and as end.
    fn evaluated(
        unanswerable: Unanswerable,
        side: PaddingSide,
        no_answer: f32,
    ) -> (Vec<String>, BTreeMap<String, f64>) {
        let row = |line| TextRow {
            text: "man".repeat(line),
            pair: Some(PARAGRAPH.into()),
            label: String::new(),
            line,
        };
        let rows = vec![row(1), row(2)];
        let gold = GoldAnswer {
            text: "area".into(),
            start: 22,
        };
        let questions: Vec<Question> = [vec![gold], Vec::new()]
            .into_iter()
            .enumerate()
            .map(|(at, answers)| Question {
                id: format!("q{at}"),
                answers,
            })
            .collect();
        let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64)
            .unwrap()
            .with_padding_side(side);
        let settings = WindowSettings {
            stride: 4,
            keep_places: true,
        };
        let windows = Arc::new(
            encoder
                .encode_windows(&rows, &questions, settings, Path::new("dev.json"))
                .unwrap(),
        );
        let lengths = [0, 1].map(|window| windows.ids(window).len());
        let tokens = lengths.into_iter().max().unwrap();
        let mut logits = vec![0.0; 2 * tokens];
        for (window, length) in lengths.into_iter().enumerate() {
            let padding = if side == PaddingSide::Left {
                tokens - length
            } else {
                0
            };
            let area = windows
                .places(window as u32)
                .iter()
                .position(|place| *place == Some((22, 26)))
                .unwrap();
            let of_window = &mut logits[window * tokens..][..tokens];
            // Logits of padding are ignored.
            of_window[..padding].fill(99.0);
            of_window[padding + length..].fill(99.0);
            (of_window[padding], of_window[padding + area]) =
                (no_answer * (window + 1) as f32, 3.0);
        }
        let metrics = [
            TaskMetric::ExactMatch,
            TaskMetric::HasAnswerF1,
            TaskMetric::NoAnswerExactMatch,
        ];
        let mut evaluator = SpanEvaluator::new(windows, rows, questions, unanswerable, metrics);
        let logits: Tensor<2> =
            Tensor::from_data(TensorData::new(logits, [2, tokens]), &Device::default());
        let losses = Tensor::ones([2], &Device::default());
        evaluator
            .add(&SpanOutput {
                losses,
                logits: [logits.clone(), logits],
                windows: vec![0, 1],
            })
            .unwrap();
        let text = |prediction: Prediction| match prediction.answer {
            Answer::Text { text, .. } => text,
            other => panic!("{other:?} is not a text"),
        };
        (
            evaluator.predictions().into_iter().map(text).collect(),
            evaluator.scores(),
        )
    }

    #[test]
    fn no_answer_is_predicted_if_it_scores_higher_than_every_span_and_is_allowed() {
        for side in [PaddingSide::Right, PaddingSide::Left] {
            let (texts, scores) = evaluated(Unanswerable::Allowed, side, 2.0);
            assert_eq!(texts, ["area", ""], "{side:?}");
            assert_eq!(scores.into_values().collect::<Vec<_>>(), [100.0; 3]);
            let (texts, scores) = evaluated(Unanswerable::Allowed, side, 4.0);
            assert_eq!(texts, ["", ""]);
            let expected = [
                ("exact_match", 50.0),
                ("has_answer_f1", 0.0),
                ("no_answer_exact_match", 100.0),
            ];
            assert_eq!(
                scores,
                expected
                    .map(|(name, score)| (name.to_string(), score))
                    .into()
            );
        }
    }

    #[test]
    fn questions_of_v1_are_always_answered() {
        let (texts, scores) = evaluated(Unanswerable::Refused, PaddingSide::Right, 9.0);
        assert_eq!(texts, ["area"; 2]);
        assert_eq!(scores["exact_match"], 50.0);
        assert!(scores["has_answer_f1"].is_nan() && scores["no_answer_exact_match"].is_nan());
    }
}
