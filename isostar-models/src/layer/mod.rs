//! Building blocks of the encoders: embeddings, attention, feed-forward, and the encoder layer.

mod attention;
mod embeddings;
mod encoder_layer;
mod feed_forward;
mod linear;
mod norm;
mod stack;

pub use attention::SelfAttention;
pub(crate) use attention::{causal_mask, padding_mask};
pub(crate) use embeddings::assert_positions;
pub use embeddings::{Embeddings, Places};
pub use encoder_layer::EncoderLayer;
pub(crate) use encoder_layer::LayerSettings;
pub use feed_forward::{Activation, FeedForward};
pub(crate) use linear::{each_token, embedding, linear};
pub use norm::LayerNorm;
pub(crate) use stack::run_layers;
