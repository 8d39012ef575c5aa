//! `isostar analyze` as a user runs it, beside `isostar embed` followed by `isostar measure`.

#[path = "../common/command.rs"]
mod command;

mod against;
mod layers;
mod refused;
mod rows;
mod sentences;
