//! The hidden states of one batch, and the selection of those that a measure uses.

use core::fmt;
use core::str::FromStr;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, Moments};

/// The hidden states of one batch: one vector per layer and token.
///
/// Holding them costs no memory: the tensors share their storage with the model's activations.
#[derive(Clone, Debug)]
pub struct HiddenStates {
    /// Input of the first layer, if the model has an embedding output. Shape
    /// `[sequences, tokens, d]`.
    pub embedding_output: Option<Tensor<3>>,
    /// Output of each layer, first to last. Shape `[sequences, tokens, d]` each.
    pub layers: Vec<Tensor<3>>,
    /// True at tokens, false at padding; `None` if there is no padding. Shape
    /// `[sequences, tokens]`.
    ///
    /// States at false positions do not affect any measure, provided that they are finite.
    pub mask: Option<Tensor<2, Bool>>,
}

impl HiddenStates {
    /// The states of these layers, without an embedding output or padding.
    pub fn from_layers(layers: Vec<Tensor<3>>) -> Self {
        Self {
            embedding_output: None,
            layers,
            mask: None,
        }
    }

    /// The states of a model that computes one vector per row and layer. Shape `[rows, d]` each.
    pub fn from_vectors(layers: Vec<Tensor<2>>) -> Self {
        Self::from_layers(
            layers
                .into_iter()
                .map(|layer| layer.unsqueeze_dim(1))
                .collect(),
        )
    }

    /// The same states with this mask. Shape of `mask`: `[sequences, tokens]`.
    pub fn with_mask(mut self, mask: Tensor<2, Bool>) -> Self {
        self.mask = Some(mask);
        self
    }

    /// The number of layers, without the embedding output.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Layer `index`: 0 is the embedding output, 1 the first layer.
    ///
    /// # Panics
    /// If the layer does not exist.
    pub fn layer(&self, index: usize) -> &Tensor<3> {
        let found = match index {
            0 => self.embedding_output.as_ref(),
            _ => self.layers.get(index - 1),
        };
        found.unwrap_or_else(|| panic!("{}", self.missing(index)))
    }

    fn missing(&self, index: usize) -> ConfigError {
        match index {
            0 => ConfigError::NoEmbeddingOutput {
                depth: self.depth(),
            },
            _ => ConfigError::NoSuchLayer {
                layer: index,
                depth: self.depth(),
            },
        }
    }
}

/// The layers that a measure uses.
///
/// The text form is `all`, `last`, `each`, a list of layer numbers such as `1,3,12`, or layer
/// numbers with weights such as `1:0.5,6:2`. Number 0 is the embedding output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LayerSelection {
    /// Every layer except the embedding output, as in the paper.
    #[default]
    All,
    /// The last layer.
    Last,
    /// The layers with these numbers.
    Only(Vec<usize>),
    /// Every layer except the embedding output, each with a score of its own.
    Each,
    /// The layers with these numbers, each with a score of its own and a weight.
    Weighted(Vec<(usize, f64)>),
}

/// Layers whose states are pooled into one score.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGroup {
    /// The numbers of the layers.
    pub layers: Vec<usize>,
    /// The weight of the group's score: 1 for a union, the share of the layer in the mean for
    /// [`Each`](LayerSelection::Each), and the given weight for
    /// [`Weighted`](LayerSelection::Weighted).
    pub weight: f64,
}

impl LayerSelection {
    /// The numbers of the selected layers in a model of `depth` layers.
    ///
    /// # Errors
    /// If the selection is empty or contains a number above `depth`.
    pub fn indices(&self, depth: usize) -> Result<Vec<usize>, ConfigError> {
        let indices = match self {
            Self::All | Self::Each => (1..=depth).collect(),
            Self::Last => vec![depth],
            Self::Only(indices) => indices.clone(),
            Self::Weighted(layers) => layers.iter().map(|(layer, _)| *layer).collect(),
        };
        if indices.is_empty() || depth == 0 {
            return Err(ConfigError::NoLayers);
        }
        match indices.iter().find(|&&layer| layer > depth) {
            Some(&layer) => Err(ConfigError::NoSuchLayer { layer, depth }),
            None => Ok(indices),
        }
    }

    /// The groups of layers of `count` statistics, one of each group; that of a union names no layer.
    pub(crate) fn groups_of(&self, count: usize) -> Vec<LayerGroup> {
        match self {
            Self::All | Self::Last | Self::Only(_) => vec![LayerGroup {
                layers: Vec::new(),
                weight: 1.0,
            }],
            _ => {
                let depth = match self {
                    Self::Weighted(weights) => weights.iter().map(|(layer, _)| *layer).max(),
                    _ => Some(count),
                };
                let groups = self.groups(depth.unwrap_or(0));
                groups.unwrap_or_else(|error| panic!("{error}"))
            }
        }
    }

    /// The groups of layers that have a score of their own in a model of `depth` layers: one for a
    /// union, one per layer for [`Each`](Self::Each) and [`Weighted`](Self::Weighted).
    ///
    /// # Errors
    /// As for [`indices`](Self::indices).
    pub fn groups(&self, depth: usize) -> Result<Vec<LayerGroup>, ConfigError> {
        let layers = self.indices(depth)?;
        let count = layers.len() as f64;
        let single = |(layer, weight)| LayerGroup {
            layers: vec![layer],
            weight,
        };
        Ok(match self {
            Self::All | Self::Last | Self::Only(_) => vec![LayerGroup {
                layers,
                weight: 1.0,
            }],
            Self::Each => layers
                .into_iter()
                .map(|layer| single((layer, 1.0 / count)))
                .collect(),
            Self::Weighted(weights) => weights.iter().copied().map(single).collect(),
        })
    }
}

/// Parses `1:0.5,6:2`, in the order of the layers; `None` if a layer is named twice.
fn weighted(text: &str) -> Option<Vec<(usize, f64)>> {
    let layer = |text: &str| {
        let (layer, weight) = text.split_once(':')?;
        let weight: f64 = weight.trim().parse().ok()?;
        Some((layer.trim().parse().ok()?, weight)).filter(|(_, weight)| weight.is_finite())
    };
    let mut layers: Vec<(usize, f64)> = text.split(',').map(layer).collect::<Option<_>>()?;
    layers.sort_by_key(|(layer, _)| *layer);
    let is_unique = layers.windows(2).all(|pair| pair[0].0 < pair[1].0);
    is_unique.then_some(layers)
}

impl FromStr for LayerSelection {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.trim() {
            "all" => Ok(Self::All),
            "last" => Ok(Self::Last),
            "each" => Ok(Self::Each),
            text if text.contains(':') => {
                weighted(text)
                    .map(Self::Weighted)
                    .ok_or_else(|| ConfigError::LayerSyntax {
                        text: text.to_string(),
                    })
            }
            numbers => {
                let parsed: Result<Vec<usize>, _> = numbers
                    .split(',')
                    .map(|number| number.trim().parse())
                    .collect();
                let mut indices = parsed.map_err(|_| ConfigError::LayerSyntax {
                    text: text.to_string(),
                })?;
                indices.sort_unstable();
                indices.dedup();
                Ok(Self::Only(indices))
            }
        }
    }
}

impl TryFrom<String> for LayerSelection {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<LayerSelection> for String {
    fn from(selection: LayerSelection) -> Self {
        selection.to_string()
    }
}

impl fmt::Display for LayerSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Last => f.write_str("last"),
            Self::Each => f.write_str("each"),
            Self::Weighted(layers) => {
                let texts = layers
                    .iter()
                    .map(|(layer, weight)| format!("{layer}:{weight}"));
                f.write_str(&texts.collect::<Vec<_>>().join(","))
            }
            Self::Only(indices) => {
                let numbers: Vec<String> = indices.iter().map(usize::to_string).collect();
                f.write_str(&numbers.join(","))
            }
        }
    }
}

/// How the states at padding positions are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// They are excluded.
    #[default]
    Mask,
    /// They are included, as in the published code. The proportion of padding affects the score, so
    /// a reference for such states must be estimated from batches padded in the same way as the
    /// training batches.
    Keep,
}

/// The hidden states that a measure uses: a choice of layers, with or without padding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StateSelection {
    /// The layers. By default all except the embedding output.
    pub layers: LayerSelection,
    /// The treatment of padding. By default padding is masked out.
    pub padding: Padding,
}

impl StateSelection {
    /// The selected layers of `states`, in order.
    ///
    /// # Panics
    /// If a selected layer does not exist.
    pub fn layers<'a>(&self, states: &'a HiddenStates) -> Vec<&'a Tensor<3>> {
        let indices = self
            .layers
            .indices(states.depth())
            .unwrap_or_else(|error| panic!("{error}"));
        indices
            .into_iter()
            .map(|index| states.layer(index))
            .collect()
    }

    /// The groups of layers that have a score of their own, with the states of their layers; see
    /// [`LayerSelection::groups`].
    ///
    /// # Panics
    /// If a selected layer does not exist.
    pub fn groups<'a>(&self, states: &'a HiddenStates) -> Vec<(LayerGroup, Vec<&'a Tensor<3>>)> {
        let groups = self
            .layers
            .groups(states.depth())
            .unwrap_or_else(|error| panic!("{error}"));
        let with_states = |group: LayerGroup| {
            let layers = group
                .layers
                .iter()
                .map(|&layer| states.layer(layer))
                .collect();
            (group, layers)
        };
        groups.into_iter().map(with_states).collect()
    }

    /// The moments of each [group](Self::groups), computed layer by layer.
    ///
    /// # Panics
    /// If a selected layer does not exist or the layers of a group differ in width.
    pub fn group_moments(&self, states: &HiddenStates) -> Vec<Moments> {
        let mask = self.mask(states);
        let moments = |layers: Vec<&Tensor<3>>| {
            Moments::from_layers(layers.into_iter().cloned().collect(), mask.cloned())
        };
        self.groups(states)
            .into_iter()
            .map(|(_, layers)| moments(layers))
            .collect()
    }

    /// The mask to apply to the states: `None` if padding is kept or the states have no mask. Shape
    /// `[sequences, tokens]`.
    pub fn mask<'a>(&self, states: &'a HiddenStates) -> Option<&'a Tensor<2, Bool>> {
        match self.padding {
            Padding::Mask => states.mask.as_ref(),
            Padding::Keep => None,
        }
    }

    /// The moments of the union of the selected states, computed layer by layer without
    /// concatenating them.
    ///
    /// # Panics
    /// If a selected layer does not exist or the layers differ in width.
    pub fn moments(&self, states: &HiddenStates) -> Moments {
        Moments::from_layers(
            self.layers(states).into_iter().cloned().collect(),
            self.mask(states).cloned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_as_they_are_written() {
        for text in ["all", "last", "each", "1,3,12", "1:0.5,6:-2"] {
            assert_eq!(text.parse::<LayerSelection>().unwrap().to_string(), text);
        }
        for text in ["", "every", "1:", "1:x", "1:nan", "1:1,1:2", "1,2:1"] {
            let error = text.parse::<LayerSelection>().unwrap_err();
            assert_eq!(error, ConfigError::LayerSyntax { text: text.into() });
        }
    }

    #[test]
    fn only_each_and_weighted_layers_have_groups_of_their_own() {
        let groups = |text: &str| text.parse::<LayerSelection>().unwrap().groups(4).unwrap();
        let group = |layers: &[usize], weight| LayerGroup {
            layers: layers.into(),
            weight,
        };
        assert_eq!(groups("all"), [group(&[1, 2, 3, 4], 1.0)]);
        assert_eq!(groups("last"), [group(&[4], 1.0)]);
        assert_eq!(groups("2,1"), [group(&[1, 2], 1.0)]);
        assert_eq!(groups("each").len(), 4);
        assert_eq!(groups("each")[2], group(&[3], 0.25));
        assert_eq!(groups("3:2,1:0.5"), [group(&[1], 0.5), group(&[3], 2.0)]);
        let missing = "5:1".parse::<LayerSelection>().unwrap().groups(4);
        assert_eq!(
            missing,
            Err(ConfigError::NoSuchLayer { layer: 5, depth: 4 })
        );
    }
}
