//! The forward pass over sequences of token ids, in batches of similar length.

use burn::module::Module;
use isostar_models::{Checkpoint, Encoder, ModelConfig, Pretrained};

use super::{EmbedError, Sequences};
use crate::data::{BatchWidth, PaddingSide, order, pad};

/// An encoder and its configuration, for embedding sequences of token ids.
pub trait EmbeddingModel {
    /// The encoder.
    fn encoder(&self) -> &Encoder;
    /// The configuration.
    fn config(&self) -> &ModelConfig;
}

impl EmbeddingModel for Pretrained<Encoder> {
    fn encoder(&self) -> &Encoder {
        &self.model
    }

    fn config(&self) -> &ModelConfig {
        &self.config
    }
}

impl EmbeddingModel for Checkpoint<Encoder> {
    fn encoder(&self) -> &Encoder {
        &self.model
    }

    fn config(&self) -> &ModelConfig {
        &self.config
    }
}

/// Calls `write` for each sequence in each layer with the index of the layer in `layers`, the index
/// of the sequence, and its states `[tokens, d]` without padding.
pub(super) fn for_each_sequence(
    model: &impl EmbeddingModel,
    sequences: &Sequences,
    layers: &[usize],
    batch_size: usize,
    progress: &dyn Fn(usize),
    mut write: impl FnMut(usize, usize, &[f32]) -> Result<(), EmbedError>,
) -> Result<(), EmbedError> {
    let (encoder, config) = (model.encoder(), model.config());
    let padding = config.padding().unwrap_or(0) as u32;
    let width = config.sizes().width;
    let device = encoder.devices().remove(0);
    for rows in order::by_length(&sequences.lengths(), batch_size) {
        let padded: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    sequences.ids(*row as usize),
                    sequences.type_ids(*row as usize),
                )
            })
            .collect();
        let batch = pad(
            &padded,
            BatchWidth::default(),
            padding,
            PaddingSide::Right,
            &device,
        );
        let [_, tokens] = batch.ids.dims();
        let states = encoder.forward(batch);
        for (at, layer) in layers.iter().enumerate() {
            let values: Vec<f32> = states.layer(*layer).try_to_vec_as()?;
            for (padded, row) in values.chunks_exact(tokens * width).zip(&rows) {
                let sequence = *row as usize;
                write(
                    at,
                    sequence,
                    &padded[..sequences.ids(sequence).len() * width],
                )?;
            }
        }
        progress(
            rows.iter()
                .map(|row| sequences.ids(*row as usize).len())
                .sum(),
        );
    }
    Ok(())
}
