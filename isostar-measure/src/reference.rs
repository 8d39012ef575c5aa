//! Reference covariances for shrinkage, read from a file.

use std::fmt;
use std::path::Path;

use burn::tensor::Device;
use isostar_core::ScaledCovariance;

use crate::rows::Reading;
use crate::statistics::Statistics;
use crate::{EmbeddingsError, EmbeddingsFile, Note, Points, Source};

/// The largest asymmetry of a covariance, relative to its largest entry: f32 products computed in
/// both orders differ by as much.
const ASYMMETRY: f64 = 1e-5;

/// The interpretation of a reference file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// A matrix `[d, d]` that is symmetric and has no negative number on its diagonal.
    Covariance,
    /// Anything else: points, whose covariance is computed.
    Points,
}

/// A covariance to shrink towards.
#[derive(Clone, Debug)]
pub struct Reference {
    source: Source,
    kind: ReferenceKind,
    notes: Vec<Note>,
    pub(super) covariance: ScaledCovariance,
}

impl Reference {
    /// Interprets `points` as a covariance if their matrix is one; otherwise computes their
    /// covariance.
    ///
    /// # Errors
    /// If a number is not finite, there is no variance, or the device fails.
    pub fn of(
        points: &Points,
        device: &Device,
        progress: &dyn Fn(usize),
    ) -> Result<Self, EmbeddingsError> {
        let (source, notes) = (points.source().clone(), points.notes().to_vec());
        if points.are_square() {
            let width = points.width();
            let rows: Vec<usize> = (0..width).collect();
            let mut entries = Vec::new();
            points.read(&rows, &mut entries)?;
            if is_covariance(width, &entries) {
                let covariance = ScaledCovariance::from_entries(width, entries);
                let covariance = covariance.ok_or_else(|| EmbeddingsError::NoVariance {
                    place: source.clone(),
                })?;
                progress(width);
                return Ok(Self {
                    source,
                    kind: ReferenceKind::Covariance,
                    notes,
                    covariance,
                });
            }
        }
        points.unpack(progress)?;
        let covariance =
            Statistics::of(points, Reading::Once, false, device, progress)?.covariance();
        Ok(Self {
            source,
            kind: ReferenceKind::Points,
            notes,
            covariance,
        })
    }

    /// Where the covariance or its points come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The interpretation of the file.
    pub fn kind(&self) -> ReferenceKind {
        self.kind
    }

    /// The assumptions made about its points.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The width d.
    pub fn width(&self) -> usize {
        self.covariance.width
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, width) = (&self.source, self.width());
        match self.kind {
            ReferenceKind::Covariance => {
                write!(
                    f,
                    "{source}: taken as a covariance [{width}, {width}]: symmetric, without negative variances"
                )
            }
            ReferenceKind::Points => write!(f, "{source}: taken as points of width {width}"),
        }
    }
}

fn is_covariance(width: usize, entries: &[f64]) -> bool {
    let tolerance = ASYMMETRY
        * entries
            .iter()
            .fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
    let symmetric = |row: usize, column: usize| {
        (entries[row * width + column] - entries[column * width + row]).abs() <= tolerance
    };
    entries
        .iter()
        .step_by(width + 1)
        .all(|variance| *variance >= 0.0)
        && (0..width).all(|row| (0..row).all(|column| symmetric(row, column)))
}

/// The references in a file, each computed on first use.
#[derive(Debug)]
pub struct References {
    file: EmbeddingsFile,
    computed: Vec<Reference>,
}

impl References {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// As [`EmbeddingsFile::open`].
    pub fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        Ok(Self {
            file: EmbeddingsFile::open(path)?,
            computed: Vec::new(),
        })
    }

    /// Returns the reference for `points`: the tensor of the same name, or the only one of the
    /// file.
    ///
    /// # Errors
    /// If there are several tensors and none of that name, or the widths differ; otherwise as
    /// [`Reference::of`].
    pub fn of(
        &mut self,
        points: &Points,
        device: &Device,
        progress: &dyn Fn(usize),
    ) -> Result<&Reference, EmbeddingsError> {
        let counterpart = self.file.counterpart(points.source().tensor())?;
        if counterpart.width() != points.width() {
            return Err(EmbeddingsError::ReferenceWidth {
                place: points.source().clone(),
                reference: counterpart.source().clone(),
                expected: points.width(),
                found: counterpart.width(),
            });
        }
        let at = match self
            .computed
            .iter()
            .position(|reference| reference.source() == counterpart.source())
        {
            Some(at) => at,
            None => {
                self.computed
                    .push(Reference::of(&counterpart, device, progress)?);
                self.computed.len() - 1
            }
        };
        Ok(&self.computed[at])
    }

    /// The references computed so far.
    pub fn computed(&self) -> &[Reference] {
        &self.computed
    }
}
