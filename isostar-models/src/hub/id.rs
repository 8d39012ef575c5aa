use std::fmt;
use std::str::FromStr;

use super::HubError;

/// A model on the hub, or a dataset: `organisation/name`, `organisation/name@revision`, or a `name` alone for the oldest ones.
///
/// ```
/// use isostar_models::hub::ModelId;
///
/// let id: ModelId = "google-bert/bert-base-uncased@refs/pr/3".parse()?;
/// assert_eq!((id.name.as_str(), id.revision.as_str()), ("google-bert/bert-base-uncased", "refs/pr/3"));
/// # Ok::<(), isostar_models::hub::HubError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// The repository, with its organisation.
    pub name: String,
    /// A branch, a tag or a commit hash; [`MAIN`](ModelId::MAIN) by default.
    pub revision: String,
}

impl ModelId {
    /// The revision meant where none is given.
    pub const MAIN: &str = "main";

    /// The longest name that the hub gives.
    const LONGEST: usize = 96;

    /// Whether the hub could have given this name, so that it is safe in an address and in a path.
    pub(super) fn check(&self) -> Result<(), HubError> {
        match check_name(&self.name).and_then(|()| check_revision(&self.revision)) {
            Ok(()) => Ok(()),
            Err(reason) => Err(HubError::NotAnId { text: self.to_string(), reason }),
        }
    }
}

impl FromStr for ModelId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let (name, revision) = text.split_once('@').unwrap_or((text, Self::MAIN));
        let id = Self { name: name.to_string(), revision: revision.to_string() };
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

/// The rules of huggingface_hub's `validate_repo_id`.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.split('/').any(str::is_empty) {
        return Err("a part of the name is empty");
    }
    if name.split('/').count() > 2 {
        return Err("a name has one slash at most");
    }
    if name.len() > ModelId::LONGEST {
        return Err("a name has 96 characters at most");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
        return Err("a name has letters, digits, '-', '_' and '.' only");
    }
    if name.split('/').any(|part| part.starts_with(['-', '.']) || part.ends_with(['-', '.'])) {
        return Err("no part of a name begins or ends with '-' or '.'");
    }
    if name.contains("--") || name.contains("..") || name.ends_with(".git") {
        return Err("a name holds neither '--' nor '..', and does not end in '.git'");
    }
    Ok(())
}

/// The rules of `git check-ref-format`, and none of the characters that a path or an address could misread.
fn check_revision(revision: &str) -> Result<(), &'static str> {
    if revision.is_empty() || revision.split('/').any(str::is_empty) {
        return Err("a part of the revision is empty");
    }
    if revision.chars().any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\\"<>|".contains(c)) {
        return Err("the revision holds a character that git does not allow");
    }
    if revision.contains("..") || revision.starts_with('-') || revision.split('/').any(|part| part.starts_with('.')) {
        return Err("the revision is not one that git allows");
    }
    Ok(())
}
