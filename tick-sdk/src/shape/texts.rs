//! Texts that a value can have: what other designs make an enumeration.

/// The texts that a member can have. It is no enumeration: an older reader takes a newer text.
#[derive(Debug)]
pub struct Texts {
    /// The name of the module that has the constants, as `command_state`.
    pub name: &'static str,
    /// What was written about them.
    pub docs: &'static str,
    /// The texts, in the order in which they were declared.
    pub all: &'static [KnownText],
}

impl Texts {
    /// Its documentation, without what only Rust understands: a line a paragraph.
    pub fn plain_docs(&self) -> String {
        super::docs::plain(&[super::Attribute::Docs(self.docs)])
    }
}

/// One of some texts.
#[derive(Debug)]
pub struct KnownText {
    /// The name of its constant, as `ACCEPTED`.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
    /// What was written about it.
    pub docs: &'static str,
}

/// Declares a module of text constants, with `ALL` of them and their [`Texts`](crate::shape::Texts) as `TEXTS`. What else
/// belongs in the module stands behind it, in `with { … }`.
///
/// ```
/// tick_sdk::texts! {
///     /// Which side of a market.
///     pub mod side {
///         /// Whoever buys.
///         BID = "bid";
///         /// Whoever sells.
///         ASK = "ask";
///     }
/// }
/// assert_eq!(side::ALL, [side::BID, "ask"]);
/// assert_eq!(side::TEXTS.all[1].docs.trim(), "Whoever sells.");
/// ```
#[macro_export]
macro_rules! texts {
    (
        $(#[doc = $docs:literal])*
        $vis:vis mod $name:ident {
            $($(#[doc = $text_docs:literal])* $NAME:ident = $text:literal;)*
        }
        $(with { $($more:item)* })?
    ) => {
        $(#[doc = $docs])*
        $vis mod $name {
            $($(#[doc = $text_docs])* pub const $NAME: &str = $text;)*
            /// All of them.
            pub const ALL: [&str; [$($text),*].len()] = [$($NAME),*];
            /// All of them with what they mean.
            pub const TEXTS: $crate::shape::Texts = $crate::shape::Texts {
                name: ::core::stringify!($name),
                docs: ::core::concat!($($docs),*),
                all: &[$($crate::shape::KnownText {
                    name: ::core::stringify!($NAME),
                    text: $text,
                    docs: ::core::concat!($($text_docs),*),
                }),*],
            };
            $($($more)*)?
        }
    };
}
