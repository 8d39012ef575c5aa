//! What has no data, and runs that are not over, older than a setting, or diverged.

use std::fs;

use isostar_report::Report;
use tempfile::TempDir;

use super::{fixture, html, ids, run};

#[test]
fn what_has_no_data_is_left_out_and_the_page_says_what_would_produce_it() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), 0.5, 1, 0.6, "task");
    let alone = Report::read(&[folder.path().into()]).unwrap();
    assert_eq!(
        ids(&alone),
        [
            "training-loss",
            "training-metric",
            "training-isoscore",
            "layers-runs"
        ]
    );
    let html = alone.html();
    assert!(
        html.contains("Not shown")
            && html.contains("<code>isostar analyze</code>")
            && html.contains("<code>weight</code>")
    );

    let analysis = Report::read(&[fixture("analysis")]).unwrap();
    assert!(
        ids(&analysis)
            .iter()
            .all(|id| !id.starts_with("training") && id != "tradeoff")
    );
    assert!(analysis.html().contains("Training curves: needs"));
}

#[test]
fn runs_that_are_not_over_and_numbers_that_are_none_are_shown_as_such() {
    let folder = TempDir::new().unwrap();
    run(&folder.path().join("a"), 0.5, 1, 0.6, "task");
    run(&folder.path().join("b"), 0.1, 1, 0.6, "task");
    let diverged = fs::read_to_string(folder.path().join("a/result.json")).unwrap();
    let diverged = diverged
        .replace("\"task_loss\":0.5", "\"task_loss\":null")
        .replace("\"all\":0.2", "\"all\":null");
    fs::write(folder.path().join("a/result.json"), diverged).unwrap();
    fs::remove_file(folder.path().join("b/result.json")).unwrap();
    let html = html(&[folder.path().into()]);
    assert!(html.contains("Not over: b.") && !html.contains("NaN"));

    fs::remove_file(folder.path().join("b/metrics.jsonl")).unwrap();
    assert!(
        Report::read(&[folder.path().join("b")]).is_ok(),
        "a run that has just begun"
    );
}

#[test]
fn runs_from_before_a_setting_could_be_named_are_grouped_with_those_that_name_its_value() {
    let folder = TempDir::new().unwrap();
    for (seed, optimizer) in [
        (1, "weight_decay = 0.01\n"),
        (2, "weight_decay = 0.01\nadam_epsilon = 1e-8\n"),
    ] {
        let at = folder.path().join(format!("run-{seed}"));
        run(&at, 0.5, seed, 0.6, "task");
        let config = fs::read_to_string(at.join("config.toml")).unwrap();
        fs::write(at.join("config.toml"), config + optimizer).unwrap();
    }
    assert!(html(&[folder.path().into()]).contains("<td>1, 2</td>"));
}

#[test]
fn a_run_that_diverged_is_shown_as_such_and_is_in_no_mean() {
    let folder = TempDir::new().unwrap();
    for seed in [1, 2, 3] {
        run(
            &folder.path().join(format!("run-{seed}")),
            0.5,
            seed,
            0.6,
            "task",
        );
    }
    let file = folder.path().join("run-2/result.json");
    let written = fs::read_to_string(&file).unwrap();
    let numbers = [
        "\"accuracy\":0.6",
        "\"task_loss\":0.5",
        "\"all\":0.2",
        "\"tokens_per_second\":100.0",
    ];
    let diverged = numbers.iter().fold(written.clone(), |text, number| {
        text.replace(
            number,
            &format!("{}null", number.trim_end_matches(|letter| letter != ':')),
        )
    });
    let stopped = r#""seconds":9000.0,"stopped":{"cause":"task_loss","epoch":1,"step":7,"rows":[3,1],"task_losses":[0.7],"penalties":[]}"#;
    fs::write(&file, diverged.replace("\"seconds\":1.0", stopped)).unwrap();
    let page = html(&[folder.path().into()]);
    for text in [
        "Diverged: run-2 (task loss not finite in step 7 of epoch 1).",
        "2, 1 diverged",
        "<td>1.0</td>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("NaN") && !page.contains("Not over"));

    // A result of an earlier version, which did not stop.
    fs::write(
        &file,
        written.replace("\"task_loss\":0.5", "\"task_loss\":null"),
    )
    .unwrap();
    assert!(html(&[folder.path().into()]).contains("Diverged: run-2 (task loss not finite)."));
}
