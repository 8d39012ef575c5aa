//! Which output of a model stands for which label of a task.
//!
//! A model's configuration names its outputs. Where these are the labels of the task, the outputs are found by name, in whatever order the
//! model has them, as in transformers' run_glue.py; where they are others, by position.

use std::collections::BTreeMap;

use super::{Task, TaskError, TaskKind};
use crate::data::{Labels, outputs_of};
use crate::experiment::Observer;

impl Task {
    /// The labels of the rows in the order of a model's outputs, which its configuration calls `outputs`; the observer is told where
    /// positions stand for names.
    ///
    /// - of a task by name: the task's labels; by position where the outputs carry other names
    /// - of classes of one's own: the names of the outputs, which the labels of the rows become. Where these are exactly the numbers 0 to
    ///   k − 1 of the k outputs, they are positions; where the outputs are called `LABEL_0` and so on, any of these numbers is one
    /// - of numbers: the name of the number
    ///
    /// # Errors
    /// [`TaskError::Outputs`] if a task by name, or one of numbers, has another number of labels than the model has outputs.
    pub fn labels_of(&mut self, outputs: Vec<String>, observer: &dyn Observer) -> Result<Labels, TaskError> {
        match self.kind {
            TaskKind::Span => Ok(Labels::of_model(outputs)),
            TaskKind::Classification if self.known.is_none() => {
                self.name_rows(&outputs, observer);
                Ok(Labels::of_model(outputs))
            }
            TaskKind::Classification | TaskKind::Regression if outputs.len() == self.labels.len() => {
                let is_named = |(at, output): (usize, &String)| *output != generic(at) && *output != at.to_string();
                if !self.take_order_of(&outputs) && outputs.iter().enumerate().any(is_named) && self.kind == TaskKind::Classification {
                    let names = [&outputs, self.labels.names()].map(list);
                    observer.note(&format!(
                        "the model's labels {} are not those of {}, and stand for {} in this order",
                        names[0], self.name, names[1]
                    ));
                }
                Ok(self.labels.clone())
            }
            _ => Err(TaskError::Outputs { task: self.name.clone(), expected: self.labels.len(), found: outputs.len() }),
        }
    }

    /// Puts the classes into the order of a model's outputs, if these carry their names: a classifier that has learned these classes is
    /// then trained further, and not taught to swap them. Whether they do.
    pub(crate) fn take_order_of(&mut self, outputs: &[String]) -> bool {
        let synonyms = self.known.map_or(&[][..], |known| known.label_names);
        let ordered = self.labels.in_order_of(outputs, synonyms).filter(|_| self.kind == TaskKind::Classification);
        let is_found = ordered.is_some();
        self.labels = ordered.unwrap_or_else(|| self.labels.clone());
        is_found
    }

    /// Gives the rows the names of a model's outputs where they have other names for them.
    fn name_rows(&mut self, outputs: &[String], observer: &dyn Observer) {
        let rows = || self.splits.train.rows.iter().chain(&self.splits.dev.rows);
        let mut labels: Vec<&str> = rows().map(|row| row.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut places = outputs_of(&labels, outputs);
        if places.iter().all(Option::is_none) {
            let positions: Vec<Option<usize>> = labels.iter().map(|label| position(label, outputs.len())).collect();
            // Rows that lack one of several names may be numbered from 1.
            let is_numbered = positions.iter().all(Option::is_some);
            let is_generic = outputs.iter().enumerate().all(|(at, output)| *output == generic(at));
            if is_numbered && (is_generic || positions.len() == outputs.len()) {
                observer.note(&format!("the labels of the rows, 0 to {}, stand for the model's: {}", outputs.len() - 1, list(outputs)));
                places = positions;
            }
        }
        let names: BTreeMap<String, &String> =
            labels.into_iter().zip(places).filter_map(|(label, place)| Some((label.to_string(), &outputs[place?]))).collect();
        for row in self.splits.train.rows.iter_mut().chain(&mut self.splits.dev.rows) {
            if let Some(name) = names.get(&row.label) {
                row.label.clone_from(name);
            }
        }
    }
}

/// The name of an output that has none.
fn generic(position: usize) -> String {
    format!("LABEL_{position}")
}

/// The position that a label is the number of.
fn position(label: &str, outputs: usize) -> Option<usize> {
    (0..outputs).find(|position| position.to_string() == label)
}

/// The names, quoted, with commas between them.
fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}
