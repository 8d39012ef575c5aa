use std::fmt;

use super::ModelId;

/// What a repository on the hub holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryKind {
    /// A model.
    Model,
    /// Data.
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

/// A repository, and what is to be brought from it.
#[derive(Clone, Copy)]
pub(super) struct Repository<'a> {
    pub(super) id: &'a ModelId,
    pub(super) wanted: Wanted<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The files that make a model.
    Model {
        /// Whether the model is of no use without a tokenizer.
        needs_tokenizer: bool,
    },
    /// Files of a dataset, by name.
    Dataset(&'a [&'a str]),
}

impl Repository<'_> {
    pub(super) fn kind(&self) -> RepositoryKind {
        match self.wanted {
            Wanted::Model { .. } => RepositoryKind::Model,
            Wanted::Dataset(_) => RepositoryKind::Dataset,
        }
    }

    /// The plural under which the hub's interface, and the cache, file repositories of this kind.
    pub(super) fn group(&self) -> &'static str {
        match self.wanted {
            Wanted::Model { .. } => "models",
            Wanted::Dataset(_) => "datasets",
        }
    }

    /// The path of the repository's page.
    pub(super) fn page(&self) -> String {
        match self.wanted {
            Wanted::Model { .. } => self.id.name.clone(),
            Wanted::Dataset(_) => format!("datasets/{}", self.id.name),
        }
    }
}
