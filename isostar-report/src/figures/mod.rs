//! The figures of a report: those that have data, and what the others need.

mod activation;
mod control;
mod dimension;
mod geometry;
mod layers;
mod metric;
mod model;
mod spectrum;
mod tradeoff;
mod training;

pub use metric::{main_metric, title_case};
pub use model::{Model, Set, models};

use crate::figure::Figure;
use crate::group::Group;

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

impl Figures {
    /// Builds all figures for which there is data.
    pub fn of(groups: &[Group<'_>], models: &[Model<'_>]) -> Self {
        let mut figures = Self::default();
        let train = "finished epochs of `isostar train`";
        let analyze = "`isostar analyze`, with its folder among those of the report";
        figures.add(
            "Accuracy against isotropy",
            "a sweep: finished runs with several values of `weight`",
            tradeoff::figures(groups),
        );
        figures.add("Training curves", train, training::figures(groups));
        figures.add(
            "The penalty while training",
            "a run with a penalty, `weight` other than 0",
            training::penalty(groups),
        );
        figures.extend(control::held(groups));
        figures.extend(control::shrinkage(groups));
        figures.extend(geometry::figures(groups));
        figures.add(
            "IsoScore of each layer after training",
            "a finished run of `isostar train`",
            layers::of_runs(groups),
        );
        figures.add(
            "IsoScore of each layer with its interval",
            analyze,
            layers::of_models(models),
        );
        figures.add(
            "The spectrum of each layer",
            analyze,
            spectrum::figures(models),
        );
        figures.add(
            "Mean activation of each dimension",
            analyze,
            activation::figures(models),
        );
        figures.add(
            "Intrinsic dimension of each layer",
            analyze,
            dimension::figures(models),
        );
        figures
    }

    fn add(&mut self, what: &'static str, remedy: &'static str, figures: Vec<Figure>) {
        if !self.extend(figures) {
            self.missing.push(Missing { what, remedy });
        }
    }

    /// Adds the figures that have data, and says whether there is one. Without a figure of a setting
    /// that most runs do not use, a report lacks nothing.
    fn extend(&mut self, figures: Vec<Figure>) -> bool {
        let before = self.shown.len();
        self.shown
            .extend(figures.into_iter().filter(Figure::has_data));
        self.shown.len() > before
    }
}
