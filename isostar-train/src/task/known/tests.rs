use super::*;

#[test]
fn case_hyphens_and_underscores_do_not_count_in_a_name() {
    for (asked, name) in [
        ("sst2", "sst2"),
        ("SST-2", "sst2"),
        ("sst_2", "sst2"),
        ("STS-B", "stsb"),
        ("sts-b", "stsb"),
        ("CoLA", "cola"),
        ("SST-5", "sst5"),
        ("SQuAD", "squad"),
        ("squad_v1.1", "squad"),
        ("squad_v2", "squad2"),
        ("SQuAD-v2.0", "squad2"),
        ("MNLI", "mnli"),
        ("MNLI-mm", "mnli_mm"),
        ("mnli_mismatched", "mnli_mm"),
        ("WNLI", "wnli"),
    ] {
        assert_eq!(
            KnownTask::named(asked).map(|task| task.name),
            Some(name),
            "{asked}"
        );
    }
    for asked in ["", "sst", "sst 2", "sst2.tsv", "glue/sst2", "squad3", "-"] {
        assert_eq!(KnownTask::named(asked), None, "{asked}");
    }
}

#[test]
fn every_name_means_one_task() {
    let names = KNOWN_TASKS.iter().flat_map(|task| {
        std::iter::once(plain(task.name)).chain(task.aliases.iter().map(|name| name.to_string()))
    });
    let mut names: Vec<String> = names.collect();
    assert!(
        names.iter().all(|name| *name == plain(name)),
        "aliases are not normalized"
    );
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_default_task_is_recognized_in_every_spelling() {
    assert!(
        ["headlines", "Headlines", "SST-2"]
            .into_iter()
            .all(crate::task::is_named)
    );
    assert!(
        !["headlines.csv", "rows", ""]
            .into_iter()
            .any(crate::task::is_named)
    );
}

#[cfg(feature = "hub")]
#[test]
fn the_files_on_the_hub_are_those_of_the_task_s_configuration() {
    let found: Vec<_> = KNOWN_TASKS
        .iter()
        .map(|task| (task.dataset, task.hub_files()))
        .collect();
    let parquet = |folder: &str, splits: &[&str]| -> Vec<String> {
        splits
            .iter()
            .map(|split| format!("{folder}/{split}-00000-of-00001.parquet"))
            .collect()
    };
    let both = ["train", "validation"];
    let glue = ["sst2", "cola", "mrpc", "rte", "qnli", "qqp", "stsb"]
        .map(|name| ("nyu-mll/glue", parquet(name, &both)));
    let others = [
        (
            "SetFit/sst5",
            vec!["train.jsonl".into(), "dev.jsonl".into()],
        ),
        ("rajpurkar/squad", parquet("plain_text", &both)),
        (
            "nyu-mll/glue",
            parquet(
                "mnli",
                &["train", "validation_matched", "validation_mismatched"],
            ),
        ),
        (
            "nyu-mll/glue",
            parquet("mnli", &["train", "validation_mismatched"]),
        ),
        ("nyu-mll/glue", parquet("wnli", &both)),
        ("rajpurkar/squad_v2", parquet("squad_v2", &both)),
    ];
    assert_eq!(found, glue.into_iter().chain(others).collect::<Vec<_>>());
}
