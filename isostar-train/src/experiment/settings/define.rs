//! The macro that builds the types of the settings, and whatever handles settings one by one, from one table.

/// Defines [`TrainOptions`](super::TrainOptions) and [`TrainSettings`](super::TrainSettings), their merging, defaults, checks and schema.
///
/// The first row, after `options only:`, is a field of the options alone. Every other row has the form
///
/// ```text
/// /// Documentation, help and description in the schema
/// #[arg(how clap reads its flag)]
/// #[stored(how serde reads it from config.toml)]      (optional)
/// name: Type = |about| default, in RANGE;             (default and range are optional)
/// ```
///
/// A setting without a default is an `Option` in both types; without a range, every value of its type is allowed.
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

        /// Every setting of a run. This is what config.toml holds.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct TrainSettings {
            $(
                $(#[doc = $doc])+
                $(#[serde($($stored)*)])?
                pub $name: settings!(@stored $type $(= $default)?),
            )*
        }

        impl TrainOptions {
            /// These options, and `base`'s where these say nothing.
            pub fn over(self, base: Self) -> Self {
                Self { $only: self.$only.or(base.$only), $($name: self.$name.or(base.$name),)* }
            }

            /// These options, and the defaults where they say nothing.
            fn or_defaults(self, about: &About) -> TrainSettings {
                TrainSettings { $($name: settings!(@resolved self.$name, about $(, $default)?),)* }
            }
        }

        impl TrainSettings {
            /// Checks the numbers that no other type checks.
            ///
            /// # Errors
            /// The first setting that is out of range.
            pub fn check(&self) -> Result<(), ExperimentError> {
                $($($range.check(stringify!($name), &self.$name)?;)?)*
                Ok(())
            }
        }

        /// The rows of the table, in order.
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
