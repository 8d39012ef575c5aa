//! Targets of rows: classes or numbers.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{DataError, TextRow};

/// Targets of all rows: one class or one number per row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowTargets {
    /// Class indices.
    Classes(Vec<u32>),
    /// Numbers, such as the similarity of two sentences.
    Values(Vec<f32>),
}

/// Targets of a batch. Shape `[rows]`.
#[derive(Debug, Clone)]
pub enum Targets {
    /// Class indices.
    Classes(Tensor<1, Int>),
    /// Numbers.
    Values(Tensor<1>),
}

impl RowTargets {
    /// Parses the labels of rows as numbers; errors name `path`.
    ///
    /// # Errors
    /// [`DataError::NotANumber`] for the first label that is not a finite number.
    pub fn values(rows: &[TextRow], path: &Path) -> Result<Self, DataError> {
        let value = |row: &TextRow| match row.label.parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(DataError::NotANumber {
                path: path.into(),
                line: row.line,
                value: row.label.clone(),
            }),
        };
        rows.iter()
            .map(value)
            .collect::<Result<_, _>>()
            .map(Self::Values)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Targets of the given rows, on the device.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn batch(&self, rows: &[u32], device: &Device) -> Targets {
        let shape = [rows.len()];
        match self {
            Self::Classes(classes) => {
                let classes: Vec<i32> = rows
                    .iter()
                    .map(|row| classes[*row as usize] as i32)
                    .collect();
                Targets::Classes(Tensor::from_data(TensorData::new(classes, shape), device))
            }
            Self::Values(values) => {
                let values: Vec<f32> = rows.iter().map(|row| values[*row as usize]).collect();
                Targets::Values(Tensor::from_data(TensorData::new(values, shape), device))
            }
        }
    }
}

impl Targets {
    /// Class indices. Shape `[rows]`.
    ///
    /// # Panics
    /// If the targets are numbers.
    pub fn classes(self) -> Tensor<1, Int> {
        match self {
            Self::Classes(classes) => classes,
            Self::Values(_) => panic!("Targets::classes: the targets are numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, line: usize) -> TextRow {
        TextRow {
            text: "text".into(),
            pair: None,
            label: label.into(),
            line,
        }
    }

    #[test]
    fn numbers_are_parsed_and_other_labels_are_rejected_with_their_line() {
        let path = Path::new("dev.tsv");
        assert_eq!(
            RowTargets::values(&[row("3.800", 2), row("-1", 3)], path).unwrap(),
            RowTargets::Values(vec![3.8, -1.0])
        );
        for odd in ["high", "nan", "inf", "1e99", "3,8"] {
            let error = RowTargets::values(&[row("0", 2), row(odd, 3)], path).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("dev.tsv, line 3: {odd:?} is not a finite number")
            );
        }
    }
}
