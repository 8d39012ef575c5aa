//! Macro that generates the settings types, and the code that handles each setting, from one table.

use serde_json::Value;

use super::kind::Kind;
use super::range::{Bound, Range};

/// A setting as a row of the table: its name, its help and the text that it takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Name in a settings file.
    pub name: &'static str,
    /// One paragraph about it.
    pub help: String,
    /// Word for its text, such as `N`; `None` if it is no text, but a table of a settings file.
    pub takes: Option<String>,
    /// The texts that it takes, each with one line about it, which may be empty. Without any, it
    /// takes other texts.
    pub choices: Vec<(&'static str, &'static str)>,
    /// Whether its text may begin with a minus.
    pub is_signed: bool,
    /// JSON Schema of its value.
    pub(super) schema: Value,
}

impl Setting {
    /// Creates a row. `lines` are the lines of its documentation; `takes` is empty without a text,
    /// and holds an empty list if the text is called by the name of the setting.
    pub(super) fn new<T: Kind>(
        name: &'static str,
        lines: &[&str],
        takes: &[&[&str]],
        range: Option<Range>,
    ) -> Self {
        let help = lines
            .iter()
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join(" ");
        let mut schema = T::schema();
        schema["description"] = help.as_str().into();
        for bound in range.iter().flat_map(|range| range.bounds) {
            match *bound {
                Bound::AtLeast(low) => schema["minimum"] = low.into(),
                Bound::Above(low) => schema["exclusiveMinimum"] = low.into(),
                Bound::AtMost(high) => schema["maximum"] = high.into(),
            }
        }
        let takes = takes.first().map(|word| {
            word.first()
                .map_or(name.to_uppercase(), |word| word.to_string())
        });
        Self {
            name,
            help,
            takes,
            choices: T::choices(),
            is_signed: T::IS_SIGNED,
            schema,
        }
    }
}

/// Defines [`TrainOptions`](super::TrainOptions) and [`TrainSettings`](super::TrainSettings), with
/// merging, defaults, checks and schema.
///
/// The first row, after `options only:`, is a field of `TrainOptions` alone. Every other row has
/// the form
///
/// ```text
/// /// Documentation, help and description in the schema
/// #[takes("WORD")]                                    (the word for its text; without one, its name; left out if it is no text)
/// #[stored(how serde reads it from config.toml)]      (optional)
/// name: Type = |about| default, in RANGE;             (default and range are optional)
/// ```
///
/// A setting without a default is an `Option` in both types. Without a range, all values of its
/// type are allowed.
macro_rules! settings {
    (
        options only:
        $(#[doc = $only_doc:tt])+
        #[takes($($only_takes:literal)?)]
        $only:ident: $only_type:ty;
    $(
        $(#[doc = $doc:tt])+
        $(#[takes($($takes:literal)?)])?
        $(#[stored($($stored:tt)*)])?
        $name:ident: $type:ty $(= $default:expr)? $(, in $range:expr)?;
    )*) => {
        /// The settings that a user passes. [`TrainSettings::resolve`] fills in the rest.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct TrainOptions {
            $(#[doc = $only_doc])+
            pub $only: Option<$only_type>,
            $(
                $(#[doc = $doc])+
                pub $name: Option<$type>,
            )*
        }

        /// All settings of a run, as stored in config.toml.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct TrainSettings {
            $(
                $(#[doc = $doc])+
                $(#[serde($($stored)*)])?
                pub $name: settings!(@stored $type $(= $default)?),
            )*
        }

        impl TrainOptions {
            /// Returns these options; unset ones are taken from `base`.
            pub fn over(self, base: Self) -> Self {
                Self { $only: self.$only.or(base.$only), $($name: self.$name.or(base.$name),)* }
            }

            /// Returns the names of the settings that these options set.
            pub(crate) fn named(&self) -> Vec<&'static str> {
                let names = [$(self.$name.is_some().then_some(stringify!($name)),)*];
                names.into_iter().flatten().collect()
            }

            /// Returns these options; unset ones get their defaults.
            pub(super) fn or_defaults(self, about: &About) -> TrainSettings {
                TrainSettings { $($name: settings!(@resolved self.$name, about $(, $default)?),)* }
            }
        }

        impl TrainSettings {
            /// Checks that all settings are in range.
            ///
            /// # Errors
            /// The first setting that is out of range.
            pub(super) fn check_ranges(&self) -> Result<(), ExperimentError> {
                $($($range.check(stringify!($name), &self.$name)?;)?)*
                Ok(())
            }
        }

        impl TrainOptions {
            /// Returns the rows of the table of settings, in order.
            pub fn settings() -> Vec<Setting> {
                vec![
                    Setting::new::<$only_type>(stringify!($only), &[$($only_doc),+], &[&[$($only_takes)?]], None),
                    $(Setting::new::<$type>(
                        stringify!($name),
                        &[$($doc),+],
                        &[$(&[$($takes)?])?],
                        settings!(@range $($range)?),
                    ),)*
                ]
            }

            /// Sets the setting with this name from text.
            ///
            /// # Errors
            /// If there is no such setting, or the text is no value of it; the message says why.
            pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
                match name {
                    stringify!($only) => self.$only = Some(Kind::parse(text)?),
                    $(stringify!($name) => self.$name = Some(Kind::parse(text)?),)*
                    _ => return Err(format!("there is no setting {name:?}")),
                }
                Ok(())
            }
        }
    };
    (@stored $type:ty = $default:expr) => { $type };
    (@stored $type:ty) => { Option<$type> };
    (@resolved $option:expr, $about:expr, $default:expr) => { or_default($option, $about, $default) };
    (@resolved $option:expr, $about:expr) => { $option };
    (@range $range:expr) => { Some($range) };
    (@range) => { None };
}

pub(super) use settings;
