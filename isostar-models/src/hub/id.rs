use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The name and revision of a model or dataset on the hub.
///
/// The text form is `organisation/name` or `organisation/name@revision`. The oldest repositories
/// have a `name` without an organisation.
///
/// ```
/// use isostar_models::hub::ModelId;
///
/// let id: ModelId = "google-bert/bert-base-uncased@refs/pr/3".parse()?;
/// assert_eq!((id.name.as_str(), id.revision.as_str()), ("google-bert/bert-base-uncased", "refs/pr/3"));
/// # Ok::<(), isostar_models::hub::InvalidId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// The name of the repository, with its organisation.
    pub name: String,
    /// A branch, a tag or a commit hash; [`MAIN`](ModelId::MAIN) by default.
    pub revision: String,
}

/// The error of a text that is not a valid name of a model on the hub.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a valid model name on the hub: {reason}")]
pub struct InvalidId {
    /// The invalid text.
    pub text: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl ModelId {
    /// The default revision.
    pub const MAIN: &str = "main";

    /// The maximum length of a name on the hub.
    const LONGEST: usize = 96;

    /// Checks that the name is valid on the hub, and therefore safe in a URL and in a path.
    pub(super) fn check(&self) -> Result<(), InvalidId> {
        match check_name(&self.name).and_then(|()| check_revision(&self.revision)) {
            Ok(()) => Ok(()),
            Err(reason) => Err(InvalidId {
                text: self.to_string(),
                reason,
            }),
        }
    }

    /// Whether the revision is the full hash of a commit.
    pub(super) fn is_commit(&self) -> bool {
        is_commit(&self.revision)
    }
}

impl FromStr for ModelId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (name, revision) = text.split_once('@').unwrap_or((text, Self::MAIN));
        let id = Self {
            name: name.to_string(),
            revision: revision.to_string(),
        };
        id.check().map(|()| id)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision == Self::MAIN {
            true => f.write_str(&self.name),
            false => write!(f, "{}@{}", self.name, self.revision),
        }
    }
}

/// Whether a revision is the full hash of a commit.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40
        && revision
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The rules of huggingface_hub's `validate_repo_id`.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.split('/').any(str::is_empty) {
        return Err("a part of the name is empty");
    }
    if name.split('/').count() > 2 {
        return Err("a name may contain at most one slash");
    }
    if name.len() > ModelId::LONGEST {
        return Err("a name may have at most 96 characters");
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    {
        return Err("a name may contain only letters, digits, '-', '_' and '.'");
    }
    if name
        .split('/')
        .any(|part| part.starts_with(['-', '.']) || part.ends_with(['-', '.']))
    {
        return Err("a part of a name must not begin or end with '-' or '.'");
    }
    if name.contains("--") || name.contains("..") || name.ends_with(".git") {
        return Err("a name must not contain '--' or '..' or end in '.git'");
    }
    Ok(())
}

/// The rules of `git check-ref-format`. Characters that have a meaning in paths or URLs are not
/// allowed either.
fn check_revision(revision: &str) -> Result<(), &'static str> {
    if revision.is_empty() || revision.split('/').any(str::is_empty) {
        return Err("a part of the revision is empty");
    }
    if revision
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\\"<>|".contains(c))
    {
        return Err("the revision contains a character that git does not allow");
    }
    if revision.contains("..")
        || revision.starts_with('-')
        || revision.split('/').any(|part| part.starts_with('.'))
    {
        return Err("the revision is not a valid name of a git reference");
    }
    Ok(())
}
