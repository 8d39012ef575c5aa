//! The tests of the command in one program.

#[path = "../../../isostar-measure/tests/common/altered.rs"]
mod altered;
mod analyze;
mod architectures;
#[path = "../common/command.rs"]
mod command;
mod measure;
#[path = "../../../isostar-models/tests/common/mod.rs"]
mod models;
mod processes;
mod remedies;
mod report;
#[cfg(feature = "hub")]
#[path = "../../../isostar-models/tests/models_tests/hub/server.rs"]
mod server;
mod slurm;
mod sweep;
mod tasks;
mod tokenizers;
mod train;
