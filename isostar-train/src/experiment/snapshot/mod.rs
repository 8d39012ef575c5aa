//! Snapshots: the whole state of a run between two steps.
//!
//! | file of `checkpoint/step-N/` | contents |
//! |---|---|
//! | model.bpk | parameters |
//! | optimizer.bpk | moments and step of AdamW |
//! | state.json | settings, place in the run, sums of the metrics of the epoch, seconds, the lines of metrics.jsonl |
//! | reference.safetensors | reference covariance of the epoch; absent between epochs |
//! | regularizer.safetensors | tensors that the regularizer remembers; absent without any |
//! | answers.bin | predictions on the training rows of the epoch so far |
//! | manifest.json | size and SHA-256 of each file, and of the manifest |
//!
//! A snapshot is believed only if its manifest holds.

mod ids;
mod interval;
mod manifest;
mod parts;
mod state;
mod store;
mod writer;

use std::fmt;
use std::path::Path;

pub(super) use ids::number_parameters;
pub use interval::SnapshotInterval;
pub(super) use manifest::{FileDigest, MANIFEST, Manifest, sha256};
pub(super) use parts::Parts;
pub(super) use state::{Before, Place, State};
pub(super) use store::SnapshotStore;
pub(super) use writer::SnapshotWriter;

/// A damaged snapshot.
pub(super) struct SnapshotNote<'a> {
    pub folder: &'a Path,
    pub fault: &'a str,
}

impl fmt::Display for SnapshotNote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is passed over: {}",
            self.folder.display(),
            self.fault
        )
    }
}
