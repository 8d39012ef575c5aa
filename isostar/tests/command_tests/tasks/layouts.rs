//! Reading rows from every layout, official and of the hub.

use isostar::remedy::Remedy;
use std::fs;

use isostar_train::data::{Columns, GoldAnswer};
use isostar_train::progress::Silent;
use isostar_train::task::{KNOWN_TASKS, Task, TaskError, TaskKind, TaskMetric, TaskSource};
use tempfile::TempDir;

use super::fixtures::{folder, parts, read};

#[test]
fn the_irregularities_of_the_official_files_are_handled() {
    let rows = |name: &str| read(name, &folder(name)).unwrap().splits;
    let sst2 = rows("sst2");
    assert_eq!(
        parts(&sst2.train.rows),
        [
            ("hides nothing from the patient viewer ", None, "0"),
            ("a \"quiet marvel ", None, "1")
        ],
        "spaces and quotation marks are part of the text"
    );
    let cola = rows("cola");
    assert_eq!(
        parts(&cola.dev.rows)[0],
        ("Who did you wonder whether slept?", None, "0"),
        "CoLA has no header"
    );
    assert_eq!(cola.train.rows[2].text, "\"Go, she said.");
    let mrpc = rows("mrpc");
    assert_eq!(
        parts(&mrpc.train.rows),
        [
            (
                "\"We won, he said.",
                Some("He said that they had won."),
                "1"
            ),
            (
                "Prices rose by 3 percent.",
                Some("The mayor called it \"a day like any other\"."),
                "0"
            ),
        ]
    );
    assert_eq!(
        mrpc.dev.rows[0].pair.as_deref(),
        Some("The bridge, \"closed since May, stays closed.")
    );
    assert_eq!(
        parts(&rows("rte").train.rows)[1],
        (
            "The mill burned down in 1903.",
            Some("The mill stands."),
            "not_entailment"
        )
    );
    assert_eq!(
        parts(&rows("qnli").dev.rows),
        [("Who has the boat?", Some("Anna sold it."), "not_entailment")]
    );
    let qqp = rows("qqp");
    assert_eq!(
        parts(&qqp.train.rows),
        [
            ("How do I boil an egg?", Some("How are eggs boiled?"), "1"),
            ("What is \"quorum?", Some("Where is Rome?"), "0")
        ],
        "a row split over two lines is skipped"
    );
    assert_eq!(qqp.train.rows[1].line, 5);
    assert_eq!(
        parts(&rows("stsb").train.rows)[2],
        ("Prices rose.", Some("They rose."), "2.5")
    );
    let sst5 = rows("sst5");
    assert_eq!(
        parts(&sst5.train.rows),
        [
            ("A lovely little film", None, "4"),
            ("( half 1/2 ) unbearable", None, "0"),
            ("It 's *there* .", None, "2")
        ]
    );
    assert_eq!(sst5.dev.rows.len(), 2);
    assert_eq!(
        parts(&rows("wnli").train.rows)[0],
        (
            "The cup did not fit in the box because it was too big.",
            Some("The cup was too big."),
            "entailment"
        ),
        "1 is entailment here, and 0 elsewhere"
    );
}

#[test]
fn the_matched_validation_set_of_mnli_is_the_first_of_two() {
    let task = read("mnli", &folder("mnli")).unwrap();
    assert_eq!(
        task.labels.names(),
        ["entailment", "neutral", "contradiction"]
    );
    assert_eq!(
        parts(&task.splits.train.rows)[1],
        (
            "The report \"was filed late.",
            Some("Nobody filed a report."),
            "contradiction"
        )
    );
    assert_eq!(
        parts(&task.splits.dev.rows)[0],
        (
            "The path follows the river.",
            Some("There is a path."),
            "entailment"
        )
    );
    assert_eq!(
        task.split("dev").unwrap().path,
        folder("mnli/dev_matched.tsv")
    );
    assert_eq!(task.split("dev_mismatched").unwrap().rows.len(), 3);

    let mismatched = read("MNLI-mm", &folder("mnli")).unwrap();
    assert_eq!(
        parts(&mismatched.splits.dev.rows),
        parts(&task.split("dev_mismatched").unwrap().rows)
    );
    assert!(mismatched.further.is_empty());
    let error = mismatched.split("dev_mismatched").unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.remedy().as_str()),
        (
            "the task mnli_mm has no split dev_mismatched",
            "name one of train, dev"
        )
    );
}

#[test]
fn a_model_trained_with_another_label_order_is_evaluated_in_that_order() {
    let labels = |learned: &[&str]| {
        let learned = learned.iter().map(|name| name.to_string()).collect();
        read("mnli", &folder("mnli"))
            .unwrap()
            .labels_of(learned, &Silent)
            .map(|labels| labels.names().to_vec())
    };
    assert_eq!(
        labels(&["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]).unwrap(),
        ["contradiction", "neutral", "entailment"]
    );
    let own = ["entailment", "neutral", "contradiction"];
    assert_eq!(labels(&own).unwrap(), own);
    assert_eq!(labels(&["LABEL_0", "LABEL_1", "LABEL_2"]).unwrap(), own);
    assert!(matches!(
        labels(&["a", "b"]),
        Err(TaskError::Outputs {
            expected: 3,
            found: 2,
            ..
        })
    ));
}

#[test]
fn only_squad_v2_allows_questions_without_an_answer() {
    let task = read("squad_v2", &folder("squad2")).unwrap();
    assert_eq!(task.name, "squad2");
    let answers = task.questions.each_ref().map(|questions| {
        questions
            .iter()
            .map(|question| question.answers.len())
            .collect::<Vec<_>>()
    });
    assert_eq!(answers, [vec![1, 0, 1, 0], vec![3, 0, 2]]);

    let copy = TempDir::new().unwrap();
    for split in ["train", "dev"] {
        fs::copy(
            folder("squad2").join(format!("{split}-v2.0.json")),
            copy.path().join(format!("{split}-v1.1.json")),
        )
        .unwrap();
    }
    let error = read("squad", copy.path()).unwrap_err();
    assert!(
        error.to_string().contains("question \"b2\" has no answer")
            && error.remedy().contains("squad2"),
        "{error}"
    );
    // A v1.1 file is a v2.0 file in which every question has an answer.
    for split in ["train", "dev"] {
        fs::copy(
            folder("squad").join(format!("{split}-v1.1.json")),
            copy.path().join(format!("{split}-v2.0.json")),
        )
        .unwrap();
    }
    assert_eq!(
        read("squad2", copy.path()).unwrap().questions,
        read("squad", &folder("squad")).unwrap().questions
    );
}

#[test]
fn questions_keep_all_their_answers() {
    let task = read("squad", &folder("squad")).unwrap();
    assert_eq!(task.kind, TaskKind::Span);
    assert_eq!(task.splits.train.rows[0].text, "Where does the Aare rise?");
    let [train, dev] = &task.questions;
    assert_eq!((train.len(), dev.len()), (3, 2));
    assert_eq!(
        train[1].answers,
        [GoldAnswer {
            text: "Zoë Müller".into(),
            start: 82
        }]
    );
    assert_eq!(train[0].majority().unwrap().text, "Bernese Alps");
    assert!(
        dev[1]
            .answers
            .iter()
            .any(|answer| answer.text == "burned down")
    );
}

#[test]
fn the_columns_and_integer_labels_of_the_hub_are_understood() {
    let hub = |name: &str, line: &str| -> Task {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("train.jsonl"), format!("{line}\n")).unwrap();
        for dev in ["validation", "validation_matched", "validation_mismatched"] {
            fs::write(
                folder.path().join(dev).with_extension("jsonl"),
                format!("{line}\n"),
            )
            .unwrap();
        }
        read(name, folder.path()).unwrap()
    };
    for (name, line, expected) in [
        (
            "sst2",
            r#"{"idx": 0, "sentence": "a", "label": 1}"#,
            ("a", None, "1"),
        ),
        (
            "cola",
            r#"{"sentence": "a", "label": 0, "idx": 3}"#,
            ("a", None, "0"),
        ),
        (
            "mrpc",
            r#"{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}"#,
            ("a", Some("b"), "1"),
        ),
        (
            "rte",
            r#"{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}"#,
            ("a", Some("b"), "not_entailment"),
        ),
        (
            "qnli",
            r#"{"question": "a", "sentence": "b", "label": 0, "idx": 0}"#,
            ("a", Some("b"), "entailment"),
        ),
        (
            "qqp",
            r#"{"question1": "a", "question2": "b", "label": 1, "idx": 0}"#,
            ("a", Some("b"), "1"),
        ),
        (
            "stsb",
            r#"{"sentence1": "a", "sentence2": "b", "label": 4.2, "idx": 0}"#,
            ("a", Some("b"), "4.2"),
        ),
        (
            "mnli",
            r#"{"premise": "a", "hypothesis": "b", "label": 2, "idx": 0}"#,
            ("a", Some("b"), "contradiction"),
        ),
        (
            "wnli",
            r#"{"sentence1": "a", "sentence2": "b", "label": 1, "idx": 0}"#,
            ("a", Some("b"), "entailment"),
        ),
        (
            "sst5",
            r#"{"text": "a", "label": 3, "label_text": "positive"}"#,
            ("a", None, "3"),
        ),
    ] {
        let task = hub(name, line);
        assert_eq!(parts(&task.splits.dev.rows), [expected], "{name}");
    }
    let line = r#"{"id": "q1", "title": "T", "context": "a b", "question": "?", "answers": {"text": ["b"], "answer_start": [2]}}"#;
    assert_eq!(hub("squad", line).questions[1][0].id, "q1");
}

#[test]
fn the_limit_applies_to_questions_together_with_their_answers() {
    let folder = folder("squad");
    let source = TaskSource {
        name: Some("squad"),
        folder: Some(&folder),
        limit: Some(2),
        ..TaskSource::default()
    };
    let task = Task::read(source, &Silent).unwrap();
    assert_eq!(
        (
            task.splits.train.rows.len(),
            task.questions[0].len(),
            task.questions[1].len()
        ),
        (2, 2, 2)
    );
}

#[test]
fn tasks_have_their_official_metrics() {
    use TaskMetric::{
        Accuracy, ExactMatch, F1, HasAnswerExactMatch, HasAnswerF1, Matthews, NoAnswerExactMatch,
        NoAnswerF1, Pearson, SpanF1, Spearman,
    };
    let found: Vec<_> = KNOWN_TASKS
        .iter()
        .map(|task| (task.name, task.metrics, task.max_length))
        .collect();
    let expected: [(&str, &[TaskMetric], usize); 13] = [
        ("sst2", &[Accuracy], 256),
        ("cola", &[Matthews], 256),
        ("mrpc", &[Accuracy, F1], 256),
        ("rte", &[Accuracy], 256),
        ("qnli", &[Accuracy], 256),
        ("qqp", &[Accuracy, F1], 256),
        ("stsb", &[Pearson, Spearman], 256),
        ("sst5", &[Accuracy], 256),
        ("squad", &[ExactMatch, SpanF1], 384),
        ("mnli", &[Accuracy], 256),
        ("mnli_mm", &[Accuracy], 256),
        ("wnli", &[Accuracy], 256),
        (
            "squad2",
            &[
                ExactMatch,
                SpanF1,
                HasAnswerExactMatch,
                HasAnswerF1,
                NoAnswerExactMatch,
                NoAnswerF1,
            ],
            384,
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn custom_columns_replace_those_of_the_task() {
    let folder = TempDir::new().unwrap();
    for name in ["train.csv", "dev.csv"] {
        fs::write(folder.path().join(name), "review,stars\nfine,4\n").unwrap();
    }
    let columns = Columns {
        text: Some("review".into()),
        label: Some("stars".into()),
        ..Columns::default()
    };
    let source = TaskSource {
        name: Some("sst5"),
        folder: Some(folder.path()),
        columns,
        ..TaskSource::default()
    };
    let task = Task::read(source, &Silent).unwrap();
    assert_eq!(parts(&task.splits.train.rows), [("fine", None, "4")]);
}
