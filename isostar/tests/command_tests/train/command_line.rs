//! What the command says of itself: its version, its completions, its manual.

use tempfile::TempDir;

use crate::command::{names, succeed};

/// The commands of `isostar --help`.
fn commands(help: &str) -> Vec<&str> {
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    listed
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .collect()
}

#[test]
fn the_long_version_names_burn_features_and_devices_that_train_takes() {
    let folder = TempDir::new().unwrap();
    let version = succeed(folder.path(), &["--version"]);
    let lines: Vec<&str> = version.lines().collect();
    assert_eq!(lines[0], concat!("isostar ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("Burn 0."), "{version}");
    let features = lines[2].strip_prefix("features: ").unwrap().split(", ");
    assert_eq!(
        features.clone().any(|name| name == "hub"),
        cfg!(feature = "hub")
    );
    assert_eq!(
        features.clone().any(|name| name == "cuda"),
        cfg!(feature = "cuda")
    );
    assert!(features.clone().any(|name| name == "flex"), "{version}");
    for device in lines[3].strip_prefix("devices: ").unwrap().split(", ") {
        isostar_train::device::parse_device(device).unwrap();
    }
    assert_eq!(
        succeed(folder.path(), &["-V"]).lines().collect::<Vec<_>>(),
        lines[..1]
    );
}

#[test]
fn every_shell_and_the_manual_know_every_command_and_its_flags() {
    let folder = TempDir::new().unwrap();
    let help = succeed(folder.path(), &["--help"]);
    let commands = commands(&help);
    assert!(commands.len() >= 9, "{help}");
    for target in ["bash", "zsh", "fish", "elvish", "powershell", "man"] {
        // A minus is escaped in a manual, and fish writes flags without theirs.
        let text = succeed(folder.path(), &["completions", target]).replace("\\-", "-");
        for name in &commands {
            assert!(text.contains(name), "{target} does not know {name}");
        }
        assert!(
            text.contains("batch-size") && text.contains("predictions"),
            "{target}"
        );
    }
    let manual = succeed(folder.path(), &["completions", "man"]);
    let pages = manual
        .lines()
        .filter(|line| line.starts_with(".TH isostar"));
    assert_eq!(
        pages.count(),
        commands.len() + 1,
        "a page for isostar, and one for each command"
    );
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
