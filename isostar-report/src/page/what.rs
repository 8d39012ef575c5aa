//! The section that describes what was run.

use maud::{Markup, html};

use super::table::{NOTHING, Row, cell, table};
use crate::figure::number::{count, fixed, setting};
use crate::figures::Model;
use crate::group::Group;
use crate::source::Run;

/// The model name of a run that was trained from random initialization.
const SCRATCH: &str = "scratch";

/// Returns the title: task and model.
pub fn title(groups: &[Group<'_>], models: &[Model<'_>]) -> String {
    let tasks = distinct(
        runs(groups).map(task).chain(
            models
                .iter()
                .filter_map(|model| model.analysis.task.clone()),
        ),
    );
    let spelled = |name: String| {
        if name == SCRATCH {
            "a small encoder from scratch".into()
        } else {
            name
        }
    };
    let names = distinct(
        runs(groups)
            .map(model_name)
            .map(spelled)
            .chain(models.iter().map(|model| model.label.clone())),
    );
    let task = if tasks.is_empty() {
        "Geometry".into()
    } else {
        tasks.join(", ")
    };
    match names.len() {
        0 => task,
        1..=2 => format!("{task}: {}", names.join(" and ")),
        more => format!("{task}: {more} models"),
    }
}

/// Returns an introduction of one or two sentences.
pub fn lead(groups: &[Group<'_>], models: &[Model<'_>]) -> String {
    let mut sentences = Vec::new();
    let total = runs(groups).count();
    if total > 0 {
        let weights: Vec<f64> = groups.iter().map(Group::weight).collect();
        let (least, greatest) = (weights[0], weights[weights.len() - 1]);
        let span = match (groups.len(), least == greatest) {
            (1, _) => format!(" with λ = {}", setting(least)),
            (_, true) => format!(" with λ = {} and {} settings", setting(least), groups.len()),
            _ => format!(" with λ from {} to {}", setting(least), setting(greatest)),
        };
        let seeds = groups
            .iter()
            .map(|group| group.runs.len())
            .max()
            .unwrap_or(1);
        let each = if seeds > 1 {
            format!(", up to {seeds} seeds each")
        } else {
            String::new()
        };
        sentences.push(format!(
            "{} of {}{span}{each}.",
            plural(total, "run"),
            distinct(runs(groups).map(task)).join(", ")
        ));
    }
    match models {
        [] => {}
        [one] => sentences.push(format!("The geometry of {}, layer by layer.", one.label)),
        [one, other] => sentences.push(format!(
            "The geometry of {} and {}, layer by layer.",
            one.label, other.label
        )),
        more => sentences.push(format!(
            "The geometry of {} models, layer by layer.",
            more.len()
        )),
    }
    sentences.join(" ")
}

/// A table of the settings that were run, and one sentence per analysis.
pub fn section(groups: &[Group<'_>], models: &[Model<'_>]) -> Markup {
    let rows: Vec<Row> = groups.iter().map(row).collect();
    let unfinished: Vec<&str> = runs(groups)
        .filter(|run| run.outcome.is_none())
        .map(|run| run.name.as_str())
        .collect();
    let diverged: Vec<String> = runs(groups)
        .filter_map(|run| Some(format!("{} ({})", run.name, run.diverged()?)))
        .collect();
    html! {
        @if !rows.is_empty() {
            (table("Runs, by what they have in common", &["setting", "seeds", "model", "epochs", "rows to evaluator by", "device", "training, s", "tokens/s"], &rows))
        }
        @if !unfinished.is_empty() {
            p { "Not over: " (unfinished.join(", ")) ". They have no result, and appear in training curves alone." }
        }
        @if !diverged.is_empty() {
            p { "Diverged: " (diverged.join(", ")) ". They have no scores, and appear in training curves as far as they came." }
        }
        @if !models.is_empty() {
            ul { @for model in models { li { (sentence(model)) } } }
        }
    }
}

fn row(group: &Group<'_>) -> Row {
    let seeds: Vec<String> = group
        .runs
        .iter()
        .map(|run| {
            run.settings
                .get("seed")
                .map_or("?".into(), ToString::to_string)
        })
        .collect();
    let epochs = distinct(group.runs.iter().map(|run| {
        let begun = || {
            run.epochs
                .iter()
                .filter(|line| line.split == "train")
                .map(|line| line.epoch)
                .max()
                .unwrap_or(0)
        };
        let done = run
            .outcome
            .as_ref()
            .map_or_else(begun, |outcome| outcome.epochs);
        let all = run.float("epochs").map_or(done, |epochs| epochs as usize);
        if done == all {
            all.to_string()
        } else {
            format!("{done} of {all}")
        }
    }));
    let validation = distinct(group.runs.iter().filter_map(|run| run.rows()).map(count));
    let device = distinct(
        group
            .runs
            .iter()
            .filter_map(|run| run.text("device"))
            .map(str::to_string),
    );
    let seconds = group
        .spread(|run| run.ended()?.seconds)
        .map(|spread| spread.mean);
    let speed = group
        .spread(|run| run.ended()?.tokens_per_second)
        .map(|spread| spread.mean);
    let cells = [
        seeds.join(", "),
        distinct(group.runs.iter().map(|run| model_name(run))).join(", "),
        epochs.join(", "),
        if validation.is_empty() {
            NOTHING.into()
        } else {
            validation.join(", ")
        },
        device.join(", "),
        cell(seconds, |value| fixed(value, 1)),
        cell(speed, |value| count(value as usize)),
    ];
    Row {
        colour: Some(group.colour),
        ..Row::new(&group.label, cells)
    }
}

fn sentence(model: &Model<'_>) -> String {
    let analysis = model.analysis;
    let width = analysis.layers.iter().find_map(|layer| {
        Some(
            layer
                .tokens
                .as_ref()
                .or(layer.sentences.as_ref())?
                .dimension,
        )
    });
    let of_task = match (&analysis.task, &analysis.split) {
        (Some(task), Some(split)) => format!(" of {task}, {split}"),
        (Some(task), None) => format!(" of {task}"),
        _ => String::new(),
    };
    let sampled = analysis.sample.map_or(String::new(), |sample| {
        format!(
            "; neighbours among {} points, seed {}",
            count(sample),
            analysis.seed
        )
    });
    let wide = width.map_or(String::new(), |width| format!(" of width {width}"));
    let named = if model.label == analysis.model {
        String::new()
    } else {
        format!(" ({})", analysis.model)
    };
    format!(
        "{}{named}: {}{wide}, embedding output included, on {} rows ({} tokens){of_task}{sampled}.",
        model.label,
        plural(analysis.layers.len(), "layer"),
        count(analysis.rows),
        count(analysis.tokens)
    )
}

fn runs<'a>(groups: &'a [Group<'a>]) -> impl Iterator<Item = &'a Run> {
    groups.iter().flat_map(|group| group.runs.iter().copied())
}

fn task(run: &Run) -> String {
    let named = run.outcome.as_ref().map(|outcome| outcome.task.as_str());
    named
        .or(run.text("task"))
        .or(run.text("data"))
        .unwrap_or("headlines")
        .to_string()
}

fn model_name(run: &Run) -> String {
    let path = run.text("model").unwrap_or("a model");
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path);
    last.to_string()
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

fn plural(number: usize, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}
