//! Settings that take one of a few named values.

/// A type whose values have names.
pub(crate) trait Choice: Copy + 'static {
    /// Every value with its name and one line about it, which may be empty.
    const CHOICES: &'static [(Self, &'static str, &'static str)];
}

/// Defines an enum with [`Choice`]: the first line of each value's documentation is the line about
/// it.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $(
                #[doc = $help:tt]
                $(#[$more:meta])*
                $value:ident = $name:literal,
            )+
        }
    ) => {
        $(#[$meta])*
        pub enum $type {
            $(
                #[doc = $help]
                $(#[$more])*
                $value,
            )+
        }

        impl $crate::choice::Choice for $type {
            const CHOICES: &'static [(Self, &'static str, &'static str)] = &[$((Self::$value, $name, $help)),+];
        }
    };
}

pub(crate) use choice;
