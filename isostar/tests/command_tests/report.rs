//! `isostar report`: what is on the page, what it makes of names and numbers from files, and what it says of files that are broken.

mod incomplete;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use isostar_core::measure::{MEASURES, Measure};
use isostar_report::Report;
use tempfile::TempDir;

const CONFIG: &str = "model = \"scratch\"\nregularizer = \"istar\"\nweight = WEIGHT\nepochs = 1\nseed = SEED\ndevice = \"flex\"\n";
const LINE: &str = r#"{"epoch":1,"split":"valid","rows":100,"metrics":{"accuracy":ACCURACY,"task_loss":0.5,"isoscore":0.2},"seconds":1.0}"#;
const RESULT: &str = r#"{"task":"TASK","model":"scratch","regularizer":"istar","weight":WEIGHT,"shrinkage":0.2,"layers":"all","seed":SEED,"epochs":1,
"device":"flex","metrics":{"accuracy":ACCURACY},"task_loss":0.5,"isoscore":{"all":0.2,"layers":[0.3,0.1]},"seconds":1.0,"calibration_seconds":0.1,
"tokens_per_second":100.0}"#;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/report")
        .join(name)
}

/// A finished run with these numbers.
fn run(folder: &Path, weight: f64, seed: u64, accuracy: f64, task: &str) {
    fs::create_dir_all(folder).unwrap();
    let fill = |text: &str| {
        let text = text
            .replace("WEIGHT", &format!("{weight:?}"))
            .replace("SEED", &seed.to_string());
        text.replace("ACCURACY", &accuracy.to_string())
            .replace("TASK", task)
    };
    for (name, text) in [
        ("config.toml", CONFIG),
        ("metrics.jsonl", LINE),
        ("result.json", RESULT),
    ] {
        fs::write(folder.join(name), fill(text)).unwrap();
    }
}

fn html(folders: &[PathBuf]) -> String {
    Report::read(folders).unwrap().html()
}

fn ids(report: &Report) -> Vec<String> {
    report
        .figures()
        .shown
        .into_iter()
        .map(|figure| figure.id)
        .collect()
}

#[test]
fn runs_and_analyses_give_every_figure_in_reading_order() {
    let folders = [fixture("sweep"), fixture("analysis")];
    let report = Report::read(&folders).unwrap();
    let expected = [
        "tradeoff",
        "training-loss",
        "training-metric",
        "training-isoscore",
        "training-penalty",
        "layers-runs",
        "layers-tokens",
        "layers-sentences",
        "spectrum-tokens-1",
        "spectrum-sentences-1",
        "spectrum-tokens-2",
        "spectrum-sentences-2",
        "activation-1",
        "activation-2",
        "dimension-tokens",
        "dimension-sentences",
    ];
    assert_eq!(ids(&report), expected);
    assert!(report.figures().missing.is_empty());

    let html = report.html();
    let headings = [
        "What was run",
        "What came out",
        "How sure we are",
        "Figures",
        "Settings",
    ];
    let places: Vec<usize> = headings
        .iter()
        .map(|heading| html.find(&format!("<h2>{heading}</h2>")).expect(heading))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    for id in expected {
        assert_eq!(
            html.matches(&format!("<figure id=\"{id}\">")).count(),
            1,
            "{id}"
        );
    }
    assert!(!html.contains("<h3 style=\"margin-top:36px\">Not shown"));
    assert_eq!(
        html,
        self::html(&folders),
        "the same files give the same bytes"
    );
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let html = html(&[fixture("sweep"), fixture("analysis")]);
    assert!(html.contains("Content-Security-Policy\" content=\"default-src 'none'"));
    for forbidden in [
        "<script", "<img", "<link", "<iframe", " src=", " href=", "http:", "https:", "url(",
        "@import", "onload", "onclick",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("prefers-color-scheme:dark"));
}

#[test]
fn files_of_figures_are_well_formed_and_describe_themselves() {
    let folder = TempDir::new().unwrap();
    let report = Report::read(&[fixture("sweep"), fixture("analysis")]).unwrap();
    let written = report
        .write_figures(&folder.path().join("deep/figures"))
        .unwrap();
    assert_eq!(written.len(), report.figures().shown.len());
    for path in written {
        let text = fs::read_to_string(&path).unwrap();
        let document = roxmltree::Document::parse(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let root = document.root_element();
        assert_eq!(
            (root.tag_name().name(), root.attribute("role")),
            ("svg", Some("img"))
        );
        for part in ["title", "desc"] {
            let node = root
                .children()
                .find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", part)))
                .unwrap();
            assert!(
                !node.text().unwrap().is_empty(),
                "{part} of {}",
                path.display()
            );
        }
        assert!(
            root.children()
                .any(|node| node.attribute("class") == Some("ground")),
            "{} has no background",
            path.display()
        );
        assert!(
            !text.contains("var(--"),
            "{} has colours of the page",
            path.display()
        );
        assert!(
            !text.contains("NaN") && !text.contains("inf"),
            "{} has numbers that are none",
            path.display()
        );
    }
}

#[test]
fn spread_over_seeds_and_the_binomial_error_are_those_of_the_textbook() {
    let folder = TempDir::new().unwrap();
    for (seed, accuracy) in [(1, 0.6), (2, 0.7), (3, 0.8)] {
        run(
            &folder.path().join(format!("run-{seed}")),
            0.5,
            seed,
            accuracy,
            "task",
        );
    }
    // Standard error 0.1/√3; binomial √(0.7 · 0.3/100).
    let html = html(&[folder.path().into()]);
    for text in [
        "0.700<span class=\"range\"> ± 0.058</span>",
        "0.600 – 0.800",
        "± 0.046",
        "1, 2, 3",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn names_from_files_are_text_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let evil = "<script>alert(1)</script>\\\" onload=\\\"x\\u0000\\u001b&amp;";
    run(&folder.path().join("<b>run"), 0.5, 1, 0.6, evil);
    run(&folder.path().join("other"), 0.1, 1, 0.7, evil);
    let analysis = fs::read_to_string(fixture("analysis/analysis.json")).unwrap();
    let start = analysis.find("\"model\":\"").unwrap() + 9;
    let end = start + analysis[start..].find('"').unwrap();
    let analysis = format!("{}{evil}{}", &analysis[..start], &analysis[end..]);
    fs::write(folder.path().join("other/analysis.json"), analysis).unwrap();

    let report = Report::read(&[folder.path().into()]).unwrap();
    let html = report.html();
    assert!(html.contains("&lt;script&gt;alert(1)"));
    assert!(!html.contains("<script") && !html.contains("<b>run") && !html.contains("\" onload"));
    assert!(
        !html
            .chars()
            .any(|letter| letter.is_control() && letter != '\n')
    );
    for figure in report.figures().shown {
        let svg = figure.file().unwrap();
        roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{}: {error}", figure.id));
        assert!(!svg.contains("<script"));
    }
}

#[test]
fn every_measure_of_the_table_is_on_the_page_and_in_the_comparison() {
    let folder = TempDir::new().unwrap();
    // Values that differ between measures and between models, of which JSON holds some as more than one number.
    let layer = |offset: usize| {
        let value = |(at, measure): (usize, &Measure)| match measure.name {
            "explained_variance" => format!(
                r#""{}":{{"components":{},"share":0.9}}"#,
                measure.name,
                11 + offset
            ),
            "outlier_dimensions" => {
                format!(r#""{}":[{{"dimension":1,"mean":1,"std":1}}]"#, measure.name)
            }
            name => format!(r#""{name}":{}"#, 2 * at + 20 + offset),
        };
        let values: Vec<String> = MEASURES.iter().enumerate().map(value).collect();
        format!(
            r#"{{"layer":0,"tokens":{{"points":4,"dimension":2,{}}},"sentences":null}}"#,
            values.join(",")
        )
    };
    let model = |name: &str, layer: &str, more: &str| {
        format!(r#"{{"model":"{name}","rows":2,"tokens":4,"seed":1,"layers":[{layer}]{more}}}"#)
    };
    let against = format!(r#","against":{}"#, model("second", &layer(1), ""));
    fs::write(
        folder.path().join("analysis.json"),
        model("first", &layer(0), &against),
    )
    .unwrap();
    let html = html(&[folder.path().into()]);
    for (at, measure) in MEASURES.iter().enumerate() {
        assert_eq!(
            html.matches(&format!("<th scope=\"col\">{}</th>", measure.title))
                .count(),
            3,
            "{}: two models and a comparison",
            measure.name
        );
        let shown = |value: usize| {
            if measure.digits == 4 {
                format!("<td>{value}.00</td>")
            } else {
                format!("<td>{value}.{:0<1$}</td>", "", measure.digits)
            }
        };
        if measure.digits > 0 {
            assert!(
                html.contains(&shown(2 * at + 20)) && html.contains(&shown(2 * at + 21)),
                "{}",
                measure.name
            );
        }
    }
    assert!(
        html.contains("<td>11</td>")
            && html.contains("<td>12</td>")
            && html.contains("<td>+1.000</td>")
    );
}

fn isostar(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isostar"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_command_prints_the_path_and_leaves_nothing_else_behind() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    run(&at.join("runs/a"), 0.5, 1, 0.6, "task");
    run(&at.join("runs/b"), 0.1, 1, 0.6, "task");
    let printed = |arguments: &[&str]| {
        let output = isostar(at, arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(printed(&["report", "runs"]), "runs/report.html\n");
    assert_eq!(
        printed(&["report", "runs/a", "runs/b", "--figures", "svg"]),
        "report.html\n"
    );
    assert_eq!(
        fs::read(at.join("runs/report.html")).unwrap().len(),
        fs::read(at.join("report.html")).unwrap().len()
    );
    assert!(at.join("svg/tradeoff.svg").is_file());
    assert_eq!(
        printed(&["report", "runs", "--out", "page.html"]),
        "page.html\n"
    );
    let mut names: Vec<_> = fs::read_dir(at)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["page.html", "report.html", "runs", "svg"]);

    for (arguments, cause) in [
        (&["report", "absent"][..], "absent"),
        (
            &["report", "runs", "--out", "no/such/page.html"][..],
            "no/such/page.html",
        ),
    ] {
        let output = isostar(at, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(
            (output.status.code(), output.stdout.is_empty(), lines.len()),
            (Some(1), true, 2),
            "{stderr}"
        );
        assert!(
            lines[0].starts_with("error: ")
                && lines[0].contains(cause)
                && lines[1].starts_with("  try: "),
            "{stderr}"
        );
    }
    assert_eq!(isostar(at, &["report"]).status.code(), Some(2));
}
