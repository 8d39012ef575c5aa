#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod adamw;
mod attention;
#[cfg(feature = "persistence")]
mod compiled;
mod composed;
mod dropout;
mod exact;
#[cfg(feature = "flex")]
mod flex;
mod gelu;
mod gelu_new;
mod gram;
mod host;
mod layer_norm;
mod linear;
mod moments;
mod nonzero;
#[cfg(all(test, feature = "flex"))]
mod oracle;
mod parts;
mod precision;
#[cfg(feature = "flex")]
mod product;
mod silu;
#[cfg(feature = "flex")]
mod stream;
#[cfg(feature = "flex")]
mod tape;
#[cfg(feature = "flex")]
mod wide;

pub use adamw::{AdamWUpdate, adamw};
pub use attention::attention;
#[cfg(feature = "persistence")]
pub use compiled::keep_compiled_kernels;
pub use composed::composed;
pub use dropout::dropout;
pub use exact::exact_product;
#[cfg(feature = "simulate")]
pub use exact::simulate;
pub use gelu::gelu;
pub use gelu_new::gelu_new;
pub use gram::gram;
pub use host::{is_flex, on_host};
pub use layer_norm::{Normalization, layer_norm, residual_norm};
pub use linear::linear;
pub use moments::{moments, sum_of_rows};
pub use nonzero::nonzero_rows;
pub use parts::DropoutKeys;
pub use precision::Precision;
pub use silu::silu;
