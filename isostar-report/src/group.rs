//! Groups of runs that differ only in the seed, and summaries over each group.

use super::figure::number::setting;
use super::figure::palette::{Colour, DIVERGING};
use super::source::Run;

/// Runs that differ only in the seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    /// The settings that distinguish the group from the others.
    pub label: String,
    /// The colour of the group in every figure.
    pub colour: Colour,
    /// The runs of the group, ordered by seed.
    pub runs: Vec<&'a Run>,
}

/// Mean, standard error and range of a value over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The number of runs that have the value.
    pub count: usize,
    /// The mean.
    pub mean: f64,
    /// The standard error of the mean, s/√k; `None` for a single run.
    pub error: Option<f64>,
    /// The minimum.
    pub least: f64,
    /// The maximum.
    pub greatest: f64,
}

impl Spread {
    /// Summarizes `values`; `None` if there are none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (count > 1).then(|| (squares / (count - 1) as f64 / count as f64).sqrt());
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (count > 0).then_some(Self {
            count,
            mean,
            error,
            least,
            greatest,
        })
    }
}

/// Binomial standard error of a share p of n rows, √(p(1 − p)/n).
pub fn binomial_error(share: f64, rows: usize) -> f64 {
    (share * (1.0 - share) / rows as f64).max(0.0).sqrt()
}

impl Group<'_> {
    /// Summarizes a value over the runs that have it.
    pub fn spread(&self, value: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| value(run)))
    }

    /// The weight λ of the runs.
    pub fn weight(&self) -> f64 {
        self.runs[0].weight()
    }
}

/// Groups runs that differ only in the seed.
///
/// Groups are ordered by λ, then by the order in which their runs were found.
pub fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut found: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        match found.iter_mut().find(|group| same_but_seed(group[0], run)) {
            Some(group) => group.push(run),
            None => found.push(vec![run]),
        }
    }
    found.sort_by(|one, other| one[0].weight().total_cmp(&other[0].weight()));
    for group in &mut found {
        group.sort_by_key(|run| run.settings.get("seed").and_then(toml::Value::as_integer));
    }
    let firsts: Vec<&Run> = found.iter().map(|group| group[0]).collect();
    let colours = colours(&firsts);
    let labels: Vec<String> = firsts.iter().map(|run| label(run, &firsts)).collect();
    let named = labels.into_iter().zip(colours).zip(found);
    named
        .map(|((label, colour), runs)| Group {
            label,
            colour,
            runs,
        })
        .collect()
}

/// Settings that are ignored when runs are grouped.
const NOT_COMPARED: [&str; 1] = ["seed"];

fn same_but_seed(one: &Run, other: &Run) -> bool {
    differing(one, other).next().is_none()
}

fn differing<'a>(one: &'a Run, other: &'a Run) -> impl Iterator<Item = &'a str> {
    let here = one
        .settings
        .iter()
        .filter(|(key, value)| other.settings.get(*key) != Some(*value))
        .map(|(key, _)| key.as_str());
    let there = other
        .settings
        .keys()
        .filter(|key| !one.settings.contains_key(*key))
        .map(String::as_str);
    here.chain(there).filter(|key| !NOT_COMPARED.contains(key))
}

/// The name of a penalty that is not I-STAR.
fn other_penalty(run: &Run) -> Option<&'static str> {
    match run.text("regularizer")? {
        "cosreg" => Some("CosReg"),
        "vicreg" => Some("VICReg"),
        "sigreg" => Some("SIGReg"),
        "sigreg-minimal" => Some("SIGReg minimal"),
        _ => None,
    }
}

/// Label of a group: λ, and every other setting in which the groups differ.
fn label(run: &Run, all: &[&Run]) -> String {
    let mut keys: Vec<&str> = all.iter().flat_map(|other| differing(run, other)).collect();
    keys.sort_unstable();
    keys.dedup();
    let regularizers = keys.contains(&"regularizer");
    // I-STAR is named only if another penalty is present.
    let penalties = all.iter().any(|run| other_penalty(run).is_some());
    let weight = match run.text("regularizer") {
        _ if run.settings.contains_key("target") => {
            format!("held at {}", plain(&run.settings["target"]))
        }
        Some("none") => "no penalty".into(),
        Some("istar") if penalties => format!("I-STAR λ = {}", setting(run.weight())),
        _ => match other_penalty(run) {
            Some(name) => format!("{name} λ = {}", setting(run.weight())),
            None => format!("λ = {}", setting(run.weight())),
        },
    };
    // Settings of the regularizer mean nothing without one.
    let silent = |key: &&str| {
        matches!(*key, "weight" | "regularizer" | "target")
            || (regularizers && matches!(*key, "layers" | "shrinkage"))
    };
    let others =
        keys.into_iter()
            .filter(|key| !silent(key))
            .map(|key| match run.settings.get(key) {
                Some(value) => format!("{} {}", key.replace('_', " "), plain(value)),
                None => format!("no {}", key.replace('_', " ")),
            });
    std::iter::once(weight)
        .chain(others)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Formats a setting, without the quotes around TOML strings.
pub fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(number) => setting(*number),
        other => other.to_string(),
    }
}

/// Diverging colours if the groups differ only in λ, categorical colours otherwise.
fn colours(firsts: &[&Run]) -> Vec<Colour> {
    let only_weight =
        |run: &&&Run| differing(firsts[0], run).all(|key| matches!(key, "weight" | "regularizer"));
    let others = firsts.iter().any(|run| other_penalty(run).is_some());
    if firsts.len() < 3 || others || !firsts.iter().all(|run| only_weight(&run)) {
        return (0..firsts.len()).map(Colour::Category).collect();
    }
    // λ is ranked separately below and above 0; the rank farthest from 0 has the strongest colour.
    let below = firsts.iter().filter(|run| run.weight() < 0.0).count();
    let above = firsts.iter().filter(|run| run.weight() > 0.0).count();
    let step = |rank: usize, of: usize| (DIVERGING as usize * rank).div_ceil(of) as i32;
    let mut after_zero = 0;
    let colour = |(at, run): (usize, &&Run)| {
        Colour::Diverging(match run.weight() {
            weight if weight < 0.0 => -step(below - at, below),
            weight if weight > 0.0 => {
                after_zero += 1;
                step(after_zero, above)
            }
            _ => 0,
        })
    };
    firsts.iter().enumerate().map(colour).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, settings: &str) -> Run {
        Run {
            folder: name.into(),
            name: name.into(),
            settings: toml::from_str(settings).unwrap(),
            epochs: Vec::new(),
            steps: Vec::new(),
            geometry: Vec::new(),
            outcome: None,
        }
    }

    #[test]
    fn spread_is_that_of_the_textbook() {
        // mean 2, s² = 1, standard error 1/√3
        let spread = Spread::of([1.0, 2.0, 3.0].into_iter()).unwrap();
        assert!(
            (spread.mean - 2.0).abs() < 1e-12
                && (spread.error.unwrap() - 0.577_350_269_19).abs() < 1e-10
        );
        assert_eq!((spread.least, spread.greatest, spread.count), (1.0, 3.0, 3));
        assert_eq!(Spread::of([4.0].into_iter()).unwrap().error, None);
        assert_eq!(Spread::of(std::iter::empty()), None);
        assert!((binomial_error(0.5, 100) - 0.05).abs() < 1e-15);
    }

    #[test]
    fn runs_that_differ_in_seed_alone_are_together_and_groups_are_named_by_what_differs() {
        let runs = [
            run(
                "a",
                "regularizer = 'istar'\nweight = 0.5\nshrinkage = 0.2\nseed = 2",
            ),
            run(
                "b",
                "regularizer = 'none'\nweight = 0.0\nshrinkage = 0.2\nseed = 1",
            ),
            run(
                "c",
                "regularizer = 'istar'\nweight = 0.5\nshrinkage = 0.2\nseed = 1",
            ),
            run(
                "d",
                "regularizer = 'istar'\nweight = -0.5\nshrinkage = 0.2\nseed = 1",
            ),
        ];
        let groups = groups(&runs);
        let labels: Vec<&str> = groups.iter().map(|group| group.label.as_str()).collect();
        assert_eq!(labels, ["λ = −0.5", "no penalty", "λ = 0.5"]);
        assert_eq!(
            groups[2]
                .runs
                .iter()
                .map(|run| run.name.as_str())
                .collect::<Vec<_>>(),
            ["c", "a"]
        );
        assert_eq!(
            groups.iter().map(|group| group.colour).collect::<Vec<_>>(),
            [-3, 0, 3].map(Colour::Diverging)
        );
    }

    #[test]
    fn other_settings_join_the_name() {
        let runs = [
            run("a", "weight = 0.5\nshrinkage = 0.2"),
            run("b", "weight = 0.5\nshrinkage = 0.4"),
        ];
        let labels: Vec<String> = groups(&runs).into_iter().map(|group| group.label).collect();
        assert_eq!(labels, ["λ = 0.5, shrinkage 0.2", "λ = 0.5, shrinkage 0.4"]);
    }
}
