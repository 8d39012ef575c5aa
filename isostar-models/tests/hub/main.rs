//! Tests of downloads from the hub, with a test hub on a loopback address.
#![cfg(feature = "hub")]

mod bench;
mod dataset;
mod download;
mod interrupted;
mod refused;
mod server;
mod settings;
