//! Faults: runs are killed, stopped, damaged and deprived of their disk, and must end with the bits
//! of an undisturbed run when the same line is given again.
//!
//! The tests make a few faults each; `ISOSTAR_FAULTS=full` makes all of them:
//!
//! ```text
//! ISOSTAR_FAULTS=full cargo test --workspace --test faults -- --nocapture --test-threads 1
//! ```

#![cfg(unix)]

#[path = "../common/command.rs"]
mod command;

mod control;
mod damage;
mod disk;
mod files;
mod kill;
mod lock;
mod plan;
mod run;
mod signals;
mod spikes;
mod verify;
