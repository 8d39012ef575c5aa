//! `isostar analyze` as a user runs it, beside `isostar embed` followed by `isostar measure`.

mod against;
mod layers;
mod refused;
mod rows;
mod sentences;
