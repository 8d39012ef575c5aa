//! `isostar verify`.

use std::fs;

use serde_json::Value;

use crate::command::isostar;
use crate::run::{Random, undisturbed};

#[test]
fn verify_passes_an_honest_run_and_finds_one_altered_bit() {
    let whole = undisturbed();
    let honest = isostar(&whole.at, &["verify", "run"]);
    assert!(
        honest.status.success(),
        "{}",
        String::from_utf8_lossy(&honest.stderr)
    );
    assert!(String::from_utf8_lossy(&honest.stdout).contains("the same bits"));

    let mut snapshots: Vec<usize> = fs::read_dir(whole.at.join("run/checkpoint"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .strip_prefix("step-")
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    snapshots.sort_unstable();
    let predecessor = snapshots[snapshots.len() - 2];
    let folder = tempfile::TempDir::new_in(&whole.at).unwrap();
    let forged = folder.path().join("run");
    std::process::Command::new("cp")
        .arg("-r")
        .args([&whole.at.join("run"), &forged])
        .status()
        .unwrap();
    let snapshot = forged.join(format!("checkpoint/step-{predecessor}"));
    let weights = snapshot.join("model.bpk");
    let mut bytes = fs::read(&weights).unwrap();
    let at = bytes.len() / 2 + 4 * Random::new(7).below(1000);
    bytes[at] ^= 1;
    fs::write(&weights, &bytes).unwrap();
    let refused = |fault: &str| {
        let output = isostar(&whole.at, &["verify", "--json", forged.to_str().unwrap()]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["from_step"], predecessor);
        assert!(
            report["differences"]
                .as_array()
                .unwrap()
                .iter()
                .any(|found| found.as_str().unwrap().contains(fault)),
            "{report}"
        );
    };
    refused("model.bpk is damaged: its SHA-256 differs");

    // A forger who writes the manifest anew is found by the replay.
    let sha256 = |bytes: &[u8]| -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let manifest = snapshot.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let old: Value = serde_json::from_str(&text).unwrap();
    let replaced = |text: &str| {
        let old = old["manifest"]["files"]["model.bpk"]["sha256"]
            .as_str()
            .unwrap();
        text.replace(old, &sha256(&bytes))
    };
    let text = replaced(&text);
    // The hash is that of the manifest without white space, in the order of its fields.
    let body = text
        .split_once("\"manifest\": ")
        .unwrap()
        .1
        .rsplit_once(",\n  \"sha256\"")
        .unwrap()
        .0;
    let compact: String = body.split_whitespace().collect();
    let text = text.replace(old["sha256"].as_str().unwrap(), &sha256(compact.as_bytes()));
    fs::write(&manifest, text).unwrap();
    refused("model.bpk: ");
}
