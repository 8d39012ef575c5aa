//! The table of known tasks.

use std::path::Path;

use crate::data::{ColumnIndices, DataError, Format, Layout, Unanswerable, position};

use super::{TaskKind, TaskMetric};

/// The default task: sarcasm in headlines, embedded in the binary.
pub const DEFAULT_TASK: &str = "headlines";

/// A task of GLUE, SST-5 or SQuAD as published.
#[derive(Debug, PartialEq)]
pub struct KnownTask {
    /// The name on the command line and in results. [`KnownTask::named`] also accepts aliases.
    pub name: &'static str,
    /// Other names, in lower case and without hyphens and underscores.
    pub aliases: &'static [&'static str],
    /// The published name.
    pub title: &'static str,
    /// The id of the dataset on the hub.
    pub dataset: &'static str,
    /// The configuration of that dataset, which is also the folder of its files; `None` if it has
    /// the name of the task.
    pub configuration: Option<&'static str>,
    /// The development sets. The first one is used during training; the others are evaluated at the
    /// end as well.
    pub dev: &'static [&'static str],
    /// The kind of the targets.
    pub kind: TaskKind,
    /// Whether a question may be unanswerable.
    pub unanswerable: Unanswerable,
    /// The labels in the official order, or the name of a regression's number. Files contain the
    /// labels or their indices in this order.
    pub labels: &'static [&'static str],
    /// The label names of the dataset on the hub, and of models trained on it, in the same order;
    /// empty if they equal the official labels or do not exist.
    pub label_names: &'static [&'static str],
    /// The columns of tabular files.
    pub columns: TaskColumns,
    /// The official metrics, the main one first.
    pub metrics: &'static [TaskMetric],
    /// The default maximum length in tokens, as published.
    pub max_length: usize,
}

/// The column names of a task: those of the official download, then those of the hub.
#[derive(Debug, PartialEq)]
pub struct TaskColumns {
    /// The text, or the first text of a pair.
    pub text: &'static [&'static str],
    /// The second text of a pair; empty if there are no pairs.
    pub pair: &'static [&'static str],
    /// The label.
    pub label: &'static [&'static str],
    /// The columns of the official TSV file, if it has no header.
    pub headless: Option<&'static [&'static str]>,
    /// Whether the official TSV file breaks some rows over two lines; all readers skip such rows.
    pub has_broken_rows: bool,
}

const COLUMNS: TaskColumns = TaskColumns {
    text: &[],
    pair: &[],
    label: &["label"],
    headless: None,
    has_broken_rows: false,
};
const SENTENCE: TaskColumns = TaskColumns {
    text: &["sentence"],
    ..COLUMNS
};
const SENTENCES: TaskColumns = TaskColumns {
    text: &["sentence1"],
    pair: &["sentence2"],
    ..COLUMNS
};
/// A dataset without configurations, in JSON lines.
const SST5: &str = "SetFit/sst5";
const BINARY: &[&str] = &["0", "1"];
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];
const MATCHED: &str = "dev_matched";
const MISMATCHED: &str = "dev_mismatched";

/// The known tasks: those of GLUE and of the I-STAR paper.
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
/// | `mnli` | two sentences | entailment, neutral, contradiction | accuracy (matched; mismatched at the end) |
/// | `mnli_mm` | the same | the same | accuracy on the mismatched development set |
/// | `wnli` | two sentences | not_entailment, entailment | accuracy |
/// | `squad2` | a question and a paragraph | a span of the paragraph, or no answer | exact match, F1; both also with and without an answer |
///
/// # References
/// Wang et al., "GLUE" (ICLR 2019); Williams et al., "A Broad-Coverage Challenge Corpus for
/// Sentence Understanding through Inference" (NAACL 2018); Socher et al., "Recursive Deep Models
/// for Semantic Compositionality Over a Sentiment Treebank" (EMNLP 2013); Rajpurkar et al., "SQuAD"
/// (EMNLP 2016) and "Know What You Don't Know" (ACL 2018).
pub const KNOWN_TASKS: [KnownTask; 13] = [
    KnownTask {
        name: "sst2",
        title: "SST-2",
        label_names: &["negative", "positive"],
        columns: SENTENCE,
        ..CLASSES
    },
    KnownTask {
        name: "cola",
        title: "CoLA",
        label_names: &["unacceptable", "acceptable"],
        columns: TaskColumns {
            headless: Some(&["source", "label", "mark", "sentence"]),
            ..SENTENCE
        },
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
    KnownTask {
        name: "rte",
        title: "RTE",
        labels: ENTAILMENT,
        columns: SENTENCES,
        ..CLASSES
    },
    KnownTask {
        name: "qnli",
        title: "QNLI",
        labels: ENTAILMENT,
        columns: TaskColumns {
            text: &["question"],
            pair: &["sentence"],
            ..COLUMNS
        },
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
        columns: TaskColumns {
            label: &["score", "label"],
            ..SENTENCES
        },
        metrics: &[TaskMetric::Pearson, TaskMetric::Spearman],
        ..CLASSES
    },
    KnownTask {
        name: "sst5",
        title: "SST-5",
        dataset: SST5,
        labels: &["0", "1", "2", "3", "4"],
        label_names: &[
            "very negative",
            "negative",
            "neutral",
            "positive",
            "very positive",
        ],
        columns: TaskColumns {
            text: &["sentence", "text"],
            ..COLUMNS
        },
        ..CLASSES
    },
    SQUAD,
    MNLI,
    KnownTask {
        name: "mnli_mm",
        aliases: &["mnlimismatched"],
        title: "MNLI mismatched",
        dev: &[MISMATCHED],
        ..MNLI
    },
    // The official files contain label indices.
    KnownTask {
        name: "wnli",
        title: "WNLI",
        labels: &["not_entailment", "entailment"],
        columns: SENTENCES,
        ..CLASSES
    },
    KnownTask {
        name: "squad2",
        aliases: &["squadv2", "squadv2.0", "squad2.0"],
        title: "SQuAD v2.0",
        dataset: "rajpurkar/squad_v2",
        configuration: Some("squad_v2"),
        unanswerable: Unanswerable::Allowed,
        metrics: &[
            TaskMetric::ExactMatch,
            TaskMetric::SpanF1,
            TaskMetric::HasAnswerExactMatch,
            TaskMetric::HasAnswerF1,
            TaskMetric::NoAnswerExactMatch,
            TaskMetric::NoAnswerF1,
        ],
        ..SQUAD
    },
];

const CLASSES: KnownTask = KnownTask {
    name: "",
    aliases: &[],
    title: "",
    dataset: "nyu-mll/glue",
    configuration: None,
    dev: &["dev"],
    kind: TaskKind::Classification,
    unanswerable: Unanswerable::Refused,
    labels: BINARY,
    label_names: &[],
    columns: COLUMNS,
    metrics: &[TaskMetric::Accuracy],
    max_length: 256,
};

const MNLI: KnownTask = KnownTask {
    name: "mnli",
    aliases: &["mnlim", "mnlimatched"],
    title: "MNLI",
    configuration: Some("mnli"),
    dev: &[MATCHED, MISMATCHED],
    labels: &["entailment", "neutral", "contradiction"],
    columns: TaskColumns {
        text: &["sentence1", "premise"],
        pair: &["sentence2", "hypothesis"],
        label: &["gold_label", "label"],
        ..COLUMNS
    },
    ..CLASSES
};

const SQUAD: KnownTask = KnownTask {
    name: "squad",
    aliases: &["squadv1", "squadv1.1", "squad1.1"],
    title: "SQuAD v1.1",
    dataset: "rajpurkar/squad",
    configuration: Some("plain_text"),
    kind: TaskKind::Span,
    labels: &[],
    metrics: &[TaskMetric::ExactMatch, TaskMetric::SpanF1],
    max_length: 384,
    ..CLASSES
};

impl KnownTask {
    /// Finds a task by its name or an alias, ignoring case, hyphens and underscores.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = plain(name);
        KNOWN_TASKS
            .iter()
            .find(|task| plain(task.name) == name || task.aliases.contains(&name.as_str()))
    }

    /// Returns the configuration of the dataset on the hub, which is also the folder of its files.
    pub(super) fn hub_configuration(&self) -> &'static str {
        self.configuration.unwrap_or(self.name)
    }

    /// Returns the version suffix of the official file names.
    pub(super) fn version(&self) -> Option<&'static str> {
        (self.kind == TaskKind::Span).then_some(match self.unanswerable {
            Unanswerable::Refused => "-v1.1",
            Unanswerable::Allowed => "-v2.0",
        })
    }

    /// Returns the dataset files on the hub that contain the training and validation rows.
    #[cfg(feature = "hub")]
    pub(super) fn hub_files(&self) -> Vec<String> {
        if self.dataset == SST5 {
            return vec!["train.jsonl".into(), "dev.jsonl".into()];
        }
        let file = |split: &str| {
            format!(
                "{}/{}-00000-of-00001.parquet",
                self.hub_configuration(),
                split.replacen("dev", "validation", 1)
            )
        };
        std::iter::once("train")
            .chain(self.dev.iter().copied())
            .map(file)
            .collect()
    }
}

/// Normalizes a task's name for comparison: lower case, without hyphens and underscores.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

impl TaskColumns {
    /// Returns the accepted names of each existing column: text, pair, label.
    fn names(&self) -> impl Iterator<Item = &'static [&'static str]> {
        [self.text, self.pair, self.label]
            .into_iter()
            .filter(|names| !names.is_empty())
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
            [text, pair, label] => ColumnIndices {
                text,
                pair: Some(pair),
                label,
            },
            _ => ColumnIndices {
                text: places[0],
                pair: None,
                label: places[1],
            },
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

#[cfg(test)]
mod tests;
