//! analysis.json.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isostar_core::measure::MEASURES;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{parse_json, read_text};
use crate::report::ReportError;

/// The geometry of a model's states, layer by layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Analysis {
    /// The file it was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// The model.
    pub model: String,
    /// The task whose rows were embedded.
    pub task: Option<String>,
    /// The split.
    pub split: Option<String>,
    /// The rows.
    pub rows: usize,
    /// Their tokens.
    pub tokens: usize,
    /// The seed of what is sampled.
    pub seed: u64,
    /// How many points the quadratic measures were computed from, where not from all.
    pub sample: Option<usize>,
    /// The device.
    pub device: Option<String>,
    /// Seconds it took.
    pub seconds: Option<f64>,
    /// The layers, 0 being the embedding output.
    pub layers: Vec<Layer>,
    /// The model that the first is compared with.
    pub against: Option<Box<Analysis>>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Layer {
    /// Its number.
    pub layer: usize,
    /// The geometry of token states.
    pub tokens: Option<Geometry>,
    /// The geometry of sentence vectors.
    pub sentences: Option<Geometry>,
}

/// What was measured of points: values of the measures of [`MEASURES`] that the file has, and what is more than one number.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Geometry {
    /// n.
    pub points: usize,
    /// d.
    pub dimension: usize,
    /// The 95% confidence interval of the unbiased estimate of IsoScore.
    #[serde(deserialize_with = "both_ends")]
    pub isoscore_interval: Option<[f64; 2]>,
    /// The components that carry most of the variance.
    pub explained_variance: Option<Share>,
    /// The dimensions that stand out; `None` where the file does not say.
    pub outlier_dimensions: Option<Vec<OutlierDimension>>,
    /// The eigenvalues of the covariance, descending; none if one of them is null, and likewise below.
    #[serde(deserialize_with = "all_numbers")]
    pub spectrum: Vec<f64>,
    /// The mean of each dimension.
    #[serde(deserialize_with = "all_numbers")]
    pub mean: Vec<f64>,
    /// The standard deviation of each dimension.
    #[serde(deserialize_with = "all_numbers")]
    pub std: Vec<f64>,
    /// The measures that are one number in the file, by their names.
    #[serde(flatten, deserialize_with = "measures")]
    values: BTreeMap<&'static str, f64>,
}

impl Geometry {
    /// The value of the measure of that name; `None` where the file has none. Of the explained variance it is the number of components, and
    /// of the outlier dimensions how many there are.
    pub fn value(&self, name: &str) -> Option<f64> {
        match name {
            "explained_variance" => Some(self.explained_variance?.components as f64),
            "outlier_dimensions" => Some(self.outlier_dimensions.as_ref()?.len() as f64),
            name => self.values.get(name).copied(),
        }
    }
}

/// So many components carry such a share of the variance.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Share {
    /// How many.
    pub components: usize,
    /// Which share.
    pub share: Option<f64>,
}

/// A dimension whose mean or variance stands out.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct OutlierDimension {
    /// Its number, from 0.
    pub dimension: usize,
    /// Its mean.
    pub mean: Option<f64>,
    /// Its standard deviation.
    pub std: Option<f64>,
}

/// An interval of which both ends are known.
fn both_ends<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let ends = Option::<[Option<f64>; 2]>::deserialize(deserializer)?;
    Ok(ends.and_then(|[low, high]| Some([low?, high?])))
}

/// Numbers under the names of measures, of what other fields did not take. A measure without a value is null or missing.
fn measures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<&'static str, f64>, D::Error> {
    let entries = Map::<String, Value>::deserialize(deserializer)?;
    let mut values = BTreeMap::new();
    for measure in MEASURES {
        if let Some(entry) = entries.get(measure.name) {
            let value = Option::<f64>::deserialize(entry).map_err(|error| D::Error::custom(format_args!("{}: {error}", measure.name)))?;
            values.extend(value.map(|value| (measure.name, value)));
        }
    }
    Ok(values)
}

/// A vector of which every number is known.
fn all_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Option::<Vec<Option<f64>>>::deserialize(deserializer)?;
    Ok(numbers.and_then(|numbers| numbers.into_iter().collect()).unwrap_or_default())
}

impl Analysis {
    /// Reads analysis.json.
    ///
    /// # Errors
    /// If it cannot be read or is malformed, or the vectors of a layer have other lengths than its dimension.
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
                let lengths = [("mean", geometry.mean.len()), ("std", geometry.std.len()), ("spectrum", geometry.spectrum.len())];
                if let Some((name, found)) = lengths.into_iter().find(|(_, found)| *found != 0 && *found != dimension) {
                    return Err(ReportError::Width { path: file.into(), layer: layer.layer, set, name, found, dimension });
                }
                if let Some(outlier) = geometry.outlier_dimensions.iter().flatten().find(|outlier| outlier.dimension >= dimension) {
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
        self.against.as_ref().map_or(Ok(()), |against| against.check(file))
    }

    /// This model and the one it is compared with.
    pub fn models(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.against.as_deref())
    }
}
