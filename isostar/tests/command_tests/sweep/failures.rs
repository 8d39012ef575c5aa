//! Runs that fail, and files that are damaged.

use std::fs;

use super::{PLAN, RUNS, lines, prepared};
use crate::command::{isostar, succeed};

#[test]
fn one_run_that_fails_leaves_the_others_alone() {
    let folder = prepared();
    let at = folder.path();
    fs::write(
        at.join("plan.toml"),
        format!("{PLAN}[[runs]]\nname = 'a'\ntask = 'none.tsv'\n[[runs]]\nname = 'b'\n"),
    )
    .unwrap();
    let output = isostar(at, &["sweep", "plan.toml", "--shard", "3/4", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let made = lines(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(
        made.iter()
            .map(|line| line["run"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["b,seed=2,weight=0.0"]
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains(
            "error: 1 of 2 runs failed; \"a,seed=2,weight=0.0\": none.tsv: no such file or folder"
        ),
        "{stderr}"
    );
}

#[test]
fn a_run_that_fails_ends_the_sweep_only_if_it_is_asked_to() {
    let folder = prepared();
    let at = folder.path();
    let plan = "[settings]\nepochs = 1\nmax_length = 8\n[[runs]]\nname = 'a'\ntask = 'none.tsv'\n\
        [[runs]]\nname = 'b'\ntask = 'rows.tsv'\n";
    fs::write(at.join("plan.toml"), plan).unwrap();
    for (flags, b) in [(&["--fail-fast"][..], "not made"), (&[], "done")] {
        let output = isostar(at, &[&["sweep", "plan.toml"], flags].concat());
        assert_eq!(output.status.code(), Some(1));
        let table = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<&str> = table.lines().collect();
        assert!(
            rows.len() == 3
                && rows[1].starts_with("a    failed  ")
                && rows[1].contains("  none.tsv: no such file or folder")
                && rows[2].starts_with(&format!("b    {b}")),
            "{table}"
        );
    }
}

#[test]
fn damaged_files_of_a_run_do_not_stop_its_sweep() {
    let folder = prepared();
    let at = folder.path();
    let sweep = ["sweep", "plan.toml", "--shard", "1/2", "--json"];
    let made = succeed(at, &sweep);
    let run = at.join("runs/plan").join(RUNS[0]);
    fs::write(run.join("config.toml"), "epochs = ").unwrap();
    fs::write(run.join("result.json"), "{").unwrap();
    let output = isostar(at, &sweep);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    for named in [
        "config.toml: ",
        "; the settings are those of the plan",
        "result.json is damaged: it has 1 bytes",
        "; it is made anew",
    ] {
        assert!(stderr.contains(named), "{named:?} in {stderr}");
    }
    let (made, again) = (
        lines(&made),
        lines(&String::from_utf8(output.stdout).unwrap()),
    );
    for key in ["run", "metrics", "task_loss", "isoscore"] {
        assert_eq!(again[0][key], made[0][key], "{key}");
    }
}
