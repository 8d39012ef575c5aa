//! The settings section: settings that all runs share, and settings that differ.

use maud::{Markup, html};

use super::table::{NOTHING, Row, table};
use crate::figures::Model;
use crate::group::{Group, plain};
use crate::source::Run;

/// Collapsible tables of settings.
pub fn section(groups: &[Group<'_>], models: &[Model<'_>]) -> Markup {
    let runs: Vec<&Run> = groups
        .iter()
        .flat_map(|group| group.runs.iter().copied())
        .collect();
    let mut keys: Vec<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    keys.sort();
    keys.dedup();
    let value = |run: &Run, key: &str| run.settings.get(key).map_or(NOTHING.into(), plain);
    let (shared, different): (Vec<&String>, Vec<&String>) = keys.into_iter().partition(|key| {
        runs.iter()
            .all(|run| run.settings.get(*key) == runs[0].settings.get(*key))
    });
    let of_run = |run: &&Run| {
        Row::new(
            &run.name,
            different
                .iter()
                .map(|key| value(run, key))
                .chain([run.folder.display().to_string()]),
        )
    };
    let header: Vec<&str> = ["run"]
        .into_iter()
        .chain(different.iter().map(|key| key.as_str()))
        .chain(["folder"])
        .collect();
    html! {
        @if !runs.is_empty() {
            details open {
                summary { "What differs between runs" }
                (table("A row a run", &header, &runs.iter().map(of_run).collect::<Vec<_>>()))
            }
            details {
                summary { "What all runs share (" (shared.len()) ")" }
                (pairs(shared.iter().map(|key| (key.as_str(), value(runs[0], key)))))
            }
        }
        @for model in models {
            details {
                summary { (model.label) }
                (pairs(of_model(model).into_iter()))
            }
        }
    }
}

fn of_model(model: &Model<'_>) -> Vec<(&'static str, String)> {
    let analysis = model.analysis;
    let text = |value: &Option<String>| value.clone().unwrap_or(NOTHING.into());
    vec![
        ("model", analysis.model.clone()),
        ("task", text(&analysis.task)),
        ("split", text(&analysis.split)),
        ("rows", analysis.rows.to_string()),
        ("tokens", analysis.tokens.to_string()),
        (
            "sample",
            analysis
                .sample
                .map_or("all points".into(), |sample| sample.to_string()),
        ),
        ("seed", analysis.seed.to_string()),
        ("device", text(&analysis.device)),
        (
            "seconds",
            analysis
                .seconds
                .map_or(NOTHING.into(), |seconds| format!("{seconds:.1}")),
        ),
    ]
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Markup {
    html! {
        div class="scroll" {
            table { tbody { @for (key, value) in pairs { tr { th scope="row" { (key) } td class="long" { (value) } } } } }
        }
    }
}
