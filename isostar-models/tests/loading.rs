//! The cost of reading a model, compared with reading the bytes of its files.

#![cfg(target_os = "linux")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use burn::prelude::*;
use common::fixture;
use isostar_models::{Encoder, Gpt2Config, ModelConfig, Pretrained};
use tempfile::TempDir;
use tokenizers::Tokenizer;

/// Maximum time, relative to the time of reading the bytes of the weights.
const LONGEST: f64 = 1.5;
/// Maximum memory, relative to the size of the weights.
const LARGEST: f64 = 1.3;
/// The environment variable with the folder that a child process reads once.
const ONCE: &str = "ISOSTAR_READ_ONCE";

/// The folder of MiniLM.
fn minilm() -> PathBuf {
    let models =
        std::env::var_os("ISOSTAR_MODELS").expect("ISOSTAR_MODELS names a folder of models");
    Path::new(&models)
        .join("minilm")
        .canonicalize()
        .expect("the folder contains minilm")
}

/// MiniLM, whose matrices are transposed, and a third of GPT-2, whose matrices are split. Both have
/// the small tokenizer of a fixture, so that reading the weights takes most of the time.
fn folders() -> [(&'static str, TempDir); 2] {
    let tokenizer = fixture("bert_classes/tokenizer.json");
    let linked = tempfile::tempdir().unwrap();
    for file in [
        minilm().join("config.json"),
        minilm().join("model.safetensors"),
        tokenizer.clone(),
    ] {
        std::os::unix::fs::symlink(&file, linked.path().join(file.file_name().unwrap())).unwrap();
    }
    let written = tempfile::tempdir().unwrap();
    let config = ModelConfig::Gpt2(Gpt2Config {
        n_layer: 4,
        ..Gpt2Config::default()
    });
    let tokenizer = Tokenizer::from_file(tokenizer).unwrap();
    Pretrained::<Encoder>::from_scratch(config, tokenizer, &Device::flex())
        .unwrap()
        .write(written.path())
        .unwrap();
    [("minilm", linked), ("gpt2", written)]
}

fn read(folder: &Path) -> Pretrained<Encoder> {
    Pretrained::read(folder, &Device::flex()).unwrap()
}

/// The median time of each function in seconds. The functions run in turns.
fn medians(works: [&dyn Fn(); 2]) -> [f64; 2] {
    const ROUNDS: usize = 15;
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter().zip(&mut times) {
            let start = Instant::now();
            work();
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

/// Run `ISOSTAR_MODELS=FOLDER cargo test --workspace --test loading -- --ignored --nocapture
/// --test-threads 1`. The folder contains minilm.
#[test]
#[ignore = "a measurement; needs real models in the folder named by ISOSTAR_MODELS"]
fn reading_the_weights_takes_little_longer_than_reading_their_bytes() {
    for (name, folder) in folders() {
        let file = folder.path().join("model.safetensors");
        let [bytes, weights] = medians([&|| drop(std::fs::read(&file).unwrap()), &|| {
            drop(read(folder.path()))
        }]);
        let ratio = weights / bytes;
        println!(
            "{name}: bytes {:.1} ms, weights {:.1} ms: {ratio:.2} times",
            bytes * 1e3,
            weights * 1e3
        );
        assert!(ratio < LONGEST, "{name}");
    }
    let tokenizer = || drop(Tokenizer::from_file(minilm().join("tokenizer.json")).unwrap());
    let [tokenizer, all] = medians([&tokenizer, &|| drop(read(&minilm()))]);
    println!(
        "minilm: tokenizer {:.1} ms, the whole folder {:.1} ms",
        tokenizer * 1e3,
        all * 1e3
    );
}

/// Resident memory in bytes: `VmRSS` is the current value, `VmHWM` the maximum.
fn resident(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .expect("Linux reports the field");
    1024.0
        * line
            .trim()
            .strip_suffix(" kB")
            .unwrap()
            .parse::<f64>()
            .unwrap()
}

/// Run with the same command as above. Memory is measured in a process that does nothing else.
#[test]
#[ignore = "a measurement; needs real models in the folder named by ISOSTAR_MODELS"]
fn reading_a_model_needs_little_more_memory_than_the_model() {
    if let Some(folder) = std::env::var_os(ONCE) {
        let before = resident("VmRSS");
        let pretrained = read(Path::new(&folder));
        println!(
            "peak {} end {}",
            resident("VmHWM") - before,
            resident("VmRSS") - before
        );
        drop(pretrained);
        return;
    }
    for (name, folder) in folders() {
        let size = std::fs::metadata(folder.path().join("model.safetensors"))
            .unwrap()
            .len() as f64;
        let mut once = Command::new(std::env::current_exe().unwrap());
        let arguments = [
            "--ignored",
            "--exact",
            "--nocapture",
            "reading_a_model_needs_little_more_memory_than_the_model",
        ];
        let output = once
            .args(arguments)
            .env(ONCE, folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let number = |name: &str| -> f64 {
            text.split_whitespace()
                .skip_while(|word| *word != name)
                .nth(1)
                .unwrap()
                .parse()
                .unwrap()
        };
        let (peak, end) = (number("peak") / size, number("end") / size);
        println!(
            "{name}: of {:.1} MB of weights {peak:.2} times at most, {end:.2} times in the end",
            size / 1e6
        );
        assert!(peak < LARGEST, "{name}");
    }
}
