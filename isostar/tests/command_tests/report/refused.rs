//! Run folders and analyses that are broken.

use std::fs;
use std::path::Path;

use isostar::remedy::Remedy;
use isostar_report::{Report, ReportError};
use tempfile::TempDir;

use super::{LINE, html, run};

#[track_caller]
fn refused(folder: &Path, names: &[&str]) -> ReportError {
    let error = Report::read(&[folder.into()]).unwrap_err();
    let text = error.to_string();
    for name in names {
        assert!(text.contains(name), "{name:?} in {text}");
    }
    assert!(!error.remedy().is_empty());
    error
}

#[test]
fn broken_files_are_named_with_their_line() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    refused(&at.join("absent"), &["absent", "no such folder"]);
    refused(at, &["holds no run"]);
    let broken = |name: &str, file: &str, text: &str| {
        let path = at.join(name);
        run(&path, 0.5, 1, 0.6, "task");
        fs::write(path.join(file), text).unwrap();
        path
    };
    refused(
        &broken("toml", "config.toml", "seed = 1\nweight = = 2\n"),
        &["toml/config.toml", "line 2"],
    );
    refused(
        &broken("result", "result.json", "{\n\"task\": 3}"),
        &["result/result.json", "line 2", "string"],
    );
    refused(
        &broken("cut", "result.json", ""),
        &["cut/result.json", "line 1"],
    );
    let lines = format!("{}\n{{\"epoch\": 2}}\n", LINE.replace("ACCURACY", "0.5"));
    refused(
        &broken("lines", "metrics.jsonl", &lines),
        &["lines/metrics.jsonl", "line 2", "split"],
    );
}

#[test]
fn broken_analyses_are_named_with_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("analysis.json");
    let geometry = |more: &str| {
        format!(
            r#"{{"model":"m","rows":2,"tokens":4,"seed":1,"layers":[{{"layer":3,"tokens":{{"points":4,"dimension":2{more}}},"sentences":null}}]}}"#
        )
    };
    fs::write(&file, geometry("")).unwrap();
    assert!(
        Report::read(&[folder.path().into()]).is_ok(),
        "measures may be missing"
    );
    let nulls = r#","isoscore":null,"isoscore_interval":[0.1,null],"mean":[1.0,null],"std":null,"outlier_dimensions":[{"dimension":1,"mean":null,"std":2.0}],
        "explained_variance":{"components":1,"share":null}"#;
    fs::write(&file, geometry(nulls)).unwrap();
    assert!(
        !html(&[folder.path().into()]).contains("NaN"),
        "numbers may be null"
    );
    fs::write(&file, geometry(",\"mean\":[1.0,2.0,3.0]")).unwrap();
    refused(
        folder.path(),
        &[
            "analysis.json",
            "layer 3",
            "tokens",
            "mean has 3 numbers",
            "dimension is 2",
        ],
    );
    fs::write(
        &file,
        geometry(",\"outlier_dimensions\":[{\"dimension\":7,\"mean\":1,\"std\":1}]"),
    )
    .unwrap();
    refused(
        folder.path(),
        &["analysis.json", "layer 3", "outlier_dimensions"],
    );
    fs::write(&file, geometry(",\"twonn\":\"many\"")).unwrap();
    refused(folder.path(), &["analysis.json", "line 1", "many"]);
    fs::write(&file, b"\xff\xfe").unwrap();
    refused(folder.path(), &["analysis.json", "cannot be read"]);
    fs::write(&file, "").unwrap();
    refused(folder.path(), &["analysis.json", "line 1"]);
}

#[test]
fn a_finished_run_without_metrics_is_named() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), 0.5, 1, 0.6, "task");
    fs::remove_file(folder.path().join("metrics.jsonl")).unwrap();
    assert!(matches!(
        refused(folder.path(), &["metrics.jsonl", "missing"]),
        ReportError::Missing { .. }
    ));
}
