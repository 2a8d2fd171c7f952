//! Typed parameters with defaults and help text.

use thiserror::Error;

/// What a user should know of one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// As written in `--strategy apple:NAME=VALUE`.
    pub name: &'static str,
    /// The type of its value: `u32`, `f64`, `bool`, `String`, …
    pub kind: &'static str,
    /// Its documentation.
    pub help: &'static str,
}

/// A set of typed parameters; implemented by [`params!`](crate::params).
pub trait Params: Clone + Default + Send + Sync + 'static {
    /// Every parameter, in the order of declaration.
    const INFO: &'static [ParamInfo];

    /// Sets one parameter from its text.
    ///
    /// # Errors
    /// There is no such parameter, or the text is not a value of its type.
    fn set(&mut self, name: &str, text: &str) -> Result<(), ParamError>;

    /// Every parameter with its value as text, in the order of declaration.
    fn values(&self) -> Vec<(&'static str, String)>;
}

/// A parameter that cannot be set.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParamError {
    /// No parameter has this name.
    #[error("there is no parameter '{name}'; there are: {known}")]
    Unknown {
        /// As the user wrote it.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The text is not a value of the parameter's type.
    #[error("{name} = '{text}' is not a valid {kind}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// As the user wrote it.
        text: String,
        /// The type that is expected.
        kind: &'static str,
    },
    /// The values make no sense together.
    #[error("{0}")]
    Refused(String),
}

impl ParamError {
    /// No parameter of `known` is called `name`.
    pub fn unknown(name: &str, known: &[ParamInfo]) -> Self {
        let known: Vec<_> = known.iter().map(|info| info.name).collect();
        Self::Unknown { name: name.to_owned(), known: known.join(", ") }
    }
}

/// Declares a struct of typed parameters, each with its default and its help as a doc comment.
/// A type is any that is `FromStr + Display + Clone`.
///
/// ```
/// tick_sdk::params! {
///     /// Parameters of an average.
///     pub struct AverageParams {
///         /// Ticks that the average looks back.
///         window: u32 = 200,
///         /// Deviations at which it acts.
///         entry: f64 = 2.0,
///     }
/// }
/// use tick_sdk::Params;
/// let mut params = AverageParams::default();
/// params.set("window", "50").unwrap();
/// assert_eq!(params.window, 50);
/// assert!(params.set("window", "many").is_err());
/// ```
#[macro_export]
macro_rules! params {
    (
        $(#[$struct_meta:meta])*
        $visibility:vis struct $Name:ident {
            $( $(#[doc = $help:expr])+ $field:ident : $kind:ty = $default:expr ),* $(,)?
        }
    ) => {
        $(#[$struct_meta])*
        #[derive(Clone, Debug, PartialEq)]
        $visibility struct $Name {
            $( $(#[doc = $help])+ pub $field: $kind, )*
        }

        impl ::core::default::Default for $Name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::Params for $Name {
            const INFO: &'static [$crate::host::ParamInfo] = &[
                $( $crate::host::ParamInfo {
                    name: ::core::stringify!($field),
                    kind: ::core::stringify!($kind),
                    help: ::core::concat!($($help),+),
                }, )*
            ];

            #[allow(unused_variables, reason = "there may be no parameter to set")]
            fn set(&mut self, name: &str, text: &str) -> ::core::result::Result<(), $crate::host::ParamError> {
                match name {
                    $( ::core::stringify!($field) => {
                        self.$field = text.parse().map_err(|_| $crate::host::ParamError::Invalid {
                            name: ::core::stringify!($field),
                            text: text.to_owned(),
                            kind: ::core::stringify!($kind),
                        })?;
                        Ok(())
                    } )*
                    _ => Err($crate::host::ParamError::unknown(name, <Self as $crate::Params>::INFO)),
                }
            }

            fn values(&self) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
                ::std::vec![$( (::core::stringify!($field), self.$field.to_string()) ),*]
            }
        }
    };
}

params! {
    /// For a strategy without parameters.
    pub struct NoParams {}
}

#[cfg(test)]
mod tests {
    use super::*;

    params! {
        /// Two of them.
        struct Two {
            /// A count.
            /// In two lines.
            count: u32 = 3,
            /// A name.
            name: String = "x".to_owned(),
        }
    }

    #[test]
    fn defaults_help_and_errors() {
        let mut two = Two::default();
        assert_eq!((two.count, two.name.as_str()), (3, "x"));
        assert_eq!(Two::INFO[0].help.trim(), "A count. In two lines.");
        two.set("count", "7").unwrap();
        assert_eq!(two.values(), [("count", "7".to_owned()), ("name", "x".to_owned())]);
        assert_eq!(two.set("count", "-7").unwrap_err().to_string(), "count = '-7' is not a valid u32");
        assert_eq!(
            two.set("cuont", "7").unwrap_err().to_string(),
            "there is no parameter 'cuont'; there are: count, name"
        );
        assert!(NoParams::default().set("a", "b").is_err());
    }
}
