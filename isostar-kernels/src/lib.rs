#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod composed;
mod dropout;
#[cfg(feature = "flex")]
mod flex;
mod gelu;
mod gelu_new;
mod gram;
mod host;
mod masked_attention;
mod moments;
mod nonzero;
mod silu;
#[cfg(feature = "flex")]
mod tape;

pub use composed::composed;
pub use dropout::dropout;
pub use gelu::gelu;
pub use gelu_new::gelu_new;
pub use gram::gram;
pub use host::on_host;
pub use masked_attention::masked_attention;
pub use moments::{moments, sum_of_rows};
pub use nonzero::nonzero_rows;
pub use silu::silu;
