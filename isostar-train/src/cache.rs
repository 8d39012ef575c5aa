//! The folder of what isostar keeps between runs.

use std::ffi::OsString;
use std::path::PathBuf;

use isostar_models::{expand_path, user_folder};

/// The user's cache: `ISOSTAR_CACHE`, by default `$XDG_CACHE_HOME/isostar`, with `XDG_CACHE_HOME` by
/// default `~/.cache`.
///
/// Both may contain `~` and environment variables, see [`expand_path`]. `var` looks a variable up.
pub(crate) fn cache_folder(var: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let path = |name: &str| {
        var(name)
            .filter(|value| !value.is_empty())
            .map(|value| expand_path(value, &var))
    };
    let user = || user_folder(&var).join(".cache");
    path("ISOSTAR_CACHE")
        .unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(user).join("isostar"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn environment_variables_select_the_folder() {
        let folder = |variables: &[(&str, &str)]| {
            cache_folder(|name| {
                variables
                    .iter()
                    .find(|(variable, _)| *variable == name)
                    .map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(
            folder(&[("HOME", "/home/me")]),
            Path::new("/home/me/.cache/isostar")
        );
        assert_eq!(
            folder(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", "/scratch")]),
            Path::new("/scratch/isostar")
        );
        assert_eq!(
            folder(&[
                ("HOME", "/home/me"),
                ("XDG_CACHE_HOME", "/scratch"),
                ("ISOSTAR_CACHE", "/own")
            ]),
            Path::new("/own")
        );
        assert_eq!(
            folder(&[("HOME", "/home/me"), ("ISOSTAR_CACHE", "")]),
            Path::new("/home/me/.cache/isostar")
        );
        assert_eq!(
            folder(&[("HOME", "/home/me"), ("ISOSTAR_CACHE", "~/own")]),
            Path::new("/home/me/own")
        );
        let scratch = [
            ("SCRATCH", "/scratch"),
            ("XDG_CACHE_HOME", "${SCRATCH}/$SCRATCH"),
        ];
        assert_eq!(folder(&scratch), Path::new("/scratch//scratch/isostar"));
    }
}
