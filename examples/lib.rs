//! Programs to start from: `cargo run -p isostar-examples --example NAME`.
