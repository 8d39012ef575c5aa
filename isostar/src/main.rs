//! The `isostar` command-line program.

mod allocator;
mod analyze;
mod completions;
mod console;
mod devices;
mod embed;
mod evaluate;
mod failure;
mod host;
mod layers;
mod measure;
mod models;
mod options;
mod outcome;
mod processes;
mod progress;
mod report;
mod runs;
mod schema;
mod signals;
mod slurm;
mod source;
mod stderr;
mod sweep;
mod train;
mod verify;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use stderr::stderr_line;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STATUS: &str = "Exit status: 0 done; 1 failed, with the cause and a remedy on stderr; 2 wrong usage; 3 stopped because a run diverged or passed a limit; 130, 143 or 138 stopped by SIGINT, SIGTERM or SIGUSR1, with the state of a run saved";

/// Measure and control the isotropy of a model's hidden states
#[derive(Parser)]
#[command(name = "isostar", version, long_version = version::long(), after_help = STATUS)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model for a task with a penalty on its hidden states
    ///
    /// Each epoch ends in one line on stderr: its training and validation numbers, its seconds, its training rows per second and the time that the
    /// remaining epochs take. Where stderr is not a terminal, lines replace the progress bars: one every tenth of an epoch, at least ten steps
    /// after the last one, and one after every 30 seconds without a line.
    Train(Box<train::TrainArgs>),
    /// Measure a trained model on a split
    Evaluate(evaluate::EvaluateArgs),
    Analyze(Box<analyze::AnalyzeArgs>),
    Embed(embed::EmbedArgs),
    Measure(measure::MeasureArgs),
    /// List the devices of this machine, and what the missing ones need
    Devices(devices::DevicesArgs),
    /// List the models that can be read
    Models(models::ModelsArgs),
    Verify(verify::VerifyArgs),
    Sweep(sweep::SweepArgs),
    Runs(runs::RunsArgs),
    Report(report::ReportArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

fn main() -> ExitCode {
    allocator::keep_pages();
    host::make_default();
    signals::watch();
    let result: Result<(), Failure> = match CommandLine::parse().command {
        Command::Train(arguments) => train::run(*arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Analyze(arguments) => analyze::run(*arguments),
        Command::Embed(arguments) => embed::run(arguments),
        Command::Measure(arguments) => measure::run(arguments),
        Command::Devices(arguments) => devices::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Runs(arguments) => runs::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Completions(arguments) => completions::run(arguments, CommandLine::command()),
    };
    let status = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.is_said() {
                stderr_line(&failure);
            }
            ExitCode::from(failure.status())
        }
    };
    processes::leave();
    status
}
