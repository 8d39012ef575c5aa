//! Known tasks and custom data: reading their files, from small fixtures to the official downloads,
//! and running the commands on them.

mod classes;
mod compressed;
mod corpus;
mod drawn;
mod fixtures;
#[cfg(feature = "hub")]
mod hub;
mod labels;
mod layouts;
mod names;
mod official;
mod own;
mod parquet;
mod refused;
mod regression;
mod runs;
mod spans;
mod windows;
