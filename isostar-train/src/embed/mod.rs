//! The hidden states of a model, in a file or in memory.

mod error;
mod forward;
mod in_memory;
mod sequences;
mod states_file;
mod to_file;

pub use error::EmbedError;
pub use forward::EmbeddingModel;
pub use in_memory::{embed_in_memory, sentence_vectors};
pub use sequences::Sequences;
pub use to_file::embed;
