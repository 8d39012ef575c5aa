//! `isostar completions`: shell completions and the man page.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::failure::Failure;
use crate::measure::print;

/// Print the completions of a shell, or the manual
///
/// For bash: isostar completions bash > ~/.local/share/bash-completion/completions/isostar; for the manual: isostar completions man >
/// ~/.local/share/man/man1/isostar.1
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell, or man
    #[arg(value_enum, value_name = "SHELL|man")]
    target: Target,
}

/// Kind of output.
#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Bash,
    Zsh,
    Fish,
    Elvish,
    #[value(name = "powershell")]
    PowerShell,
    /// A page of the manual for isostar, and one for each of its commands
    Man,
}

/// Prints the completions or the manual of the command line `isostar`.
pub fn run(arguments: CompletionsArgs, mut isostar: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    let shell = match arguments.target {
        Target::Bash => Shell::Bash,
        Target::Zsh => Shell::Zsh,
        Target::Fish => Shell::Fish,
        Target::Elvish => Shell::Elvish,
        Target::PowerShell => Shell::PowerShell,
        Target::Man => return print(&manual(isostar)),
    };
    clap_complete::generate(shell, &mut isostar, "isostar", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Returns the manual: the page of isostar, then the pages of its commands.
fn manual(isostar: Command) -> String {
    let mut isostar = isostar.disable_help_subcommand(true);
    isostar.build();
    let commands: Vec<Command> = isostar.get_subcommands().cloned().collect();
    let mut text = Vec::new();
    for command in [isostar].into_iter().chain(commands) {
        Man::new(command)
            .render(&mut text)
            .expect("memory can be written to");
    }
    String::from_utf8_lossy(&text).into_owned()
}
