use burn::prelude::*;
use burn::tensor::TensorData;

use super::rows::SequenceRows;
use crate::StepContext;
use crate::stream::Stream;

/// A random sample of the states of a group of layers.
pub(crate) struct Sample {
    /// The drawn states, sequence by sequence.
    pub rows: SequenceRows,
    /// The number of states that they are drawn from. Shape `[1]`.
    pub population: Tensor<1>,
}

/// Draws `count` positions of a batch, each with a layer; `None` if there are no more.
///
/// Every set of `count` of the S·T·L positions has the same probability, so what is left of it after
/// padding is left out is a simple random sample of the states, given its size. The draw is a function
/// of the stream and of the positions in the whole batch: devices that share a batch draw their parts
/// of one sample.
///
/// # Shapes
/// - `layers`: `[sequences, tokens, d]` each
/// - `mask`: `[sequences, tokens]`
pub(crate) fn sample(
    layers: &[Tensor<3>],
    mask: Option<&Tensor<2, Bool>>,
    count: usize,
    stream: Stream,
    context: &StepContext,
) -> Option<Sample> {
    let [sequences, tokens, d] = layers[0].dims();
    let first = context.first_sequence;
    let whole = context.batch_sequences.unwrap_or(first + sequences);
    // Tokens beyond those of this part are padding.
    let batch_tokens = context.batch_tokens.unwrap_or(tokens).max(tokens);
    let per_sequence = batch_tokens * layers.len();
    if count >= whole * per_sequence {
        return None;
    }
    let device = layers[0].device().without_autodiff();
    let indices = |numbers: Vec<i64>| {
        let length = numbers.len();
        Tensor::<1, Int>::from_data(TensorData::new(numbers, [length]), &device)
    };

    // Rows of each layer that are drawn, and where each drawn row goes: its sequence, and its place
    // among the drawn rows of that.
    let mut rows_of_layer = vec![Vec::new(); layers.len()];
    let mut places = vec![Vec::new(); layers.len()];
    let mut lengths = vec![0; sequences];
    for position in stream.sample(whole * per_sequence, count) {
        let (sequence, rest) = (position / per_sequence, position % per_sequence);
        let Some(sequence) = sequence.checked_sub(first).filter(|own| *own < sequences) else {
            continue;
        };
        let (token, layer) = (rest / layers.len(), rest % layers.len());
        if token >= tokens {
            continue;
        }
        rows_of_layer[layer].push((sequence * tokens + token) as i64);
        places[layer].push((sequence, lengths[sequence]));
        lengths[sequence] += 1;
    }
    let longest = lengths.iter().copied().max().unwrap_or(0).max(1);

    // Row 0 of the drawn ones stands in for the places that are left empty.
    let mut arrangement = vec![0; sequences * longest];
    let mut tokens_of_places = vec![0; sequences * longest];
    let mut is_drawn = vec![false; sequences * longest];
    let drawn = rows_of_layer.iter().flatten().zip(places.iter().flatten());
    for (at, (row, (sequence, place))) in drawn.enumerate() {
        arrangement[sequence * longest + place] = at as i64;
        tokens_of_places[sequence * longest + place] = *row;
        is_drawn[sequence * longest + place] = true;
    }
    if rows_of_layer.iter().all(Vec::is_empty) {
        rows_of_layer[0].push(0);
    }
    let selected = layers
        .iter()
        .zip(rows_of_layer)
        .filter(|(_, rows)| !rows.is_empty());
    let selected = selected.map(|(layer, rows)| {
        let rows_of_layer = layer.clone().reshape([sequences * tokens, d]);
        rows_of_layer.select(0, indices(rows))
    });
    let selected = Tensor::cat(selected.collect(), 0).select(0, indices(arrangement));

    let drawn =
        Tensor::<1, Bool>::from_data(TensorData::new(is_drawn, [sequences * longest]), &device);
    let (kept, population) = match mask {
        Some(mask) => {
            let mask = mask.clone().without_autodiff().int();
            let states = mask.clone().float().sum() * layers.len() as f64;
            let flat: Tensor<1, Int> = mask.reshape([sequences * tokens]);
            let kept = flat.select(0, indices(tokens_of_places)).greater_scalar(0);
            (drawn.bool_and(kept), states)
        }
        None => {
            let states = (sequences * tokens * layers.len()) as f64;
            (drawn, Tensor::from_floats([states], &device))
        }
    };
    Some(Sample {
        rows: SequenceRows::from_parts(
            vec![selected.reshape([sequences, longest, d])],
            Some(kept.reshape([sequences, longest])),
        ),
        population,
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    /// The sum of the drawn rows of a part of a batch, and their number.
    fn drawn(layers: &[Tensor<3>], mask: &Tensor<2, Bool>, context: StepContext) -> Vec<f64> {
        let stream = Stream::new(5, context.step, 0);
        let sample = sample(layers, Some(mask), 30, stream, &context).unwrap();
        let moments = sample.rows.moments();
        let count = moments.count.clone().into_scalar::<f64>();
        let sum = (moments.mean * count).try_into_vec_as::<f64>().unwrap();
        [vec![count], sum].concat()
    }

    #[test]
    fn parts_of_a_batch_draw_their_shares_of_its_sample() {
        let device = Device::flex();
        let layer = || Tensor::<3>::random([6, 5, 3], Distribution::Normal(2.0, 1.0), &device);
        let layers = [layer(), layer()];
        let lengths = Tensor::<2, Int>::from_data([[5], [2], [0], [5], [4], [1]], &device);
        let places = Tensor::<1, Int>::arange(0..5, &device).unsqueeze::<2>();
        let mask = places.expand([6, 5]).lower(lengths.expand([6, 5]));
        for step in 0..20 {
            let whole = drawn(&layers, &mask, StepContext::default().with_step(step));
            let mut sum = vec![0.0; 4];
            for (first, count) in [(0, 2), (2, 1), (3, 3)] {
                let part = layers.clone().map(|layer| layer.narrow(0, first, count));
                let context = StepContext::default()
                    .with_step(step)
                    .with_first_sequence(first)
                    .with_batch_sequences(6);
                let found = drawn(&part, &mask.clone().narrow(0, first, count), context);
                sum.iter_mut()
                    .zip(found)
                    .for_each(|(sum, found)| *sum += found);
            }
            assert!(
                whole[0] > 5.0 && whole[0] < 30.0,
                "padding is left out: {whole:?}"
            );
            let error = whole
                .iter()
                .zip(&sum)
                .map(|(whole, sum)| (whole - sum).abs());
            assert!(error.fold(0.0, f64::max) < 1e-4, "{whole:?} {sum:?}");
        }
    }
}
