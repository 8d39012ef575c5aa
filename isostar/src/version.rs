//! Text of `isostar --version`: versions of isostar and Burn, compiled features, and available
//! devices.

use isostar_train::device::{compiled_devices, parse_device};

/// Burn's version, which the workspace pins.
const BURN: &str = "0.22.1";

/// Features, by their names in the manifest, and whether they are compiled in.
const FEATURES: &[(&str, bool)] = &[
    ("cuda", cfg!(feature = "cuda")),
    ("flex", cfg!(feature = "flex")),
    ("hub", cfg!(feature = "hub")),
    ("mpi", cfg!(feature = "mpi")),
    ("ndarray", cfg!(feature = "ndarray")),
    ("tui", cfg!(feature = "tui")),
    ("wgpu", cfg!(feature = "wgpu")),
];

/// Returns the text after the command's name.
///
/// Clap builds its texts at every start, so devices are queried only if the command line contains
/// `--version`.
pub fn long() -> &'static str {
    if !std::env::args_os().any(|argument| argument == "--version") {
        return env!("CARGO_PKG_VERSION");
    }
    let text = format!(
        "{}\nBurn {BURN}\nfeatures: {}\ndevices: {}",
        env!("CARGO_PKG_VERSION"),
        names(
            FEATURES
                .iter()
                .filter(|(_, compiled)| *compiled)
                .map(|(name, _)| (*name).into())
        ),
        names(compiled_devices().into_iter().flat_map(devices))
    );
    text.leak()
}

/// Returns the available devices of a backend, by the names that --device takes.
fn devices(backend: &str) -> Vec<String> {
    let is_there = |name: &String| parse_device(name).is_ok();
    match backend {
        "cuda" => (0..)
            .map(|index| format!("cuda:{index}"))
            .take_while(is_there)
            .collect(),
        _ => Some(backend.to_string())
            .into_iter()
            .filter(is_there)
            .collect(),
    }
}

fn names(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        "none".into()
    } else {
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_burn_is_the_one_in_the_workspace() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&format!("burn = {{ version = \"={BURN}\"")));
    }

    #[test]
    fn every_feature_of_the_manifest_is_named() {
        let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
        let features = manifest["features"]
            .as_table()
            .unwrap()
            .keys()
            .filter(|name| *name != "default");
        assert_eq!(
            features.collect::<Vec<_>>(),
            FEATURES.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
    }
}
