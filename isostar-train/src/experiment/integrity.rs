//! The files of a run that is over, against its manifest.

use super::snapshot::{MANIFEST, Manifest};
use super::{ExperimentError, Observer, RunFolder, RunResult};

impl RunFolder {
    /// Checks the trained model against the manifest of the run. A run without a manifest is not
    /// over, or was made by an earlier version.
    ///
    /// # Errors
    /// If the manifest or a file of the model is damaged.
    pub fn check_model(&self) -> Result<(), ExperimentError> {
        if !self.path().join(MANIFEST).exists() {
            return Ok(());
        }
        let faults = Manifest::read(self.path()).map_or_else(
            |fault| vec![fault],
            |mut manifest| {
                manifest
                    .files
                    .retain(|name, _| self.path().join(name).starts_with(self.model()));
                manifest.faults(self.path())
            },
        );
        if faults.is_empty() {
            return Ok(());
        }
        Err(ExperimentError::Damaged {
            path: self.path().into(),
            faults,
        })
    }

    /// Checks the files of a run that is over against its manifest; returns the faults.
    pub fn faults(&self) -> Vec<String> {
        match Manifest::read(self.path()) {
            Ok(manifest) => manifest.faults(self.path()),
            Err(fault) => vec![fault],
        }
    }

    /// Reads the result of a run whose files are all as its manifest says; reports those that are
    /// not.
    pub(crate) fn whole_result(
        &self,
        observer: &dyn Observer,
    ) -> Result<Option<RunResult>, ExperimentError> {
        if !self.results().exists() && !self.path().join(MANIFEST).exists() {
            return Ok(None);
        }
        let faults = match Manifest::read(self.path()) {
            // Stopped between the manifest and the result.
            Ok(_) if !self.results().exists() => return Ok(None),
            Ok(manifest) => manifest.faults(self.path()),
            // Stopped while its files were removed, to go on with the run.
            Err(_) if !self.path().join(MANIFEST).exists() => return Ok(None),
            Err(fault) => vec![fault],
        };
        if faults.is_empty() {
            return self.result();
        }
        for fault in faults {
            observer.note(&format!(
                "{}: {fault}; it is made anew",
                self.path().display()
            ));
        }
        Ok(None)
    }
}
