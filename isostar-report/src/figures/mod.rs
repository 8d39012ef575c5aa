//! The figures of a report: those that have data, and what the others need.

mod activation;
mod dimension;
mod layers;
mod spectrum;
mod tradeoff;
mod training;

use super::figure::{Colour, Figure};
use super::group::Group;
use super::source::{Analysis, Geometry, Layer, Sources};

/// The figures that can be drawn, in reading order, and those that cannot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The figures that have data.
    pub shown: Vec<Figure>,
    /// The figures that have no data.
    pub missing: Vec<Missing>,
}

/// A figure without data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What the figure would show.
    pub what: &'static str,
    /// How to provide the data.
    pub remedy: &'static str,
}

/// An analysed model, with its name in the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<'a> {
    /// The unique name of the model.
    pub label: String,
    /// The colour of the model.
    pub colour: Colour,
    /// The analysis of the model.
    pub analysis: &'a Analysis,
}

/// The set of points: token states or sentence vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The states of all tokens.
    Tokens,
    /// One sentence vector per row.
    Sentences,
}

impl Set {
    /// Both sets.
    pub const ALL: [Self; 2] = [Self::Tokens, Self::Sentences];

    /// The name of the set in ids.
    pub fn id(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Sentences => "sentences",
        }
    }

    /// The name of the set in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "token states",
            Self::Sentences => "sentence vectors",
        }
    }

    /// Returns the geometry of the set in a layer.
    pub fn of(self, layer: &Layer) -> Option<&Geometry> {
        match self {
            Self::Tokens => layer.tokens.as_ref(),
            Self::Sentences => layer.sentences.as_ref(),
        }
    }
}

impl Figures {
    /// Builds all figures for which there is data.
    pub fn of(groups: &[Group<'_>], models: &[Model<'_>]) -> Self {
        let mut figures = Self::default();
        let train = "finished epochs of `isostar train`";
        let analyze = "`isostar analyze MODEL --task NAME --out DIR`, and DIR named here";
        figures.add("Accuracy against isotropy", "a sweep: finished runs with several values of `--weight`", tradeoff::figures(groups));
        figures.add("Training curves", train, training::figures(groups));
        figures.add("The penalty while training", "a run with a penalty, `--weight` other than 0", training::penalty(groups));
        figures.add("IsoScore of each layer after training", "a finished run of `isostar train`", layers::of_runs(groups));
        figures.add("IsoScore of each layer with its interval", analyze, layers::of_models(models));
        figures.add("The spectrum of each layer", analyze, spectrum::figures(models));
        figures.add("Mean activation of each dimension", analyze, activation::figures(models));
        figures.add("Intrinsic dimension of each layer", analyze, dimension::figures(models));
        figures
    }

    fn add(&mut self, what: &'static str, remedy: &'static str, figures: Vec<Figure>) {
        let before = self.shown.len();
        self.shown.extend(figures.into_iter().filter(Figure::has_data));
        if self.shown.len() == before {
            self.missing.push(Missing { what, remedy });
        }
    }
}

/// Returns every analysed model, with the shortest name that distinguishes it.
pub fn models(sources: &Sources) -> Vec<Model<'_>> {
    let all: Vec<(&str, &Analysis)> =
        sources.analyses.iter().flat_map(|(folder, analysis)| analysis.models().map(move |model| (folder.as_str(), model))).collect();
    let short: Vec<String> = all.iter().map(|(_, analysis)| short_name(&analysis.model)).collect();
    let is_unique = |names: &[String], name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let with_folder: Vec<String> = all.iter().zip(&short).map(|((folder, _), name)| format!("{folder}: {name}")).collect();
    let name = |at: usize| match (is_unique(&short, &short[at]), is_unique(&with_folder, &with_folder[at])) {
        (true, _) => short[at].clone(),
        (_, true) => with_folder[at].clone(),
        _ => format!("{} ({})", with_folder[at], at + 1),
    };
    all.iter().enumerate().map(|(at, &(_, analysis))| Model { label: name(at), colour: Colour::Category(at), analysis }).collect()
}

/// Returns the last component of a path; for the `model/` folder of a run, the name of the run.
fn short_name(model: &str) -> String {
    let mut parts = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']);
    match parts.next() {
        Some("model") => parts.next().filter(|part| !part.is_empty()).unwrap_or("model").to_string(),
        Some(last) if !last.is_empty() => last.to_string(),
        _ => model.to_string(),
    }
}

/// Returns the name of the task metric by which runs are compared: the first in a fixed list that
/// the runs have.
pub fn main_metric(groups: &[Group<'_>]) -> Option<String> {
    const KNOWN: [&str; 6] = ["accuracy", "matthews", "pearson", "spearman", "f1", "exact_match"];
    let outcomes = || groups.iter().flat_map(|group| &group.runs).filter_map(|run| run.outcome.as_ref());
    let known = KNOWN.into_iter().find(|name| outcomes().any(|outcome| outcome.metrics.contains_key(*name)));
    let any = || outcomes().find_map(|outcome| outcome.metrics.keys().next().cloned());
    let in_lines = || {
        let mut lines = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.epochs);
        lines.any(|line| line.metrics.contains_key(KNOWN[0])).then(|| KNOWN[0].to_string())
    };
    known.map(str::to_string).or_else(any).or_else(in_lines)
}

/// Formats a name such as `exact_match` as `Exact match`.
pub fn title_case(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Returns the first, the middle and the last layer.
fn highlighted(layers: &[Layer]) -> Vec<usize> {
    let mut chosen = match layers.len() {
        0 => Vec::new(),
        count => vec![0, count / 2, count - 1],
    };
    chosen.dedup();
    chosen
}
