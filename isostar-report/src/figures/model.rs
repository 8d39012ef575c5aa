//! The analysed models of a report.

use crate::figure::Colour;
use crate::source::{Analysis, Geometry, Layer, Sources};

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

/// Returns every analysed model, with the shortest name that distinguishes it.
pub fn models(sources: &Sources) -> Vec<Model<'_>> {
    let all: Vec<(&str, &Analysis)> = sources
        .analyses
        .iter()
        .flat_map(|(folder, analysis)| analysis.models().map(move |model| (folder.as_str(), model)))
        .collect();
    let short: Vec<String> = all
        .iter()
        .map(|(_, analysis)| short_name(&analysis.model))
        .collect();
    let is_unique =
        |names: &[String], name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let with_folder: Vec<String> = all
        .iter()
        .zip(&short)
        .map(|((folder, _), name)| format!("{folder}: {name}"))
        .collect();
    let name = |at: usize| match (
        is_unique(&short, &short[at]),
        is_unique(&with_folder, &with_folder[at]),
    ) {
        (true, _) => short[at].clone(),
        (_, true) => with_folder[at].clone(),
        _ => format!("{} ({})", with_folder[at], at + 1),
    };
    all.iter()
        .enumerate()
        .map(|(at, &(_, analysis))| Model {
            label: name(at),
            colour: Colour::Category(at),
            analysis,
        })
        .collect()
}

/// Returns the last component of a path; for the `model/` folder of a run, the name of the run.
fn short_name(model: &str) -> String {
    let mut parts = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']);
    match parts.next() {
        Some("model") => parts
            .next()
            .filter(|part| !part.is_empty())
            .unwrap_or("model")
            .to_string(),
        Some(last) if !last.is_empty() => last.to_string(),
        _ => model.to_string(),
    }
}

/// Returns the first, the middle and the last layer.
pub(super) fn highlighted(layers: &[Layer]) -> Vec<usize> {
    let mut chosen = match layers.len() {
        0 => Vec::new(),
        count => vec![0, count / 2, count - 1],
    };
    chosen.dedup();
    chosen
}
