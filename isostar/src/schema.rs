//! `isostar schema`: JSON Schemas of settings files and plans, for editors and validators.

use clap::{Args, ValueEnum};
use isostar_train::experiment::TrainOptions;
use isostar_train::sweep::Plan;

use crate::failure::Failure;
use crate::measure::print;

/// Print the JSON schema of a settings file or of a plan
///
/// The schema is that of JSON Schema 2020-12. Editors such as VS Code with Even Better TOML complete and check a TOML file with it, if the file begins
/// with a line `#:schema FILE`.
#[derive(Args)]
pub struct SchemaArgs {
    /// The file that the schema describes
    #[arg(value_enum, default_value = "settings")]
    of: Described,
}

/// Files that have a schema.
#[derive(Clone, Copy, ValueEnum)]
enum Described {
    /// The settings file of train
    Settings,
    /// The plan of sweep
    Plan,
}

/// Prints the schema.
pub fn run(arguments: SchemaArgs) -> Result<(), Failure> {
    let schema = match arguments.of {
        Described::Settings => TrainOptions::schema(),
        Described::Plan => Plan::schema(),
    };
    print(&format!("{schema:#}\n"))
}
