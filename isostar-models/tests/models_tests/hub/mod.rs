//! Tests of downloads from the hub, with a test hub on a loopback address.

mod bench;
mod dataset;
mod download;
mod interrupted;
mod refused;
mod server;
mod settings;
