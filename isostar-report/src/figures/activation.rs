//! Figures of the mean of each dimension, with labels on outlier dimensions.

use super::model::{Model, Set, highlighted};
use crate::figure::number::number;
use crate::figure::{Chart, Figure, StemChart, StemPanel};
use crate::source::Layer;

/// Maximum number of labelled dimensions per layer; the table lists all.
const NAMED: usize = 5;

/// Returns one figure per model, for its token states.
pub fn figures(models: &[Model<'_>]) -> Vec<Figure> {
    models
        .iter()
        .enumerate()
        .map(|(at, model)| figure(model, at, models.len() > 1))
        .collect()
}

fn figure(model: &Model<'_>, at: usize, several: bool) -> Figure {
    let layers = &model.analysis.layers;
    let chosen = highlighted(layers).into_iter().map(|at| &layers[at]);
    let panels: Vec<StemPanel> = chosen.filter_map(panel).collect();
    let named = |panel: &StemPanel| {
        let dimensions = panel
            .named
            .iter()
            .map(|&at| format!("{at} at {}", number(panel.values[at])))
            .collect::<Vec<_>>()
            .join(", ");
        (!dimensions.is_empty()).then(|| format!("{}: dimensions {dimensions}", panel.name))
    };
    let named: Vec<String> = panels.iter().filter_map(named).collect();
    let of_model = if several {
        format!(", {}", model.label)
    } else {
        String::new()
    };
    Figure {
        id: format!("activation-{}", at + 1),
        title: format!("Mean activation of each dimension{of_model}"),
        description: format!(
            "A stem for each dimension of the token states of the first, a middle and the last layer. Outliers: {}.",
            if named.is_empty() {
                "none".into()
            } else {
                named.join("; ")
            }
        ),
        caption: format!(
            "Token states. Outlier dimensions are marked, \
             the {NAMED} with the largest means by their number; the table of outliers has all. Each layer has a scale of its own."
        ),
        chart: Chart::Stems(StemChart {
            panels,
            x: "Dimension".into(),
        }),
    }
}

fn panel(layer: &Layer) -> Option<StemPanel> {
    let geometry = Set::Tokens
        .of(layer)
        .filter(|geometry| !geometry.mean.is_empty())?;
    let mut outliers: Vec<usize> = geometry
        .outlier_dimensions
        .iter()
        .flatten()
        .map(|outlier| outlier.dimension)
        .collect();
    outliers.sort_by(|&one, &other| {
        geometry.mean[other]
            .abs()
            .total_cmp(&geometry.mean[one].abs())
            .then(one.cmp(&other))
    });
    outliers.truncate(NAMED);
    Some(StemPanel {
        name: format!("Layer {}: mean activation", layer.layer),
        values: geometry.mean.clone(),
        named: outliers,
    })
}
