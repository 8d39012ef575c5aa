//! The download from the hub, against a hub on loopback.
#![cfg(feature = "hub")]

mod bench;
mod dataset;
mod download;
mod interrupted;
mod refused;
mod server;
mod settings;
