//! Expansion of paths in environment variables, equivalent to Python's
//! `os.path.expandvars(os.path.expanduser(…))`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Expands a path, using `var` to look up environment variables.
///
/// A leading `~` is replaced by the user's home folder, and `$NAME` and `${NAME}` by the value of
/// the variable. References to variables that are not set are left unchanged.
///
/// ```
/// use std::path::Path;
/// use isostar_models::expand_path;
///
/// let var = |name: &str| (name == "SCRATCH").then(|| "/scratch/me".into());
/// assert_eq!(expand_path("${SCRATCH}/models/$JOB".into(), var), Path::new("/scratch/me/models/$JOB"));
/// ```
pub fn expand_path(value: OsString, var: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let path = match Path::new(&value).strip_prefix("~") {
        Ok(rest) => user_folder(&var).join(rest),
        Err(_) => value.into(),
    };
    match path.to_str() {
        Some(text) if text.contains('$') => with_values(text, var).into(),
        _ => path,
    }
}

/// The user's home folder; empty if the environment does not name one.
pub fn user_folder(var: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name: &str| var(name).filter(|value| !value.is_empty());
    ["HOME", "USERPROFILE"]
        .into_iter()
        .find_map(set)
        .unwrap_or_default()
        .into()
}

/// `text` with references to variables replaced by their values.
fn with_values(text: &str, var: impl Fn(&str) -> Option<OsString>) -> OsString {
    let mut expanded = OsString::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, reference) = rest.split_at(start);
        expanded.push(before);
        let (name, length) = named(reference);
        let (reference, after) = reference.split_at(length);
        expanded.push(var(name).unwrap_or_else(|| reference.into()));
        rest = after;
    }
    expanded.push(rest);
    expanded
}

/// The variable that the reference at the start of `text` names, and the length of the reference.
/// Without a valid reference, the name is empty and the length is that of the `$`.
fn named(text: &str) -> (&str, usize) {
    let after = &text[1..];
    if let Some((name, _)) = after
        .strip_prefix('{')
        .and_then(|braced| braced.split_once('}'))
    {
        return (name, name.len() + 3);
    }
    let is_other = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
    let name = &after[..after.find(is_other).unwrap_or(after.len())];
    (name, name.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_in_python() {
        let var = |name: &str| match name {
            "HOME" => Some("/home/me".into()),
            "A" => Some("a/$B".into()),
            "B" => Some("b".into()),
            "NONE" => Some("".into()),
            _ => None,
        };
        // os.path.expandvars(os.path.expanduser(text)) in Python 3.11 with these variables.
        for (text, expected) in [
            ("~", "/home/me"),
            ("~/x", "/home/me/x"),
            ("~x/y", "~x/y"),
            ("x/~", "x/~"),
            ("$HOME/x", "/home/me/x"),
            ("${B}c/$B.c/$Bc", "bc/b.c/$Bc"),
            ("$A", "a/$B"),
            ("x$NONE-y${NONE}", "x-y"),
            ("$", "$"),
            ("a$/$$B", "a$/$b"),
            ("${B", "${B"),
            ("${}/$C", "${}/$C"),
        ] {
            assert_eq!(expand_path(text.into(), var), Path::new(expected), "{text}");
        }
    }
}
