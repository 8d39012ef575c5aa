//! The metric by which runs are compared.

use crate::group::Group;

/// Returns the name of the task metric by which runs are compared: the first in a fixed list that
/// the runs have.
pub fn main_metric(groups: &[Group<'_>]) -> Option<String> {
    const KNOWN: [&str; 6] = [
        "accuracy",
        "matthews",
        "pearson",
        "spearman",
        "f1",
        "exact_match",
    ];
    let outcomes = || {
        groups
            .iter()
            .flat_map(|group| &group.runs)
            .filter_map(|run| run.outcome.as_ref())
    };
    let known = KNOWN
        .into_iter()
        .find(|name| outcomes().any(|outcome| outcome.metrics.contains_key(*name)));
    let any = || outcomes().find_map(|outcome| outcome.metrics.keys().next().cloned());
    let in_lines = || {
        let mut lines = groups
            .iter()
            .flat_map(|group| &group.runs)
            .flat_map(|run| &run.epochs);
        lines
            .any(|line| line.metrics.contains_key(KNOWN[0]))
            .then(|| KNOWN[0].to_string())
    };
    known.map(str::to_string).or_else(any).or_else(in_lines)
}

/// Formats a name such as `exact_match` as `Exact match`.
pub fn title_case(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
