//! What the command says of the errors of the libraries. The command itself is the program
//! `isostar`.

pub mod remedy;
