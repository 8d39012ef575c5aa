//! The tasks by name: their files, from committed ones with every wart to the official downloads, and their way through the command.

mod corpus;
mod fixtures;
mod layouts;
mod official;
mod parquet;
mod refused;
mod runs;
mod windows;
