//! Flags for the settings of a run, from the table of settings.

use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};
use isostar_train::experiment::{Setting, TrainOptions};

/// The settings that were given as flags.
#[derive(Clone, Debug, Default)]
pub struct Options(pub TrainOptions);

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        TrainOptions::settings()
            .into_iter()
            .filter_map(flag)
            .fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut options = Self::default();
        options.update_from_arg_matches(matches)?;
        Ok(options)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in TrainOptions::settings()
            .iter()
            .filter(|setting| setting.takes.is_some())
        {
            if let Some(text) = matches.get_one::<String>(setting.name) {
                self.0
                    .set(setting.name, text)
                    .map_err(|error| Error::raw(ErrorKind::ValueValidation, error))?;
            }
        }
        Ok(())
    }
}

/// The flag of a setting; `None` for a setting that only a file can hold.
fn flag(setting: Setting) -> Option<Arg> {
    let word: &'static str = setting.takes.clone()?.leak();
    let long: &'static str = setting.name.replace('_', "-").leak();
    let hint = if word == "DIR" {
        ValueHint::AnyPath
    } else {
        ValueHint::Unknown
    };
    let arg = Arg::new(setting.name)
        .long(long)
        .value_name(word)
        .help(setting.help.clone())
        .value_hint(hint);
    Some(
        arg.allow_negative_numbers(setting.is_signed)
            .value_parser(parser(setting)),
    )
}

/// Accepts the texts that a setting takes.
fn parser(setting: Setting) -> ValueParser {
    if setting.choices.is_empty() {
        let check = move |text: &str| {
            TrainOptions::default()
                .set(setting.name, text)
                .map(|()| text.to_string())
        };
        return check.into();
    }
    let choice = |(name, help): &(&'static str, &'static str)| match help.is_empty() {
        true => PossibleValue::new(*name),
        false => PossibleValue::new(*name).help(*help),
    };
    PossibleValuesParser::new(setting.choices.iter().map(choice)).into()
}
