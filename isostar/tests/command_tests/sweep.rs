//! `isostar sweep` through the command: what is made, what is left alone, what is refused.

mod failures;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, isostar, names, succeed};

const ROWS: &str = "text\tlabel\ngood film\t1\nbad film\t0\nfine plot\t1\npoor plot\t0\nnice cast\t1\ndull cast\t0\nfun\t1\nsad\t0\nbright\t1\ngrey\t0\n";

const PLAN: &str = r#"
[settings]
task = "rows.tsv"
epochs = 2
max_length = 8

[vary]
weight = [0.0, 0.1]
seed = [1, 2]
"#;

const RUNS: [&str; 4] = [
    "rows,seed=1,weight=0.0",
    "rows,seed=1,weight=0.1",
    "rows,seed=2,weight=0.0",
    "rows,seed=2,weight=0.1",
];

fn prepared() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("rows.tsv"), ROWS).unwrap();
    fs::write(folder.path().join("plan.toml"), PLAN).unwrap();
    folder
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn modified(at: &Path, run: &str) -> std::time::SystemTime {
    fs::metadata(at.join("runs/plan").join(run).join("result.json"))
        .unwrap()
        .modified()
        .unwrap()
}

#[test]
fn a_length_that_the_plan_leaves_open_is_the_model_s_when_the_sweep_goes_on() {
    let folder = prepared();
    let at = folder.path();
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../isostar-models/tests/fixtures/bert_classes");
    let plan = |length: &str| {
        let settings = format!(
            "[settings]\nmodel = {:?}\ntask = 'rows.tsv'\nepochs = 1\n{length}",
            model.display().to_string()
        );
        fs::write(at.join("plan.toml"), settings + "[[runs]]\nname = 'one'\n").unwrap();
    };
    plan("");
    succeed(at, &["sweep", "plan.toml"]);
    let made = modified(at, "one");
    succeed(at, &["sweep", "plan.toml"]);
    assert_eq!(
        modified(at, "one"),
        made,
        "a run that is over was made again"
    );
    plan("max_length = 11\n");
    fails(
        at,
        &["sweep", "plan.toml"],
        &["max_length is 12 in the run and 11 in the plan"],
    );
}

#[test]
fn a_sweep_makes_its_runs_once_and_goes_on_where_it_was() {
    let folder = prepared();
    let at = folder.path();
    let first = succeed(at, &["sweep", "plan.toml", "--shard", "1/2", "--json"]);
    assert_eq!(
        lines(&first)
            .iter()
            .map(|line| line["run"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [RUNS[0], RUNS[2]]
    );
    assert_eq!(names(&at.join("runs/plan")), [RUNS[0], RUNS[2]]);
    let made = modified(at, RUNS[0]);

    let all = succeed(at, &["sweep", "plan.toml", "--json"]);
    let all = lines(&all);
    assert_eq!(
        all.iter()
            .map(|line| line["run"].as_str().unwrap())
            .collect::<Vec<_>>(),
        RUNS
    );
    assert_eq!(all[3]["weight"], 0.1);
    assert_eq!(all[3]["seed"], 2);
    assert_eq!(
        modified(at, RUNS[0]),
        made,
        "a run that is over was made again"
    );

    // A run is what train makes with these settings.
    let alone = succeed(
        at,
        &[
            "train",
            "--task",
            "rows.tsv",
            "--epochs",
            "2",
            "--max-length",
            "8",
            "--weight",
            "0.1",
            "--seed",
            "2",
            "--out",
            "alone",
            "--json",
        ],
    );
    let alone: Value = serde_json::from_str(&alone).unwrap();
    for key in ["metrics", "task_loss", "isoscore", "task", "layers"] {
        assert_eq!(alone[key], all[3][key], "{key}");
    }

    // One that was cut off after its last or its first epoch, or before, comes to the same end.
    let cut = at.join("runs/plan").join(RUNS[3]);
    let result = fs::read_to_string(cut.join("result.json")).unwrap();
    for epochs_left in [2, 1, 0] {
        fs::remove_file(cut.join("result.json")).unwrap();
        for snapshot in names(&cut.join("checkpoint")).split_off(epochs_left) {
            fs::remove_dir_all(cut.join("checkpoint").join(snapshot)).unwrap();
        }
        let output = isostar(at, &["sweep", "plan.toml", "--json"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.contains(&format!("run 1 of 1: {}", RUNS[3])),
            "{stderr}"
        );
        let again = lines(&String::from_utf8(output.stdout).unwrap());
        let before: Value = serde_json::from_str(&result).unwrap();
        for key in ["metrics", "task_loss", "isoscore"] {
            assert_eq!(
                again[3][key], before[key],
                "{epochs_left} epochs left: {key}"
            );
        }
    }
}

const FOUR: &str = r#"
[settings]
task = "rows.tsv"
epochs = 2
max_length = 8
batch_size = 4

[[runs]]
name = "one"

[[runs]]
name = "wild"
learning_rate = 1e6

[[runs]]
name = "killed"
seed = 2

[[runs]]
name = "four"
seed = 3
"#;

#[test]
fn a_sweep_with_a_run_that_diverged_and_one_that_was_killed_comes_to_its_end() {
    let folder = prepared();
    let at = folder.path();
    fs::write(at.join("plan.toml"), FOUR).unwrap();
    isostar(at, &["sweep", "plan.toml"]);
    let result = |run: &str| at.join("runs/plan").join(run).join("result.json");
    let read = |run: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(result(run)).unwrap()).unwrap()
    };
    // After its last checkpoint and before its result.
    let killed = read("killed");
    fs::remove_file(result("killed")).unwrap();
    fs::remove_file(result("four")).unwrap();
    fs::remove_dir_all(at.join("runs/plan/four/checkpoint")).unwrap();
    let wild = fs::read(result("wild")).unwrap();

    for start in ["second", "third"] {
        let output = isostar(at, &["sweep", "plan.toml"]);
        let (table, stderr) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(output.status.code(), Some(3), "{start}: {stderr}");
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 5, "{table}");
        let diverged = format!(
            "in step {} of epoch {}",
            read("wild")["stopped"]["step"],
            read("wild")["stopped"]["epoch"]
        );
        assert!(
            rows[2].starts_with("wild ")
                && rows[2].contains(" diverged ")
                && rows[2].contains(&diverged),
            "{table}"
        );
        for row in [1, 3, 4] {
            assert!(rows[row].contains("  done      accuracy "), "{table}");
        }
        let lines: Vec<&str> = stderr.lines().rev().take(2).collect();
        assert!(
            lines[1].starts_with("error: 1 of 4 runs diverged; runs/plan/wild: ")
                && lines[0].contains("remove runs/plan/wild"),
            "{stderr}"
        );
        assert_eq!(
            fs::read(result("wild")).unwrap(),
            wild,
            "{start}: a run that diverged was made again"
        );
        assert_eq!(
            read("killed"),
            killed,
            "{start}: a run that was killed after its last epoch has the result it would have had"
        );
    }

    let printed = isostar(at, &["sweep", "plan.toml", "--json"]);
    let printed = lines(&String::from_utf8(printed.stdout).unwrap());
    assert_eq!(
        printed
            .iter()
            .map(|line| line.get("stopped").is_some())
            .collect::<Vec<_>>(),
        [false, true, false, false]
    );
    assert_eq!(
        printed
            .iter()
            .map(|line| line["state"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["done", "diverged", "done", "done"]
    );
    let listed = lines(&succeed(at, &["runs", "--json"]));
    let states = listed.iter().map(|line| {
        let [run, state] = ["run", "state"].map(|key| line[key].as_str().unwrap());
        (run, state)
    });
    assert_eq!(
        states.collect::<Vec<_>>(),
        [
            ("plan/four", "done"),
            ("plan/killed", "done"),
            ("plan/one", "done"),
            ("plan/wild", "diverged")
        ]
    );
    succeed(at, &["report", "runs/plan"]);
    let page = fs::read_to_string(at.join("runs/plan/report.html")).unwrap();
    assert!(
        page.contains("Diverged: wild (task loss not finite in step "),
        "{page}"
    );
}

#[test]
fn results_of_earlier_versions_with_numbers_that_are_null_do_not_stop_a_sweep() {
    let folder = prepared();
    let at = folder.path();
    succeed(at, &["sweep", "plan.toml", "--shard", "1/4"]);
    let file = at.join("runs/plan").join(RUNS[0]).join("result.json");
    let mut result: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    result["tokens_per_second"] = Value::Null;
    fs::write(&file, result.to_string()).unwrap();
    succeed(at, &["sweep", "plan.toml", "--shard", "1/4"]);
    // Such a version went on with a loss that was not finite.
    result["task_loss"] = Value::Null;
    fs::write(&file, result.to_string()).unwrap();
    let output = isostar(at, &["sweep", "plan.toml", "--shard", "1/4"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("  diverged  in epoch 2"));
}

#[test]
fn a_table_says_what_came_out() {
    let folder = prepared();
    let table = succeed(
        folder.path(),
        &["sweep", "plan.toml", "--out", "made", "--shard", "4/4"],
    );
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["run", "state", "scores", "IsoScore", "seconds"]);
    assert_eq!(
        (rows.len(), &rows[1][..3]),
        (2, &[RUNS[3], "done", "accuracy"][..])
    );
    let [.., isoscore, seconds] = rows[1][..] else {
        panic!("{table}")
    };
    assert!(
        (0.0..=1.0).contains(&isoscore.parse::<f64>().unwrap())
            && seconds.parse::<f64>().unwrap() >= 0.0,
        "{table}"
    );
    let page = succeed(folder.path(), &["report", "made"]);
    assert_eq!(page.trim(), "made/report.html");
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is() {
    let folder = prepared();
    let at = folder.path();
    fails(at, &["sweep", "none.toml"], &["none.toml"]);
    fails(
        at,
        &["sweep", "plan.toml", "--shard", "5/4"],
        &["invalid shard \"5/4\""],
    );
    fs::write(at.join("wrong.toml"), "[settings]\nepoch = 3\n").unwrap();
    fails(
        at,
        &["sweep", "wrong.toml"],
        &["wrong.toml", "run \"run1\"", "unknown field `epoch`"],
    );
    fs::write(at.join("range.toml"), "[vary]\nshrinkage = [0.5, 1.5]\n").unwrap();
    fails(
        at,
        &["sweep", "range.toml"],
        &["range.toml", "run1,shrinkage=1.5"],
    );

    succeed(at, &["sweep", "plan.toml", "--shard", "1/4"]);
    fs::write(
        at.join("plan.toml"),
        PLAN.replace("epochs = 2", "epochs = 3"),
    )
    .unwrap();
    fails(
        at,
        &["sweep", "plan.toml"],
        &[
            RUNS[0],
            "holds a run with other settings: epochs is 2 in the run and 3 in the plan",
        ],
    );
    fs::create_dir_all(at.join("other").join(RUNS[1])).unwrap();
    fs::write(at.join("other").join(RUNS[1]).join("notes.txt"), "mine").unwrap();
    fails(
        at,
        &["sweep", "plan.toml", "--out", "other"],
        &[RUNS[1], "is not empty"],
    );
}
