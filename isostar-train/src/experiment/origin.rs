//! The snapshot from which a run goes on.

use super::ExperimentError;
use super::run::Run;
use super::snapshot::Parts;

impl Run {
    /// Reads the newest whole snapshot: the first process chooses it, and the others read the same.
    pub fn newest_snapshot(&self) -> Result<Option<Parts>, ExperimentError> {
        let found = match self.world.is_first() {
            true => self.folder.newest_snapshot(self.observer.as_ref()),
            false => None,
        };
        let step = found
            .as_ref()
            .map(|parts| parts.state.place.step.to_string());
        let step = step.unwrap_or_default().into_bytes();
        let step = self.world.from_first(step)?;
        if self.world.is_first() {
            return Ok(found);
        }
        let Some(step) = String::from_utf8_lossy(&step).parse().ok() else {
            return Ok(None);
        };
        let store = self.folder.snapshots();
        let unread = |message| ExperimentError::Snapshot {
            path: store.folder(step),
            message: format!("rank {} reads: {message}", self.world.rank()),
        };
        store.read(step).map(Some).map_err(unread)
    }
}
