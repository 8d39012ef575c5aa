//! The share of the reference as a setting.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The share ζ of the reference in the covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShrinkageSetting {
    /// This share.
    Fixed(f64),
    /// The Ledoit–Wolf share, estimated from each batch.
    Auto,
}

impl ShrinkageSetting {
    /// The given share; `None` if it is estimated.
    pub fn fixed(self) -> Option<f64> {
        match self {
            Self::Fixed(weight) => Some(weight),
            Self::Auto => None,
        }
    }
}

impl From<f64> for ShrinkageSetting {
    fn from(weight: f64) -> Self {
        Self::Fixed(weight)
    }
}

impl FromStr for ShrinkageSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| format!("{text:?} is neither a number nor auto")),
        }
    }
}

impl fmt::Display for ShrinkageSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(weight) => weight.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl Serialize for ShrinkageSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(weight) => serializer.serialize_f64(*weight),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for ShrinkageSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(weight) => Ok(Self::Fixed(weight)),
            Form::Text(text) if text == "auto" => Ok(Self::Auto),
            Form::Text(text) => Err(serde::de::Error::custom(format!(
                "{text:?} is neither a number nor auto"
            ))),
        }
    }
}
