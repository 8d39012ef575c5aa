use burn::data::dataloader::DataLoader;
use burn::data::dataloader::split::split_dataloader;

use super::super::{DEFAULT_TOKENIZER, SequenceBatch, TextEncoder, default_rows};
use super::*;

const ORDER: TrainingOrder = TrainingOrder {
    batch_size: 8,
    batching: Batching::Length,
    seed: 1,
    first_epoch: 0,
};

fn examples(count: usize) -> Arc<Examples> {
    let rows = &default_rows().train.rows[..count];
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32).unwrap();
    encoder
        .encode(rows, (0..count as u32).collect())
        .unwrap()
        .into()
}

fn training(count: usize, first_epoch: usize) -> BatchLoader {
    BatchLoader::training(
        examples(count),
        TrainingOrder {
            first_epoch,
            ..ORDER
        },
        &Device::default(),
    )
}

/// Row indices of the batches of one pass.
fn pass(loader: &dyn DataLoader<SequenceBatch>) -> Vec<Vec<u32>> {
    loader.iter().map(|batch| batch.unwrap().rows).collect()
}

fn sorted(batches: &[Vec<u32>]) -> Vec<u32> {
    let mut rows = batches.concat();
    rows.sort_unstable();
    rows
}

#[test]
fn a_resumed_run_sees_the_batches_of_an_uninterrupted_one() {
    let whole = training(50, 0);
    let epochs: Vec<_> = (0..4).map(|_| pass(&whole)).collect();
    let resumed = training(50, 2);
    assert_eq!(pass(&resumed), epochs[2]);
    assert_eq!(pass(&resumed), epochs[3]);
    assert_ne!(epochs[2], epochs[3]);
}

#[test]
fn a_pass_that_begins_within_an_epoch_gives_the_remaining_batches_and_the_next_all() {
    let whole = training(50, 0);
    let (first, second) = (pass(&whole), pass(&whole));
    let resumed = training(50, 0).skipping(3);
    let iterator = resumed.iter();
    assert_eq!(
        iterator.progress().items_processed,
        first[..3].concat().len()
    );
    drop(iterator);
    let resumed = training(50, 0).skipping(3);
    assert_eq!(pass(&resumed), first[3..]);
    assert_eq!(pass(&resumed), second);
    assert!(pass(&training(50, 0).skipping(first.len())).is_empty());
}

#[test]
fn progress_counts_rows() {
    let loader = training(20, 0);
    assert_eq!((loader.num_items(), loader.batches()), (20, 3));
    let mut pass = loader.iter();
    let mut seen = 0;
    while let Some(batch) = pass.next() {
        let batch = batch.unwrap();
        seen += batch.len();
        assert_eq!(batch.input.ids.dims()[0], batch.len());
        assert_eq!(
            (pass.progress().items_processed, pass.progress().items_total),
            (seen, 20)
        );
    }
    assert!(pass.progress().is_completed());
}

#[test]
fn evaluation_visits_every_row_in_the_same_order_each_pass() {
    let loader = BatchLoader::evaluation(examples(50), 8, &Device::default());
    let first = pass(&loader);
    assert_eq!(sorted(&first), (0..50).collect::<Vec<u32>>());
    assert_eq!(pass(&loader), first);
    let lengths = loader.examples().lengths();
    assert!(
        first
            .concat()
            .is_sorted_by_key(|row| std::cmp::Reverse(lengths[*row as usize]))
    );
}

#[test]
fn labels_and_tokens_stay_with_their_row() {
    let loader = training(50, 0);
    for batch in loader.iter() {
        let batch = batch.unwrap();
        let labels: Vec<u32> = batch.targets.classes().into_data().iter::<u32>().collect();
        assert_eq!(labels, batch.rows, "in this test, labels equal row indices");
        let tokens: Vec<usize> = batch
            .input
            .mask
            .int()
            .sum_dim(1)
            .into_data()
            .iter::<i64>()
            .map(|count| count as usize)
            .collect();
        let expected: Vec<usize> = batch
            .rows
            .iter()
            .map(|row| loader.examples().ids(*row).len())
            .collect();
        assert_eq!(tokens, expected);
    }
}

#[test]
fn slices_partition_the_rows_and_follow_the_order_of_their_epoch() {
    let device = Device::default();
    let loader: Arc<dyn DataLoader<SequenceBatch>> = Arc::new(training(51, 3));
    let shares = split_dataloader(loader, &[device.clone(), device]);
    let rows: Vec<Vec<u32>> = shares
        .iter()
        .map(|share| sorted(&pass(share.as_ref())))
        .collect();
    assert_eq!(rows, [(0..25).collect::<Vec<u32>>(), (25..51).collect()]);
    let first = order::batches(&examples(25).lengths(), 8, Batching::Length, 1, 4);
    assert_eq!(
        pass(shares[0].as_ref()),
        first,
        "the second pass of a slice is epoch 3 + 1"
    );
}

#[test]
fn calibration_respects_its_limit_and_changes_with_the_epoch() {
    let calibration = |first_epoch| {
        BatchLoader::calibration(
            examples(200),
            TrainingOrder {
                first_epoch,
                ..ORDER
            },
            Padding::Mask,
            500,
            &Device::default(),
        )
    };
    let loader = calibration(0);
    let (first, second) = (pass(&loader), pass(&loader));
    let tokens: u32 = first
        .concat()
        .iter()
        .map(|&row| loader.lengths[row as usize])
        .sum();
    assert!((500 - 32..=500).contains(&tokens), "{tokens}");
    assert!(first.iter().all(|batch| batch.len() <= 8));
    assert_ne!(sorted(&first), sorted(&second));
    assert_eq!(
        pass(&calibration(1)),
        second,
        "a resumed run draws the sample of an uninterrupted one"
    );
}

#[test]
fn a_calibration_in_random_order_visits_the_same_batches() {
    let loader =
        || BatchLoader::calibration(examples(200), ORDER, Padding::Mask, 500, &Device::default());
    let (by_length, random) = (pass(&loader()), pass(&loader().in_random_order()));
    assert_ne!(by_length, random);
    assert_eq!(
        pass(&loader().in_random_order()),
        random,
        "equal seeds give equal orders"
    );
    let in_order = |mut batches: Vec<Vec<u32>>| {
        batches.sort_unstable();
        batches
    };
    assert_eq!(in_order(by_length), in_order(random));
}

#[test]
fn calibration_with_padding_has_the_padding_of_training_batches() {
    for batching in [Batching::Length, Batching::Random] {
        let order = TrainingOrder { batching, ..ORDER };
        let loader = BatchLoader::calibration(
            examples(400),
            order,
            Padding::Keep,
            3_000,
            &Device::default(),
        );
        for epoch in 0..3 {
            let training = order.padding_share(&loader.lengths, epoch);
            let sample = pass(&loader);
            assert!(
                sample.iter().all(|batch| batch.len() == 8),
                "every batch is full"
            );
            let share = order::padding_share(&loader.lengths, &sample);
            assert!(
                (share - training).abs() < 0.02,
                "{batching:?}: padding is {share} of the sample and {training} of the training batches"
            );
        }
    }
}
