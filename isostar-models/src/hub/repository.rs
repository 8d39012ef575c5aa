use std::fmt;

use super::id::ModelId;

/// The kind of a repository on the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

impl fmt::Display for RepositoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        })
    }
}

/// A repository and the files to download from it.
#[derive(Clone, Copy)]
pub(super) struct Repository<'a> {
    pub(super) id: &'a ModelId,
    pub(super) wanted: Wanted<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The files of a model.
    Model {
        /// Whether a tokenizer is required.
        needs_tokenizer: bool,
    },
    /// The dataset files with these names.
    Dataset(&'a [&'a str]),
}

impl Repository<'_> {
    pub(super) fn kind(&self) -> RepositoryKind {
        match self.wanted {
            Wanted::Model { .. } => RepositoryKind::Model,
            Wanted::Dataset(_) => RepositoryKind::Dataset,
        }
    }

    /// The plural of the kind, which the hub's API and the cache use in paths.
    pub(super) fn group(&self) -> &'static str {
        match self.wanted {
            Wanted::Model { .. } => "models",
            Wanted::Dataset(_) => "datasets",
        }
    }

    /// The path of the repository's page on the hub.
    pub(super) fn page(&self) -> String {
        match self.wanted {
            Wanted::Model { .. } => self.id.name.clone(),
            Wanted::Dataset(_) => format!("datasets/{}", self.id.name),
        }
    }
}
