//! Reads `analysis.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isostar_core::measure::MEASURES;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::read::{parse_json, read_text};
use crate::ReportError;

/// The geometry of a model's states, layer by layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Analysis {
    /// The file it was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// The name of the model.
    pub model: String,
    /// The task whose rows were embedded.
    pub task: Option<String>,
    /// The split.
    pub split: Option<String>,
    /// The number of rows.
    pub rows: usize,
    /// The number of tokens.
    pub tokens: usize,
    /// The seed of the sample.
    pub seed: u64,
    /// The number of sampled points behind the measures of quadratic cost; `None` if they use all
    /// points.
    pub sample: Option<usize>,
    /// The device.
    pub device: Option<String>,
    /// The duration of the analysis in seconds.
    pub seconds: Option<f64>,
    /// The layers; layer 0 is the embedding output.
    pub layers: Vec<Layer>,
    /// The model that this one is compared with.
    pub against: Option<Box<Analysis>>,
}

/// The geometry of one layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Layer {
    /// The number of the layer.
    pub layer: usize,
    /// The geometry of token states.
    pub tokens: Option<Geometry>,
    /// The geometry of sentence vectors.
    pub sentences: Option<Geometry>,
}

/// The geometry of points: the values of those [`MEASURES`] that the file has, and quantities that
/// are more than one number.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Geometry {
    /// The number n of points.
    pub points: usize,
    /// The dimension d.
    pub dimension: usize,
    /// The 95% confidence interval of the unbiased estimate of IsoScore.
    #[serde(deserialize_with = "both_ends")]
    pub isoscore_interval: Option<[f64; 2]>,
    /// The number of components that carry most of the variance, and their share.
    pub explained_variance: Option<Share>,
    /// The outlier dimensions; `None` if the file does not list them.
    pub outlier_dimensions: Option<Vec<OutlierDimension>>,
    /// The eigenvalues of the covariance, in descending order; empty if a value is null.
    #[serde(deserialize_with = "all_numbers")]
    pub spectrum: Vec<f64>,
    /// The mean of each dimension; empty if a value is null.
    #[serde(deserialize_with = "all_numbers")]
    pub mean: Vec<f64>,
    /// The standard deviation of each dimension; empty if a value is null.
    #[serde(deserialize_with = "all_numbers")]
    pub std: Vec<f64>,
    /// The measures that are a single number in the file, by name.
    #[serde(flatten, deserialize_with = "measures")]
    values: BTreeMap<&'static str, f64>,
}

impl Geometry {
    /// Returns the value of the measure with this name; `None` if the file has none.
    ///
    /// For the explained variance this is the number of components, for the outlier dimensions
    /// their number.
    pub fn value(&self, name: &str) -> Option<f64> {
        match name {
            "explained_variance" => Some(self.explained_variance?.components as f64),
            "outlier_dimensions" => Some(self.outlier_dimensions.as_ref()?.len() as f64),
            name => self.values.get(name).copied(),
        }
    }
}

/// A number of components and the share of the variance that they carry.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Share {
    /// The number of components.
    pub components: usize,
    /// The share of the variance.
    pub share: Option<f64>,
}

/// A dimension with an outlying mean or variance.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct OutlierDimension {
    /// The index of the dimension, from 0.
    pub dimension: usize,
    /// The mean of the dimension.
    pub mean: Option<f64>,
    /// The standard deviation of the dimension.
    pub std: Option<f64>,
}

/// Deserializes an interval; `None` unless both ends are present.
fn both_ends<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let ends = Option::<[Option<f64>; 2]>::deserialize(deserializer)?;
    Ok(ends.and_then(|[low, high]| Some([low?, high?])))
}

/// Deserializes measures from the fields that remain. Measures without a value are null or missing.
fn measures<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<&'static str, f64>, D::Error> {
    let entries = Map::<String, Value>::deserialize(deserializer)?;
    let mut values = BTreeMap::new();
    for measure in MEASURES {
        if let Some(entry) = entries.get(measure.name) {
            let value = Option::<f64>::deserialize(entry)
                .map_err(|error| D::Error::custom(format_args!("{}: {error}", measure.name)))?;
            values.extend(value.map(|value| (measure.name, value)));
        }
    }
    Ok(values)
}

/// Deserializes a vector; empty if a number is null.
fn all_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Option::<Vec<Option<f64>>>::deserialize(deserializer)?;
    Ok(numbers
        .and_then(|numbers| numbers.into_iter().collect())
        .unwrap_or_default())
}

impl Analysis {
    /// Reads an `analysis.json` file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is malformed, or if the length of a vector
    /// does not match the dimension of its layer.
    pub fn read(file: &Path) -> Result<Self, ReportError> {
        let mut analysis: Self = parse_json(&read_text(file)?, file, 1)?;
        analysis.file = file.into();
        analysis.check(file)?;
        Ok(analysis)
    }

    fn check(&self, file: &Path) -> Result<(), ReportError> {
        for layer in &self.layers {
            for (set, geometry) in [("tokens", &layer.tokens), ("sentences", &layer.sentences)] {
                let Some(geometry) = geometry else { continue };
                let dimension = geometry.dimension;
                let lengths = [
                    ("mean", geometry.mean.len()),
                    ("std", geometry.std.len()),
                    ("spectrum", geometry.spectrum.len()),
                ];
                if let Some((name, found)) = lengths
                    .into_iter()
                    .find(|(_, found)| *found != 0 && *found != dimension)
                {
                    return Err(ReportError::Width {
                        path: file.into(),
                        layer: layer.layer,
                        set,
                        name,
                        found,
                        dimension,
                    });
                }
                if let Some(outlier) = geometry
                    .outlier_dimensions
                    .iter()
                    .flatten()
                    .find(|outlier| outlier.dimension >= dimension)
                {
                    let found = outlier.dimension + 1;
                    return Err(ReportError::Width {
                        path: file.into(),
                        layer: layer.layer,
                        set,
                        name: "outlier_dimensions",
                        found,
                        dimension,
                    });
                }
            }
        }
        self.against
            .as_ref()
            .map_or(Ok(()), |against| against.check(file))
    }

    /// Iterates over this model and the one it is compared with.
    pub fn models(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.against.as_deref())
    }
}
