//! Known tasks and custom data: reading their files, from small fixtures to the official downloads,
//! and running the commands on them.

#[path = "../../../isostar-measure/tests/common/altered.rs"]
mod altered;
#[path = "../common/command.rs"]
mod command;
mod corpus;
mod drawn;
mod fixtures;
#[cfg(feature = "hub")]
mod hub;
mod labels;
mod layouts;
mod official;
mod own;
mod parquet;
mod refused;
mod runs;
#[cfg(feature = "hub")]
#[path = "../../../isostar-models/tests/hub/server.rs"]
mod server;
mod windows;
