//! Macro that generates the settings types, and the code that handles each setting, from one table.

/// Defines [`TrainOptions`](super::TrainOptions) and [`TrainSettings`](super::TrainSettings), with
/// merging, defaults, checks and schema.
///
/// The first row, after `options only:`, is a field of `TrainOptions` alone. Every other row has
/// the form
///
/// ```text
/// /// Documentation, help and description in the schema
/// #[arg(how clap reads its flag)]
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
        #[arg($($only_arg:tt)*)]
        $only:ident: $only_type:ty;
    $(
        $(#[doc = $doc:tt])+
        #[arg($($arg:tt)*)]
        $(#[stored($($stored:tt)*)])?
        $name:ident: $type:ty $(= $default:expr)? $(, in $range:expr)?;
    )*) => {
        /// The settings that a user passes in a settings file or as flags. [`TrainSettings::resolve`] fills in the rest.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[cfg_attr(feature = "cli", derive(clap::Args))]
        pub struct TrainOptions {
            $(#[doc = $only_doc])+
            #[cfg_attr(feature = "cli", arg($($only_arg)*))]
            pub $only: Option<$only_type>,
            $(
                $(#[doc = $doc])+
                #[cfg_attr(feature = "cli", arg($($arg)*))]
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
            fn or_defaults(self, about: &About) -> TrainSettings {
                TrainSettings { $($name: settings!(@resolved self.$name, about $(, $default)?),)* }
            }
        }

        impl TrainSettings {
            /// Checks that all settings are in range.
            ///
            /// # Errors
            /// The first setting that is out of range.
            pub fn check(&self) -> Result<(), ExperimentError> {
                $($($range.check(stringify!($name), &self.$name)?;)?)*
                Ok(())
            }
        }

        /// Rows of the table, in order.
        #[cfg(feature = "cli")]
        pub(super) fn rows() -> Vec<Row> {
            vec![
                Row::new::<$only_type>(stringify!($only), &[$($only_doc),+], None),
                $(Row::new::<$type>(stringify!($name), &[$($doc),+], settings!(@range $($range)?)),)*
            ]
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
