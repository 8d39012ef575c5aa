//! Matching a model's outputs to the labels of a task.
//!
//! A model's configuration names its outputs. If these names are the labels of the task, outputs
//! are matched by name, in any order, as in transformers' run_glue.py; otherwise by position.

use std::collections::BTreeMap;

use super::{Task, TaskError, TaskKind};
use crate::data::{Labels, outputs_of};
use crate::progress::Progress;

impl Task {
    /// Returns the labels of the rows in the order of a model's outputs. `outputs` are the names of
    /// the outputs in the model's configuration.
    ///
    /// - a known task: the task's labels, matched by position if the outputs have other names; the
    ///   observer is then notified
    /// - your own classes: the names of the outputs. If the labels of the rows are exactly the
    ///   numbers 0 to k − 1 of the k outputs, they are replaced by these names, and the observer is
    ///   notified. If the outputs are named `LABEL_0` and so on, the labels may be a subset of
    ///   these numbers
    /// - your own numbers: the name of the number
    ///
    /// # Errors
    /// [`TaskError::Outputs`] if a known task, or a regression, has another number of labels than
    /// the model has outputs.
    pub fn labels_of(
        &mut self,
        outputs: Vec<String>,
        observer: &dyn Progress,
    ) -> Result<Labels, TaskError> {
        match self.kind {
            TaskKind::Span => Ok(Labels::from_model(outputs)),
            TaskKind::Classification if self.known.is_none() => {
                self.name_rows(&outputs, observer);
                Ok(Labels::from_model(outputs))
            }
            TaskKind::Classification | TaskKind::Regression
                if outputs.len() == self.labels.len() =>
            {
                let is_named = |(at, output): (usize, &String)| {
                    *output != generic(at) && *output != at.to_string()
                };
                if !self.take_order_of(&outputs)
                    && outputs.iter().enumerate().any(is_named)
                    && self.kind == TaskKind::Classification
                {
                    let names = [&outputs, self.labels.names()].map(list);
                    observer.note(&format!(
                        "the model's labels {} are not those of {}; its outputs are taken as {} in this order",
                        names[0], self.name, names[1]
                    ));
                }
                Ok(self.labels.clone())
            }
            _ => Err(TaskError::Outputs {
                task: self.name.clone(),
                expected: self.labels.len(),
                found: outputs.len(),
            }),
        }
    }

    /// Reorders the classes to match the model's outputs, if the outputs have the names of the
    /// classes. A classifier of the same classes then keeps its outputs when it is trained further.
    /// Returns whether the names matched.
    pub(crate) fn take_order_of(&mut self, outputs: &[String]) -> bool {
        let synonyms = self.known.map_or(&[][..], |known| known.label_names);
        let ordered = self
            .labels
            .in_order_of(outputs, synonyms)
            .filter(|_| self.kind == TaskKind::Classification);
        let is_found = ordered.is_some();
        self.labels = ordered.unwrap_or_else(|| self.labels.clone());
        is_found
    }

    /// Replaces the labels of the rows by the names of the model's outputs, if the labels are
    /// numbers.
    fn name_rows(&mut self, outputs: &[String], observer: &dyn Progress) {
        let rows = || self.splits.train.rows.iter().chain(&self.splits.dev.rows);
        let mut labels: Vec<&str> = rows().map(|row| row.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut places = outputs_of(&labels, outputs);
        if places.iter().all(Option::is_none) {
            let positions: Vec<Option<usize>> = labels
                .iter()
                .map(|label| position(label, outputs.len()))
                .collect();
            // If some of the numbers are missing, the rows may be numbered from 1.
            let is_numbered = positions.iter().all(Option::is_some);
            let is_generic = outputs
                .iter()
                .enumerate()
                .all(|(at, output)| *output == generic(at));
            if is_numbered && (is_generic || positions.len() == outputs.len()) {
                observer.note(&format!(
                    "row labels 0 to {} are taken as the model's labels {}",
                    outputs.len() - 1,
                    list(outputs)
                ));
                places = positions;
            }
        }
        let names: BTreeMap<String, &String> = labels
            .into_iter()
            .zip(places)
            .filter_map(|(label, place)| Some((label.to_string(), &outputs[place?])))
            .collect();
        for row in self
            .splits
            .train
            .rows
            .iter_mut()
            .chain(&mut self.splits.dev.rows)
        {
            if let Some(name) = names.get(&row.label) {
                row.label.clone_from(name);
            }
        }
    }
}

/// Returns the generic name of an output.
fn generic(position: usize) -> String {
    format!("LABEL_{position}")
}

/// Parses a label as the index of an output.
fn position(label: &str, outputs: usize) -> Option<usize> {
    (0..outputs).find(|position| position.to_string() == label)
}

/// Returns the names, quoted and separated by commas.
fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}
