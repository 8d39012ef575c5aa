//! Targets of a score as a setting.

use std::fmt;
use std::str::FromStr;

use isostar_core::{ControlConfig, Hold, LayerSelection};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The isotropy at which a run holds its states.
///
/// The text form is one number for the selected layers together, such as `0.3`, or a number per
/// layer, such as `1:0.4,6:0.2`.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// The score of the selected layers together.
    Together(f64),
    /// The score of each of these layers by itself.
    Layers(Vec<(usize, f64)>),
}

impl Targets {
    /// Returns what a regularizer holds, with these settings of each controller but its target.
    /// `layers` are those of a single target.
    pub(super) fn holds(&self, layers: &LayerSelection, control: &ControlConfig) -> Vec<Hold> {
        let hold = |layers, target| Hold {
            layers,
            control: ControlConfig {
                target,
                ..control.clone()
            },
        };
        match self {
            Self::Together(target) => vec![hold(layers.clone(), *target)],
            Self::Layers(targets) => targets
                .iter()
                .map(|(layer, target)| hold(LayerSelection::Only(vec![*layer]), *target))
                .collect(),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Together(target) => write!(f, "{target}"),
            Self::Layers(targets) => {
                let texts: Vec<String> = targets
                    .iter()
                    .map(|(layer, target)| format!("{layer}:{target}"))
                    .collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is neither a target between 0 and 1, such as 0.3, nor one for each of \
                 several layers, such as 1:0.4,6:0.2"
            )
        };
        let target = |text: &str| {
            let number: Option<f64> = text.trim().parse().ok();
            number
                .filter(|number| (0.0..=1.0).contains(number))
                .ok_or_else(refused)
        };
        if !text.contains(':') {
            return target(text).map(Self::Together);
        }
        let parts = text.split(',').map(|part| {
            let (layer, number) = part.split_once(':').ok_or_else(refused)?;
            Ok((
                layer.trim().parse().map_err(|_| refused())?,
                target(number)?,
            ))
        });
        let mut targets: Vec<(usize, f64)> = parts.collect::<Result<_, String>>()?;
        targets.sort_unstable_by_key(|(layer, _)| *layer);
        match targets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!("{text:?} has two targets for layer {}", pair[0].0)),
            None => Ok(Self::Layers(targets)),
        }
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Together(target) => serializer.serialize_f64(*target),
            Self::Layers(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Targets {
    /// Accepts a number or a string.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        for (text, written) in [
            ("0.3", "0.3"),
            (" 1", "1"),
            ("6:0.2, 1:0.40", "1:0.4,6:0.2"),
            ("0:0", "0:0"),
        ] {
            let targets: Targets = text.parse().unwrap();
            assert_eq!(targets.to_string(), written);
            let stored = serde_json::to_string(&targets).unwrap();
            assert_eq!(serde_json::from_str::<Targets>(&stored).unwrap(), targets);
        }
        for wrong in [
            "",
            "1.5",
            "-0.1",
            "nan",
            "0.3,0.4",
            "1:",
            "1:2",
            "a:0.1",
            "1:0.1,1:0.2",
        ] {
            assert!(wrong.parse::<Targets>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_layer_of_a_list_is_held_by_itself() {
        let holds = |text: &str| {
            let targets: Targets = text.parse().unwrap();
            let control = ControlConfig::new(0.0).with_warmup(7);
            let holds = targets.holds(&LayerSelection::Last, &control);
            holds
                .into_iter()
                .map(|hold| {
                    (
                        hold.layers.to_string(),
                        hold.control.target,
                        hold.control.warmup,
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(holds("0.3"), [("last".to_string(), 0.3, 7)]);
        assert_eq!(
            holds("1:0.4,6:0.2"),
            [("1".to_string(), 0.4, 7), ("6".to_string(), 0.2, 7)]
        );
    }
}
