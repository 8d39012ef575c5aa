//! What tokenized rows, an epoch over them and a training step take, counted at the allocator.

#[path = "common/counting.rs"]
mod counting;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use counting::{IN_USE, PEAK};
use isostar_train::data::{
    BatchLoader, Batching, DEFAULT_TOKENIZER, TextEncoder, TextRow, TrainingOrder,
};
use isostar_train::experiment::{Experiment, Observer, RunFolder, TrainOptions, TrainSettings};
use isostar_train::progress::{Phase, Progress};

/// A tenth of QQP's.
const ROWS: usize = 36_385;

/// Of a row, beside its ids: where it begins (8 bytes), where its second segment begins (4) and its class (4).
const ROW: usize = 16;

/// Of a row during an epoch: its number and its length in the loader (8 bytes), and its place in the epoch's order, which is cut from
/// another list (8).
const ROW_OF_EPOCH: usize = 16;

/// What does not grow with the rows: a batch, on the host and as tensors, and what threads keep. Largest observed: 27 KiB.
const CONSTANT: usize = 1 << 18;

/// Two questions of 34 tokens in all, as QQP's pairs have on average.
fn row(at: usize) -> TextRow {
    let words = ["area", "man", "the", "of", "new", "world", "year", "house"];
    let question = |seed: usize| {
        (0..15)
            .map(|word| words[(seed >> ((word % 5) * 3)) % 8])
            .collect::<Vec<_>>()
            .join(" ")
    };
    TextRow {
        text: question(at),
        pair: Some(question(at * 31 + 7)),
        label: (at % 2).to_string(),
        line: at + 2,
    }
}

#[test]
fn an_epoch_over_pairs_holds_their_token_ids_and_little_else() {
    let device = Device::default();
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 128).unwrap();
    let order = TrainingOrder {
        batch_size: 32,
        batching: Batching::Length,
        seed: 1,
        first_epoch: 0,
    };
    let epoch = |loader: &BatchLoader| {
        loader
            .iter()
            .map(|batch| batch.unwrap().len())
            .sum::<usize>()
    };
    // Threads, their pools and a first batch stay.
    let few: Vec<TextRow> = (0..100).map(row).collect();
    epoch(&BatchLoader::training(
        Arc::new(encoder.encode(&few, vec![0; 100]).unwrap()),
        order,
        &device,
    ));

    let before = IN_USE.load(Ordering::Relaxed);
    let rows: Vec<TextRow> = (0..ROWS).map(row).collect();
    let examples = encoder
        .encode(&rows, (0..ROWS as u32).map(|row| row % 2).collect())
        .unwrap();
    drop(rows);
    let held = IN_USE.load(Ordering::Relaxed).saturating_sub(before);
    let ids = 4 * examples.tokens();
    assert!(examples.tokens() > 30 * ROWS && examples.type_ids(0).is_some());
    println!("{ROWS} pairs: {ids} bytes of ids, {held} held");
    assert!(held >= ids, "the count misses the ids");
    assert!(
        held <= ids + ROW * ROWS + CONSTANT,
        "{held} bytes are held for {ids} bytes of ids"
    );

    let loader = BatchLoader::training(Arc::new(examples), order, &device);
    PEAK.store(IN_USE.load(Ordering::Relaxed), Ordering::Relaxed);
    assert_eq!(epoch(&loader), ROWS);
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    println!("an epoch over them: {peak} at the peak");
    assert!(
        peak <= ids + (ROW + ROW_OF_EPOCH) * ROWS + CONSTANT,
        "{peak} bytes at the peak of an epoch over {ids} bytes of ids"
    );
}

/// Peak of each training step, and what is in use between steps.
#[derive(Default)]
struct Steps(Mutex<Vec<[usize; 2]>>);

impl Progress for Steps {
    fn advance(&self, phase: &Phase, _done: usize) {
        if matches!(phase, Phase::Training { .. }) {
            let held = IN_USE.load(Ordering::Relaxed);
            let peak = PEAK.swap(held, Ordering::Relaxed);
            self.0.lock().unwrap().push([peak, held]);
        }
    }
}

impl Observer for Steps {}

/// Run `ISOSTAR_MODELS=FOLDER cargo test --workspace --test memory -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement; needs real models in the folder named by ISOSTAR_MODELS"]
fn a_step_of_four_micro_batches_takes_the_memory_of_one() {
    let models = std::env::var_os("ISOSTAR_MODELS").expect("ISOSTAR_MODELS names a folder");
    let folder = tempfile::tempdir().unwrap();
    let text = |row: usize| {
        let of = |word: usize| ["area", "man", "the", "of", "new", "world"][(row + word) % 6];
        (0..140).map(of).collect::<Vec<_>>().join(" ")
    };
    for (name, rows) in [("train.tsv", 96), ("dev.tsv", 2)] {
        let rows: String = (0..rows)
            .map(|row| format!("{}\t{}\n", text(row), row % 2))
            .collect();
        std::fs::write(folder.path().join(name), format!("sentence\tlabel\n{rows}")).unwrap();
    }
    let measure = |batch_size, accumulate| {
        let options = TrainOptions {
            model: Some(PathBuf::from(&models).join("minilm").display().to_string()),
            data: Some(folder.path().into()),
            max_length: Some(128),
            batch_size: Some(batch_size),
            accumulate: Some(accumulate),
            epochs: Some(1),
            // 64 sequences of 128 tokens in 6 layers are calibrated at once.
            calibration_states: Some(2),
            device: Some("flex".into()),
            ..TrainOptions::default()
        };
        let steps = Arc::new(Steps::default());
        let out = tempfile::tempdir().unwrap();
        let experiment =
            Experiment::prepare(TrainSettings::resolve(options), steps.as_ref()).unwrap();
        let run = RunFolder::at(out.path().join("run"));
        let lock = run.lock(steps.as_ref()).unwrap();
        experiment.run(&lock, steps.clone()).unwrap();
        let steps = steps.0.lock().unwrap();
        // The first step calibrates; the second creates what AdamW keeps.
        let [[_, before], [peak, _]] = [steps[1], steps[2]];
        println!(
            "{accumulate} × {batch_size} rows: {} MiB between steps, {} MiB at the peak of one",
            before >> 20,
            peak >> 20
        );
        [peak - before, peak].map(|bytes| bytes as f64)
    };
    let [whole, accumulated] = [measure(32, 1), measure(8, 4)];
    let shares = [0, 1].map(|of| accumulated[of] / whole[of]);
    println!(
        "of the step: {:.2}, with what is held: {:.2}",
        shares[0], shares[1]
    );
    assert!(shares[0] <= 0.45, "{}", shares[0]);
}
