//! The command line of isostar.

mod allocator;
mod console;
mod embed;
mod evaluate;
mod failure;
mod measure;
mod models;
mod predictions;
mod source;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure and control the isotropy of a model's hidden states.
#[derive(Parser)]
#[command(name = "isostar", version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model for a task with a penalty on its hidden states
    Train(Box<train::TrainArgs>),
    /// Measure a trained model on a split
    Evaluate(evaluate::EvaluateArgs),
    Embed(embed::EmbedArgs),
    Measure(measure::MeasureArgs),
    /// List the models that can be read
    Models(models::ModelsArgs),
}

fn main() -> ExitCode {
    allocator::keep_pages();
    let result: Result<(), Failure> = match CommandLine::parse().command {
        Command::Train(arguments) => train::run(*arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Embed(arguments) => embed::run(arguments),
        Command::Measure(arguments) => measure::run(arguments),
        Command::Models(arguments) => models::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
