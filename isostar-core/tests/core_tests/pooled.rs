//! The penalty of a batch in parts against that of the whole batch.

use crate::common::{Points, assert_within, devices, distance, largest, scalar, values};
use burn::prelude::*;
use burn::tensor::DType;
use isostar_core::{
    CosRegConfig, Estimator, HiddenStates, Hold, IStar, IStarConfig, IsoScorer, LayerSelection,
    Padding, Penalty, PooledPenalty, Ramp, Regularizer, Shrinkage, ShrinkageTarget, SigRegConfig,
    StateSelection, StepContext, StepNumbers, Sum, Target, TargetName, VicRegConfig,
};

/// Sequences of each part: unequal, and one alone.
const PARTS: [usize; 3] = [3, 1, 4];
const TOKENS: usize = 5;
const WIDTH: usize = 6;

/// Largest error relative to the largest entry, in f64. Largest observed: 8e-16.
const DOUBLE: f64 = 1e-14;
/// The same in f32.
const SINGLE: f64 = 2e-5;

/// Two layers of states. The parts differ in mean, so that the score of the whole is not that of
/// any part.
fn layers() -> [Points; 2] {
    let part = |row: usize| match row / TOKENS {
        0..3 => 0.0,
        3 => 2.0,
        _ => -1.0,
    };
    let rows = PARTS.iter().sum::<usize>() * TOKENS;
    [5, 6].map(|seed| {
        let points = Points::gaussian(rows, WIDTH, seed);
        Points::from_fn(rows, WIDTH, |row, column| {
            points.row(row)[column] * (1.0 + column as f64) + part(row) * (column as f64 - 1.5)
        })
    })
}

/// Some padding in every part, and one sequence of a single token.
const LENGTHS: [usize; 8] = [5, 3, 4, 2, 5, 1, 4, 5];

fn mask(device: &Device) -> Tensor<2, Bool> {
    let mask: Vec<bool> = LENGTHS
        .iter()
        .flat_map(|length| (0..TOKENS).map(move |token| token < *length))
        .collect();
    Tensor::from_data(TensorData::new(mask, [LENGTHS.len(), TOKENS]), device)
}

struct Batch {
    layers: Vec<Tensor<3>>,
    mask: Tensor<2, Bool>,
}

impl Batch {
    fn new(device: &Device, dtype: DType) -> Self {
        let rows = PARTS.iter().sum();
        let autodiff = device.clone().autodiff();
        let layers = layers().map(|points| {
            let points = points.tensor_of(&autodiff, dtype);
            points.reshape([rows, TOKENS, WIDTH]).require_grad()
        });
        Self {
            layers: layers.to_vec(),
            mask: mask(device),
        }
    }

    /// Some rows, padded to the longest of them.
    fn states(&self, first: usize, rows: usize) -> HiddenStates {
        let lengths = LENGTHS[first..first + rows].iter();
        let tokens = *lengths.max().unwrap();
        let part = |layer: &Tensor<3>| layer.clone().narrow(0, first, rows).narrow(1, 0, tokens);
        let mask = self.mask.clone().narrow(0, first, rows);
        HiddenStates::from_layers(self.layers.iter().map(part).collect())
            .with_mask(mask.narrow(1, 0, tokens))
    }

    fn whole(&self) -> HiddenStates {
        self.states(0, PARTS.iter().sum())
    }

    /// Each part, with its place in the whole.
    fn parts<'a>(&self, context: &StepContext<'a>) -> Vec<(HiddenStates, StepContext<'a>)> {
        let mut first = 0;
        let part = |rows| {
            let context = context
                .with_first_sequence(first)
                .with_batch_sequences(PARTS.iter().sum())
                .with_batch_tokens(TOKENS);
            first += rows;
            (self.states(first - rows, rows), context)
        };
        PARTS.map(part).to_vec()
    }

    /// The gradients of all layers, one after the other.
    fn gradients(&self, loss: Tensor<1>) -> Vec<f64> {
        let gradients = loss.backward();
        // CosReg is of the last layer.
        let of = |layer: &Tensor<3>| match layer.grad(&gradients) {
            Some(gradient) => values(&gradient),
            None => vec![0.0; layer.shape().num_elements()],
        };
        self.layers.iter().flat_map(of).collect()
    }
}

/// A target after the steps without a penalty.
fn begun(holds: Vec<Hold>, device: &Device, dtype: DType) -> Target {
    let target = Target::new(holds, Padding::Mask).unwrap();
    let batch = Batch::new(device, dtype);
    for step in 0..12 {
        // Batches of other states, so that the memory is not that of the batch alone.
        let mut states = batch.whole();
        let factor = 1.0 + 0.1 * step as f64;
        states.layers[1] = states.layers[1].clone() * factor + states.layers[0].clone();
        let penalty = target.penalty(&states, &StepContext::default());
        let details = penalty.details.into_iter();
        let details = details.map(|detail| (detail.name, scalar(detail.value)));
        let numbers = StepNumbers {
            step,
            task_loss: 1.0,
            details: details.collect(),
        };
        assert!(!target.after_step(&numbers).is_empty());
    }
    target
}

fn regularizers(device: &Device, dtype: DType) -> Vec<(&'static str, Box<dyn Regularizer>)> {
    let istar = |zeta| IStarConfig::new(-0.7).with_shrinkage(zeta).init().unwrap();
    let scaled = IStarConfig::new(0.5)
        .with_target(TargetName::ScaledIdentity)
        .init();
    let matrix = Points::from_fn(WIDTH, WIDTH, |row, column| f64::from(row == column) + 0.1);
    let matrix = ShrinkageTarget::Matrix(matrix.tensor_of(device, dtype));
    let matrix = Shrinkage::new(0.3, matrix).unwrap();
    let matrix = IStar::new(2.0, matrix, StateSelection::default()).unwrap();
    let mut each = IStarConfig::new(-0.7).with_shrinkage(0.0);
    each.states.layers = "each".parse().unwrap();
    let mut weighted = CosRegConfig::new();
    weighted.states.layers = "2:0.5,1:2".parse().unwrap();
    let cosreg = || CosRegConfig::new().with_weight(1.5).init().unwrap();
    let sum = Sum(vec![Box::new(istar(0.2)), Box::new(cosreg())]);
    let scored = |estimator, layers: &str, sample| {
        let selection = StateSelection {
            layers: layers.parse().unwrap(),
            padding: Padding::Mask,
        };
        let scorer = IsoScorer::new(estimator, selection).with_sample(sample, 4);
        Box::new(IStar::with_scorer(-0.7, scorer).unwrap())
    };
    let shrunk = |zeta, target| Estimator::Shrunk(Shrinkage::new(zeta, target).unwrap());
    let auto = || Estimator::AutoShrunk(ShrinkageTarget::Reference);
    let scaled_auto = Estimator::AutoShrunk(ShrinkageTarget::ScaledIdentity);
    let sampled = Sum(vec![
        scored(Estimator::Unbiased, "1", 24),
        Box::new(SigRegConfig::new().with_tokens(30).init().unwrap()),
    ]);
    let single = vec![Hold::new(LayerSelection::All, 0.9)];
    let layered = [(1, 0.9), (2, 0.1)];
    let layered = layered.map(|(at, target)| Hold::new(LayerSelection::Only(vec![at]), target));
    vec![
        ("unbiased", scored(Estimator::Unbiased, "all", 0)),
        ("unbiased, each", scored(Estimator::Unbiased, "each", 0)),
        (
            "unbiased, 50 states",
            scored(Estimator::Unbiased, "all", 50),
        ),
        ("auto", scored(auto(), "all", 0)),
        ("auto, 50 states", scored(auto(), "all", 50)),
        ("auto, scaled identity", scored(scaled_auto, "all", 0)),
        (
            "ζ = 0.2, 50 states",
            scored(shrunk(0.2, ShrinkageTarget::Reference), "all", 50),
        ),
        (
            "ζ = 0, 50 states of weighted layers",
            scored(shrunk(0.0, ShrinkageTarget::Reference), "1:0.5,2:2", 50),
        ),
        ("samples of two penalties", Box::new(sampled)),
        ("VICReg", Box::new(VicRegConfig::new().init().unwrap())),
        ("SIGReg", Box::new(SigRegConfig::new().init().unwrap())),
        ("a ramp", Box::new(Ramp::new(istar(0.2), 4))),
        ("a target", Box::new(begun(single, device, dtype))),
        ("targets", Box::new(begun(layered.to_vec(), device, dtype))),
        ("I-STAR, ζ = 0", Box::new(istar(0.0))),
        ("I-STAR, ζ = 0.2", Box::new(istar(0.2))),
        ("I-STAR, scaled identity", Box::new(scaled.unwrap())),
        ("I-STAR, matrix", Box::new(matrix)),
        ("I-STAR of each layer", Box::new(each.init().unwrap())),
        ("CosReg", Box::new(cosreg())),
        ("CosReg, weighted", Box::new(weighted.init().unwrap())),
        ("I-STAR and CosReg", Box::new(sum)),
    ]
}

#[test]
fn the_surrogates_of_the_parts_have_the_gradient_of_the_penalty_of_the_whole() {
    let precisions = devices().into_iter().flat_map(|(backend, device)| {
        [(DType::F64, DOUBLE), (DType::F32, SINGLE)].map(|of| (backend, device.clone(), of))
    });
    for (backend, device, (dtype, tolerance)) in precisions {
        if !device.supports_dtype(dtype) {
            continue;
        }
        let reference = Points::from_fn(WIDTH, WIDTH, |row, column| {
            if row == column { 3.0 + row as f64 } else { 0.4 }
        });
        let reference = reference.tensor_of(&device, dtype);
        for (name, regularizer) in regularizers(&device, dtype) {
            let needed = regularizer.reference_states().map(|_| &reference);
            let context = StepContext::default().with_reference(needed);
            let context = context.with_step(1);
            let what = format!("{name} on {backend} in {dtype:?}");
            let batch = Batch::new(&device, dtype);
            let expected = regularizer.penalty(&batch.whole(), &context);
            let [value, measure] =
                [&expected.value, &expected.measure].map(|number| scalar(number.clone()));
            let expected = batch.gradients(expected.value);

            let pooled = regularizer.pooled().unwrap();
            let parts: Vec<_> = batch
                .parts(&context)
                .iter()
                .map(|(part, context)| pooled.statistics(part, context))
                .collect();
            let whole = PooledPenalty::new(pooled, parts.clone(), &context);
            assert!(!whole.penalty.value.device().is_autodiff(), "{what}");
            assert_within(
                (scalar(whole.penalty.value.clone()) - value).abs() / value.abs().max(1.0),
                tolerance,
                format!("value of {what}"),
            );
            assert_within(
                (scalar(whole.penalty.measure.clone()) - measure).abs() / measure.abs().max(1.0),
                tolerance,
                format!("measure of {what}"),
            );
            // Each part is differentiated alone, as on its own device.
            let mut found = vec![0.0; expected.len()];
            for (index, part) in parts.iter().enumerate() {
                let surrogate = whole.surrogate(index, part).unwrap();
                found
                    .iter_mut()
                    .zip(batch.gradients(surrogate))
                    .for_each(|(sum, gradient)| *sum += gradient);
            }
            let size = largest(&expected);
            assert!(size > 1e-4, "{what}: a gradient of zero tests nothing");
            assert_within(
                distance(&found, &expected) / size,
                tolerance,
                format!("gradient of {what}"),
            );

            // The mean of the penalties of the parts is another penalty, with another gradient.
            let mean = batch
                .parts(&context)
                .iter()
                .zip(PARTS)
                .map(|((part, _), rows)| {
                    let share = rows as f64 / PARTS.iter().sum::<usize>() as f64;
                    regularizer.penalty(part, &context).value * share
                })
                .reduce(|sum, part| sum + part)
                .unwrap();
            let apart = distance(&batch.gradients(mean), &expected) / size;
            assert!(apart > 0.05, "{what}: penalties of parts differ by {apart}");
        }
    }
}

#[test]
fn one_part_is_the_whole() {
    let device = Device::flex();
    let batch = Batch::new(&device, DType::F64);
    for (name, regularizer) in regularizers(&device, DType::F64) {
        let reference = Tensor::<2>::eye(WIDTH, &device).cast(DType::F64);
        let needed = regularizer.reference_states().map(|_| &reference);
        let context = StepContext::default().with_reference(needed);
        let pooled = regularizer.pooled().unwrap();
        let statistics = pooled.statistics(&batch.whole(), &context);
        let whole = PooledPenalty::new(pooled, vec![statistics.clone()], &context);
        let expected = regularizer.penalty(&batch.whole(), &context).value;
        assert_eq!(
            scalar(whole.penalty.value.clone()),
            scalar(expected.clone()),
            "{name}"
        );
        let found = batch.gradients(whole.surrogate(0, &statistics).unwrap());
        let expected = batch.gradients(expected);
        let apart = distance(&found, &expected) / largest(&expected);
        assert_within(apart, DOUBLE, name);
    }
}

/// A regularizer of which nothing is known but its penalty.
#[derive(Debug)]
struct Own;

impl Regularizer for Own {
    fn measure_name(&self) -> &str {
        "Own"
    }

    fn penalty(&self, states: &HiddenStates, _context: &StepContext) -> Penalty {
        let value = states.layers[0].clone().square().mean();
        Penalty::new(value.clone(), value)
    }
}

#[test]
fn a_sum_is_pooled_if_every_part_is() {
    let istar = || Box::new(IStarConfig::new(-0.1).init().unwrap());
    assert!(Own.pooled().is_none());
    assert!(Sum(vec![istar(), Box::new(Own)]).pooled().is_none());
    assert!(Sum(vec![istar(), istar()]).pooled().is_some());
}

#[test]
#[should_panic(expected = "the parts have [1, 3] statistics")]
fn statistics_of_different_regularizers_do_not_merge() {
    let device = Device::flex();
    let batch = Batch::new(&device, DType::F64);
    let (istar, cosreg) = (IStarConfig::new(1.0), CosRegConfig::new());
    let (istar, cosreg) = (istar.init().unwrap(), cosreg.init().unwrap());
    let [istar, cosreg] = [&istar as &dyn Regularizer, &cosreg].map(|regularizer| {
        let pooled = regularizer.pooled().unwrap();
        pooled.statistics(&batch.whole(), &StepContext::default())
    });
    isostar_core::Statistics::merge(vec![istar, cosreg]);
}
