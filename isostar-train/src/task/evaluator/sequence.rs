use std::sync::Arc;

use burn::tensor::TensorReadError;

use super::bytes::{Reader, write_floats};
use super::{Answer, Evaluator, Prediction};
use crate::data::{Labels, Targets};
use crate::task::{SequenceOutput, TaskMetric};

/// Judges predicted classes and numbers.
#[derive(Clone, Debug)]
pub struct SequenceEvaluator {
    labels: Arc<Labels>,
    metrics: Arc<[TaskMetric]>,
    rows: Vec<Row>,
}

/// The output and the target of one row.
#[derive(Clone, Debug)]
struct Row {
    index: u32,
    loss: f64,
    right: Right,
    logits: Vec<f32>,
}

#[derive(Clone, Copy, Debug)]
enum Right {
    Class(usize),
    Value(f64),
}

impl SequenceEvaluator {
    /// Creates an evaluator for these labels and metrics.
    pub fn new(labels: Labels, metrics: impl Into<Arc<[TaskMetric]>>) -> Self {
        Self {
            labels: Arc::new(labels),
            metrics: metrics.into(),
            rows: Vec::new(),
        }
    }
}

impl Evaluator for SequenceEvaluator {
    type Output = SequenceOutput;

    fn add(&mut self, output: &SequenceOutput) -> Result<(), TensorReadError> {
        let [_, width] = output.logits.dims();
        let losses: Vec<f64> = output.losses.clone().try_into_vec_as()?;
        let logits: Vec<f32> = output.logits.clone().try_into_vec_as()?;
        let right: Vec<Right> = match &output.targets {
            Targets::Classes(classes) => {
                let classes: Vec<i64> = classes.clone().try_into_vec_as()?;
                classes
                    .into_iter()
                    .map(|class| Right::Class(class as usize))
                    .collect()
            }
            Targets::Values(values) => {
                let values: Vec<f64> = values.clone().try_into_vec_as()?;
                values.into_iter().map(Right::Value).collect()
            }
        };
        let rows = output
            .rows
            .iter()
            .zip(losses)
            .zip(right)
            .zip(logits.chunks_exact(width));
        self.rows
            .extend(rows.map(|(((index, loss), right), logits)| Row {
                index: *index,
                loss,
                right,
                logits: logits.to_vec(),
            }));
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Row {
            index,
            loss,
            right,
            logits,
        } in &self.rows
        {
            let (kind, right) = match right {
                Right::Class(class) => (0_u32, *class as u64),
                Right::Value(value) => (1, value.to_bits()),
            };
            bytes.extend(index.to_le_bytes());
            bytes.extend(loss.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(right.to_le_bytes());
            write_floats(&mut bytes, logits);
        }
        bytes
    }

    fn restore(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader(bytes);
        self.rows.clear();
        while !reader.is_empty() {
            let (index, loss) = (reader.u32()?, reader.f64()?);
            let right = match (reader.u32()?, reader.u64()?) {
                (0, class) => Right::Class(class as usize),
                (1, value) => Right::Value(f64::from_bits(value)),
                _ => return None,
            };
            self.rows.push(Row {
                index,
                loss,
                right,
                logits: reader.floats()?,
            });
        }
        Some(())
    }

    fn metrics(&self) -> &[TaskMetric] {
        &self.metrics
    }

    fn score(&self, metric: TaskMetric) -> f64 {
        let (mut classes, mut values) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for row in &self.rows {
            match row.right {
                Right::Class(class) => {
                    classes.0.push(class);
                    classes.1.push(argmax(&row.logits));
                }
                Right::Value(value) => {
                    values.0.push(value);
                    values.1.push(f64::from(row.logits[0]));
                }
            }
        }
        match (classes.0.is_empty(), values.0.is_empty()) {
            (false, _) => metric.of_classes(&classes.0, &classes.1, &self.labels),
            (true, false) => metric.of_numbers(&values.0, &values.1),
            (true, true) => f64::NAN,
        }
    }

    fn loss(&self) -> f64 {
        self.rows.iter().map(|row| row.loss).sum::<f64>() / self.rows.len() as f64
    }

    fn predictions(&self) -> Vec<Prediction> {
        let answer = |row: &Row| match row.right {
            Right::Class(_) => Answer::Label {
                label: self.labels.names()[argmax(&row.logits)].clone(),
            },
            Right::Value(_) => Answer::Value {
                value: row.logits[0],
            },
        };
        let prediction = |row: &Row| Prediction {
            index: row.index as usize,
            answer: answer(row),
            scores: row.logits.clone(),
        };
        let mut predictions: Vec<Prediction> = self.rows.iter().map(prediction).collect();
        predictions.sort_unstable_by_key(|prediction| prediction.index);
        predictions
    }
}

/// Returns the index of the largest number, the first of several.
fn argmax(numbers: &[f32]) -> usize {
    (1..numbers.len()).fold(0, |best, at| {
        if numbers[at] > numbers[best] {
            at
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    use burn::prelude::*;

    use super::*;

    fn batch(logits: &[[f32; 2]], targets: &[i32], rows: &[u32]) -> SequenceOutput {
        let device = Device::default();
        let count = rows.len();
        SequenceOutput {
            losses: Tensor::ones([count], &device) * 0.5,
            logits: Tensor::from_data(TensorData::new(logits.concat(), [count, 2]), &device),
            targets: Targets::Classes(Tensor::from_data(
                TensorData::new(targets.to_vec(), [count]),
                &device,
            )),
            rows: rows.to_vec(),
        }
    }

    #[test]
    fn metrics_cover_the_whole_split_and_predictions_keep_its_order() {
        let labels = Labels::from_names(vec!["no".into(), "yes".into()]);
        let mut evaluator = SequenceEvaluator::new(labels, [TaskMetric::Accuracy, TaskMetric::F1]);
        assert!(evaluator.score(TaskMetric::Accuracy).is_nan() && evaluator.loss().is_nan());
        // The mean of batch-wise F1 scores would be (1 + 0) / 2.
        evaluator
            .add(&batch(&[[0.0, 1.0], [0.0, 2.0]], &[1, 1], &[2, 0]))
            .unwrap();
        evaluator.add(&batch(&[[0.0, 3.0]], &[0], &[1])).unwrap();
        assert_eq!(
            evaluator.scores().into_iter().collect::<Vec<_>>(),
            [("accuracy".to_string(), 2.0 / 3.0), ("f1".to_string(), 0.8)]
        );
        assert_eq!(evaluator.loss(), 0.5);
        let bytes = evaluator.to_bytes();
        let mut restored = evaluator.clone();
        restored.clear();
        restored.restore(&bytes).unwrap();
        assert_eq!(
            (restored.predictions(), restored.loss()),
            (evaluator.predictions(), evaluator.loss())
        );
        assert!(
            (1..bytes.len())
                .filter(|length| restored.restore(&bytes[..*length]).is_some())
                .count()
                <= 2,
            "cut between two rows only"
        );
        let predictions = evaluator.predictions();
        assert_eq!(
            predictions
                .iter()
                .map(|prediction| prediction.scores[1])
                .collect::<Vec<_>>(),
            [2.0, 3.0, 1.0]
        );
        let line = serde_json::to_string(&predictions[1]).unwrap();
        assert_eq!(line, r#"{"index":1,"label":"yes","scores":[0.0,3.0]}"#);
        evaluator.clear();
        assert!(evaluator.predictions().is_empty());
    }

    #[test]
    fn numbers_are_scored_by_correlation_and_constant_ones_have_no_score() {
        let device = Device::default();
        let output = |found: [f32; 3]| SequenceOutput {
            losses: Tensor::zeros([3], &device),
            logits: Tensor::from_data(TensorData::new(found.to_vec(), [3, 1]), &device),
            targets: Targets::Values(Tensor::from_data([1.0, 2.0, 3.0], &device)),
            rows: vec![0, 1, 2],
        };
        let evaluator = |found| {
            let mut evaluator = SequenceEvaluator::new(
                Labels::from_names(vec!["score".into()]),
                [TaskMetric::Pearson, TaskMetric::Spearman],
            );
            evaluator.add(&output(found)).unwrap();
            evaluator
        };
        let rising = evaluator([1.0, 2.0, 9.0]);
        assert!((rising.score(TaskMetric::Spearman) - 1.0).abs() < 1e-12);
        assert!((rising.score(TaskMetric::Pearson) - 0.917_662_935_482_247_2).abs() < 1e-12);
        assert_eq!(rising.predictions()[2].answer, Answer::Value { value: 9.0 });
        assert!(evaluator([2.0; 3]).score(TaskMetric::Pearson).is_nan());
    }
}
