//! Example programs: `cargo run -p isostar-examples --example NAME`.
