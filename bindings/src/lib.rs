//! Contracts and routes as other languages need them: made of the shapes that their Rust declarations have, so that
//! nobody keeps a second list.
//!
//! Everything here is a function from what the program knows to text, the same each time.
//!
//! ```
//! let files = bindings::csharp();
//! assert_eq!(files[0].name, "Contracts.cs");
//! assert!(files[0].text.contains("public sealed record CreateUser : ICommand"));
//! ```

#![deny(missing_docs, unnameable_types)]

mod csharp;
mod json_schema;
mod messages;
mod source;
mod typescript;

pub use csharp::{csharp, csharp_in_one_file};
pub use json_schema::json_schema;
pub use typescript::typescript;

/// A file that was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The name that it should have.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}
