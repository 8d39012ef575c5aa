//! The tests of isostar-models in one program. The tests `broken` and `loading` are programs of
//! their own: they watch the allocator and the memory of the process.

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod folders;
mod fresh;
#[cfg(feature = "hub")]
mod hub;
mod parity;
