//! The tasks that are known by name: the table of what each is.

use std::path::Path;

use crate::data::{ColumnIndices, DataError, Format, Layout, position};

use super::{TaskKind, TaskMetric};

/// A task of GLUE, SST-5 or SQuAD, as its owners publish it.
#[derive(Debug, PartialEq)]
pub struct KnownTask {
    /// What the command line calls it.
    pub name: &'static str,
    /// What its owners call it.
    pub title: &'static str,
    /// The dataset on the hub that has its rows.
    pub dataset: &'static str,
    /// What is to be found.
    pub kind: TaskKind,
    /// The labels in the official order, as the official files write them; for a regression the name of its number.
    pub labels: &'static [&'static str],
    /// What the dataset on the hub calls the labels, in the same order, and with it models that were trained on it; empty where it calls
    /// them as the official files do, or not at all.
    pub label_names: &'static [&'static str],
    /// The columns, where rows stand in a table.
    pub columns: TaskColumns,
    /// The official scores, the one that is compared first.
    pub metrics: &'static [TaskMetric],
    /// Tokens a row is cut to by default, as published.
    pub max_length: usize,
}

/// The columns of a task in the official download and, after them, on the hub.
#[derive(Debug, PartialEq)]
pub struct TaskColumns {
    /// The text, or the first of a pair.
    pub text: &'static [&'static str],
    /// The second text of a pair; none where there is no pair.
    pub pair: &'static [&'static str],
    /// The label.
    pub label: &'static [&'static str],
    /// The columns of the official TSV where it has no header.
    pub headless: Option<&'static [&'static str]>,
    /// Whether the official TSV breaks some rows over two lines, which all readers of it leave out.
    pub has_broken_rows: bool,
}

const COLUMNS: TaskColumns = TaskColumns { text: &[], pair: &[], label: &["label"], headless: None, has_broken_rows: false };
const SENTENCE: TaskColumns = TaskColumns { text: &["sentence"], ..COLUMNS };
const SENTENCES: TaskColumns = TaskColumns { text: &["sentence1"], pair: &["sentence2"], ..COLUMNS };
/// The dataset without configurations, in JSON lines.
const SST5: &str = "SetFit/sst5";
const BINARY: &[&str] = &["0", "1"];
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];

/// The tasks of the paper.
///
/// | name | rows | label | official scores |
/// |---|---|---|---|
/// | `sst2` | a sentence | 0 negative, 1 positive | accuracy |
/// | `cola` | a sentence | 0 unacceptable, 1 acceptable | Matthews |
/// | `mrpc` | two sentences | 0 not equivalent, 1 equivalent | accuracy, F1 |
/// | `rte` | two sentences | entailment, not_entailment | accuracy |
/// | `qnli` | a question and a sentence | entailment, not_entailment | accuracy |
/// | `qqp` | two questions | 0 not duplicate, 1 duplicate | accuracy, F1 |
/// | `stsb` | two sentences | a number from 0 to 5 | Pearson, Spearman |
/// | `sst5` | a sentence | 0 very negative … 4 very positive | accuracy |
/// | `squad` | a question and a paragraph | a span of the paragraph | exact match, F1 |
///
/// # References
/// Wang et al., "GLUE" (ICLR 2019); Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank" (EMNLP 2013);
/// Rajpurkar et al., "SQuAD" (EMNLP 2016).
pub const KNOWN_TASKS: [KnownTask; 9] = [
    KnownTask { name: "sst2", title: "SST-2", label_names: &["negative", "positive"], columns: SENTENCE, ..CLASSES },
    KnownTask {
        name: "cola",
        title: "CoLA",
        label_names: &["unacceptable", "acceptable"],
        columns: TaskColumns { headless: Some(&["source", "label", "mark", "sentence"]), ..SENTENCE },
        metrics: &[TaskMetric::Matthews],
        ..CLASSES
    },
    KnownTask {
        name: "mrpc",
        title: "MRPC",
        label_names: &["not_equivalent", "equivalent"],
        columns: TaskColumns {
            text: &["#1 String", "sentence1"],
            pair: &["#2 String", "sentence2"],
            label: &["Quality", "label"],
            ..COLUMNS
        },
        metrics: &[TaskMetric::Accuracy, TaskMetric::F1],
        ..CLASSES
    },
    KnownTask { name: "rte", title: "RTE", labels: ENTAILMENT, columns: SENTENCES, ..CLASSES },
    KnownTask {
        name: "qnli",
        title: "QNLI",
        labels: ENTAILMENT,
        columns: TaskColumns { text: &["question"], pair: &["sentence"], ..COLUMNS },
        ..CLASSES
    },
    KnownTask {
        name: "qqp",
        title: "QQP",
        label_names: &["not_duplicate", "duplicate"],
        columns: TaskColumns {
            text: &["question1"],
            pair: &["question2"],
            label: &["is_duplicate", "label"],
            headless: None,
            has_broken_rows: true,
        },
        metrics: &[TaskMetric::Accuracy, TaskMetric::F1],
        ..CLASSES
    },
    KnownTask {
        name: "stsb",
        title: "STS-B",
        kind: TaskKind::Regression,
        labels: &["score"],
        columns: TaskColumns { label: &["score", "label"], ..SENTENCES },
        metrics: &[TaskMetric::Pearson, TaskMetric::Spearman],
        ..CLASSES
    },
    KnownTask {
        name: "sst5",
        title: "SST-5",
        dataset: SST5,
        labels: &["0", "1", "2", "3", "4"],
        label_names: &["very negative", "negative", "neutral", "positive", "very positive"],
        columns: TaskColumns { text: &["sentence", "text"], ..COLUMNS },
        ..CLASSES
    },
    KnownTask {
        name: "squad",
        title: "SQuAD v1.1",
        dataset: "rajpurkar/squad",
        kind: TaskKind::Span,
        labels: &[],
        label_names: &[],
        columns: COLUMNS,
        metrics: &[TaskMetric::ExactMatch, TaskMetric::SpanF1],
        max_length: 384,
    },
];

const CLASSES: KnownTask = KnownTask {
    name: "",
    title: "",
    dataset: "nyu-mll/glue",
    kind: TaskKind::Classification,
    labels: BINARY,
    label_names: &[],
    columns: COLUMNS,
    metrics: &[TaskMetric::Accuracy],
    max_length: 256,
};

impl KnownTask {
    /// The task of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KNOWN_TASKS.iter().find(|task| task.name == name)
    }

    /// The configuration of the dataset on the hub, which is the folder of its files there.
    pub(super) fn hub_configuration(&self) -> &'static str {
        if self.kind == TaskKind::Span { "plain_text" } else { self.name }
    }

    /// The files of the dataset on the hub that have the rows to learn from and those to judge by.
    #[cfg(feature = "hub")]
    pub(super) fn hub_files(&self) -> [String; 2] {
        match self.dataset {
            SST5 => ["train.jsonl".into(), "dev.jsonl".into()],
            _ => ["train", "validation"].map(|split| format!("{}/{split}-00000-of-00001.parquet", self.hub_configuration())),
        }
    }
}

impl TaskColumns {
    /// What each column that there is may be called: text, pair, label.
    fn names(&self) -> impl Iterator<Item = &'static [&'static str]> {
        [self.text, self.pair, self.label].into_iter().filter(|names| !names.is_empty())
    }
}

impl Layout for TaskColumns {
    fn locate(&self, header: &[String], path: &Path) -> Result<ColumnIndices, DataError> {
        let mut places = Vec::with_capacity(3);
        for names in self.names() {
            let place = names.iter().find_map(|name| position(header, name));
            places.push(place.ok_or_else(|| DataError::NoSuchColumn {
                path: path.into(),
                name: names[0].into(),
                columns: header.to_vec(),
            })?);
        }
        Ok(match places[..] {
            [text, pair, label] => ColumnIndices { text, pair: Some(pair), label },
            _ => ColumnIndices { text: places[0], pair: None, label: places[1] },
        })
    }

    fn header(&self, format: Format) -> Option<Vec<String>> {
        let names = self.headless.filter(|_| format == Format::Tsv)?;
        Some(names.iter().map(|name| name.to_string()).collect())
    }

    fn leaves_out_broken_rows(&self) -> bool {
        self.has_broken_rows
    }
}

#[cfg(all(test, feature = "hub"))]
mod tests {
    use super::*;

    #[test]
    fn the_files_on_the_hub_are_those_of_the_task_s_configuration() {
        let found: Vec<_> = KNOWN_TASKS.iter().map(|task| (task.dataset, task.hub_files())).collect();
        let parquet = |folder: &str| ["train", "validation"].map(|split| format!("{folder}/{split}-00000-of-00001.parquet"));
        let glue = ["sst2", "cola", "mrpc", "rte", "qnli", "qqp", "stsb"].map(|name| ("nyu-mll/glue", parquet(name)));
        let others = [("SetFit/sst5", ["train.jsonl".into(), "dev.jsonl".into()]), ("rajpurkar/squad", parquet("plain_text"))];
        assert_eq!(found, glue.into_iter().chain(others).collect::<Vec<_>>());
    }
}
