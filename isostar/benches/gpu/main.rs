//! What a device makes of isostar's training: which types it has, whether it agrees with flex, and how long a step takes.
//!
//! ```text
//! cargo bench --workspace --bench gpu --features isostar/cuda --profile dev -- DEVICE STAGE [key=value …]
//!   probe                                       types, TF32, speed of products and of the embedding's gradient
//!   parity   [steps=8 precision=f32]             losses and scores of a small BERT beside flex, step by step, without dropout
//!   step     [layers=12 width=768 rows=32 tokens=128 steps=20 precision=f32]      plain and I-STAR, host and device time, memory
//!   lengths  [multiple=1 steps=60 rows=32]      steps of batches of many lengths, padded to a multiple
//!   measure  [n=20000 d=768]                    moments, IsoScore and TwoNN beside flex
//!   evaluate [rows=64 tokens=64]                a forward pass, with and without the moments of every layer
//!   train    model=DIR out=DIR [limit=3200]     a whole run by the library, as `isostar train` makes it
//! ```
//!
//! Each finding is one line of JSON, written at once, so that a run that is cut off keeps what it found.

mod evaluate;
mod measure;
mod model;
mod parity;
mod probe;
mod step;

use std::collections::HashMap;
use std::time::Instant;

use burn::prelude::*;
use isostar_models::Precision;
use isostar_train::device::parse_device;
use serde_json::{Value, json};

#[path = "../../src/allocator.rs"]
mod allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The pairs key=value of the command line.
pub struct Arguments(HashMap<String, String>);

impl Arguments {
    fn number(&self, name: &str, default: usize) -> usize {
        self.0.get(name).map_or(default, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name}={text}: not a whole number"))
        })
    }

    fn precision(&self) -> Precision {
        if self.text("precision") == Some("bf16") {
            Precision::Bf16
        } else {
            Precision::F32
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn main() {
    allocator::keep_pages();
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let [name, stage, rest @ ..] = words.as_slice() else {
        eprintln!("usage: gpu DEVICE STAGE [key=value …]");
        std::process::exit(2);
    };
    let pairs = rest.iter().filter_map(|word| word.split_once('='));
    let arguments = Arguments(
        pairs
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
    );
    let start = Instant::now();
    let device = parse_device(name).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1);
    });
    tell(
        stage,
        json!({ "device": name, "parsed_s": seconds(start), "settings": format!("{:?}", device.settings()) }),
    );
    match stage.as_str() {
        "probe" => probe::run(&device),
        "parity" => parity::run(&device, &arguments),
        "step" => step::run(&device, &arguments),
        "lengths" => step::lengths(&device, &arguments),
        "measure" => measure::run(&device, &arguments),
        "evaluate" => evaluate::run(&device, &arguments),
        "train" => evaluate::train(name, &arguments),
        other => {
            eprintln!("unknown stage {other:?}");
            std::process::exit(2);
        }
    }
    tell(
        stage,
        json!({ "all_s": seconds(start), "memory": memory(&device) }),
    );
}

/// Writes a finding.
fn tell(stage: &str, mut finding: Value) {
    finding["stage"] = stage.into();
    println!("{finding}");
}

fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

fn sync(device: &Device) {
    device.sync().expect("the device answers");
}

fn memory(device: &Device) -> String {
    format!("{:?}", device.memory_pool_usage())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The first call and the median of `count` more, in milliseconds, each with a sync. The result of `work` is dropped after it.
fn timed<T>(device: &Device, count: usize, mut work: impl FnMut() -> T) -> (f64, f64) {
    let mut once = || {
        let start = Instant::now();
        let result = work();
        sync(device);
        let time = seconds(start) * 1e3;
        drop(result);
        time
    };
    let first = once();
    (first, median((0..count).map(|_| once()).collect()))
}
