//! Batches of a loader: their rows, their dropout and their padding.

use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::data::dataloader::DataLoader;
use burn::data::dataloader::split::split_dataloader;
use burn::nn::DropoutConfig;
use burn::tensor::{Device, Tensor};
use isostar_train::data::{
    BatchLoader, Batching, Columns, DEFAULT_TOKENIZER, Labels, SequenceBatch, Split, Splits,
    TextEncoder, TrainingOrder, default_rows, order,
};

#[test]
fn the_batches_of_the_default_rows_cover_every_row_once() {
    let Splits { train, dev } = default_rows();
    let labels = Labels::from_rows(&train.rows).unwrap();
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 64).unwrap();
    let examples = Arc::new(
        encoder
            .encode(&dev.rows, labels.indices_of(&dev.rows, &dev.path).unwrap())
            .unwrap(),
    );

    let loader = BatchLoader::evaluation(examples.clone(), 64, &Device::default());
    let mut predictions = vec![None; dev.rows.len()];
    for batch in loader.iter() {
        let batch = batch.unwrap();
        let classes: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
        for (row, class) in batch.rows.into_iter().zip(classes) {
            assert_eq!(
                predictions[row as usize].replace(class),
                None,
                "row {row} appears twice"
            );
        }
    }
    let expected: Vec<Option<u32>> = dev.rows.iter().map(|row| row.label.parse().ok()).collect();
    assert_eq!(predictions, expected);

    let unknown = encoder.tokenizer().token_to_id("[UNK]").unwrap();
    assert!(
        (0..examples.len() as u32).all(|row| !examples.ids(row).contains(&unknown)),
        "the vocabulary covers every validation headline"
    );
}

/// Lock for tests that use the device's random number generator, which is global to the process.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Training loader over 24 rows in batches of 8, on a device with autodiff.
fn training(seed: u64, first_epoch: usize) -> BatchLoader {
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
    let examples = encoder
        .encode(&default_rows().train.rows[..24], vec![0; 24])
        .unwrap();
    let order = TrainingOrder {
        batch_size: 8,
        batching: Batching::Random,
        seed,
        first_epoch,
    };
    BatchLoader::training(Arc::new(examples), order, &Device::flex().autodiff())
}

/// First 64 numbers of the first dropout mask in each step of a pass; `after_batch` runs between
/// the batch and the mask.
fn masks(loader: &dyn DataLoader<SequenceBatch>, after_batch: impl Fn()) -> Vec<Vec<f32>> {
    let dropout = DropoutConfig::new(0.5).init();
    let mask = |batch: SequenceBatch| {
        after_batch();
        dropout
            .forward(Tensor::<1>::ones([64], &batch.input.ids.device()))
            .try_into_vec_as()
            .unwrap()
    };
    loader.iter().map(|batch| mask(batch.unwrap())).collect()
}

#[test]
fn different_steps_epochs_and_seeds_have_different_dropout_streams() {
    let _generator = GENERATOR.lock();
    let mut drawn: Vec<(String, Vec<f32>)> = Vec::new();
    for seed in 1..=5 {
        let whole: Arc<dyn DataLoader<SequenceBatch>> = Arc::new(training(seed, 0));
        // The slices use other epochs than the whole loader, so that their steps differ.
        let slices = split_dataloader(
            Arc::new(training(seed, 3)),
            &[Device::flex().autodiff(), Device::flex().autodiff()],
        );
        for (name, loader, epochs) in [
            ("whole", &whole, 0..3),
            ("slice 1", &slices[0], 3..6),
            ("slice 2", &slices[1], 3..6),
        ] {
            for epoch in epochs {
                let masks = masks(loader.as_ref(), || ()).into_iter().enumerate();
                drawn.extend(masks.map(|(step, mask)| {
                    (
                        format!("seed {seed}, epoch {epoch}, step {step}, {name}"),
                        mask,
                    )
                }));
            }
        }
    }
    assert_eq!(drawn.len(), 5 * 3 * (3 + 2 * 2));
    for (at, (name, mask)) in drawn.iter().enumerate() {
        let same = drawn[..at].iter().find(|(_, other)| mask == other);
        assert!(same.is_none(), "{name} has the mask of {}", same.unwrap().0);
    }
}

#[test]
fn dropout_depends_only_on_seed_epoch_and_step() {
    let _generator = GENERATOR.lock();
    let whole = training(7, 0);
    let passes: Vec<_> = (0..3).map(|_| masks(&whole, || ())).collect();
    // Resumed after two epochs, with a calibration pass over a copy without autodiff in every step.
    let resumed = training(7, 2);
    let copy = resumed.on_device(&Device::flex());
    let _ = Tensor::<1>::random([5], burn::tensor::Distribution::Default, &Device::flex());
    let again = masks(&resumed, || assert_eq!(copy.iter().count(), 3));
    assert_eq!(again, passes[2]);
    assert_ne!(passes[1], passes[2]);
}

/// Official SST-2 data, or `None` if it is not available next to the checkout.
fn sst2() -> Option<Splits> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/glue/SST-2");
    if !folder.is_dir() {
        eprintln!("skipped: {} does not exist", folder.display());
        return None;
    }
    let (train, dev) = Split::read_folder(&folder, &Columns::default()).unwrap();
    Some(Splits {
        train,
        dev: dev.unwrap(),
    })
}

#[test]
fn sst2_has_its_published_number_of_rows() {
    let Some(Splits { train, dev }) = sst2() else {
        return;
    };
    assert_eq!((train.rows.len(), dev.rows.len()), (67_349, 872));
    assert_eq!(Labels::from_rows(&train.rows).unwrap().names(), ["0", "1"]);
    let positive = dev.rows.iter().filter(|row| row.label == "1").count();
    assert_eq!(positive, 444);
    assert_eq!(train.rows.last().unwrap().line, 67_350);
}

#[test]
fn length_batching_avoids_most_of_the_padding_of_sst2() {
    let Some(Splits { train, .. }) = sst2() else {
        return;
    };
    let rows = &train.rows[..4_000];
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 256).unwrap();
    let lengths = encoder.encode(rows, vec![0; rows.len()]).unwrap().lengths();
    let share =
        |batching| order::padding_share(&lengths, &order::batches(&lengths, 32, batching, 1, 0));
    let (length, random) = (share(Batching::Length), share(Batching::Random));
    assert!(
        length < 0.1 && random > 0.5,
        "length {length}, random {random}"
    );
}
