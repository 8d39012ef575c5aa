//! The paths of the files of a run.

use std::path::{Path, PathBuf};

use super::{RESULT, RunFolder};

impl RunFolder {
    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of config.toml.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The path of metrics.jsonl.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// The path of control.jsonl, the steps of a regularizer that adapts.
    pub fn control(&self) -> PathBuf {
        self.path.join("control.jsonl")
    }

    /// The path of geometry.jsonl, the measurements of a monitor.
    pub fn geometry(&self) -> PathBuf {
        self.path.join("geometry.jsonl")
    }

    /// The path of result.json.
    pub fn results(&self) -> PathBuf {
        self.path.join(RESULT)
    }

    /// The path of the trained model.
    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }
}
