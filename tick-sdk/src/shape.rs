//! What contracts and bodies look like in JSON: names, types, limits and documentation.
//!
//! A struct that is declared in [`shape!`](crate::shape!) is written down once; what other languages need to know of
//! it is its [`Shape`], made of the same lines. Those of a program are found without a list: [`Shape::all`].
//!
//! ```
//! use tick_sdk::shape::{Form, Shape, Shaped, Type};
//!
//! tick_sdk::shape! {
//!     /// A price that somebody asked for.
//!     #[derive(Debug)]
//!     pub struct Quote {
//!         /// When it was asked for.
//!         pub asked_at: String as Form::Time,
//!         /// Absent where there is none.
//!         pub price: Option<String> as Form::Decimal,
//!     }
//! }
//!
//! let shape: &Shape = Quote::shape();
//! assert_eq!((shape.name, shape.docs().as_str()), ("Quote", "A price that somebody asked for."));
//! assert_eq!(shape.fields[0].json_name(), "askedAt");
//! assert!(matches!(shape.fields[1].kind, Type::Optional(Type::Text)));
//! assert!(serde_json::to_string(&Quote { asked_at: "2026-01-31T12:00:00Z".into(), price: None })
//!     .is_ok_and(|text| text == r#"{"askedAt":"2026-01-31T12:00:00Z","price":null}"#));
//! ```

mod declare;
mod docs;
pub mod json_schema;
mod texts;
mod types;

pub use texts::{KnownText, Texts};
pub use types::{Form, Parameter, Shaped, Type};

/// What a struct looks like as a JSON object.
#[derive(Debug)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// Its members, in the order in which they were declared.
    pub fields: &'static [Field],
    /// What was written about it.
    pub attributes: &'static [Attribute],
    /// The Rust module, by which shapes are sorted.
    pub module: &'static str,
    /// The line of its declaration, likewise.
    pub line: u32,
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in Rust.
    pub rust_name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// What is true of the value beside its type; of an optional one where it is there, of a list or map for its items.
    pub form: Form,
    /// What was written about it.
    pub attributes: &'static [Attribute],
}

/// One attribute of a struct or member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A line of documentation.
    Docs(&'static str),
    /// Its name in JSON.
    Rename(&'static str),
    /// A default takes its place where it is absent.
    Default,
    /// It is left out where it is empty.
    LeftOut,
    /// Its members stand in the place of itself.
    Flatten,
    /// Means nothing in JSON.
    Other,
}

/// A shape that this program has, found without a list.
#[doc(hidden)]
#[derive(Debug)]
pub struct KnownShape(pub fn() -> &'static Shape);

inventory::collect!(KnownShape);

impl Shape {
    /// Every shape of this program, in the order of their modules and lines.
    pub fn all() -> Vec<&'static Self> {
        let mut all: Vec<_> = inventory::iter::<KnownShape>.into_iter().map(|known| (known.0)()).collect();
        all.sort_by_key(|shape| (shape.module, shape.line, shape.name));
        all
    }

    /// Its documentation, without what only Rust understands: a line a paragraph.
    pub fn docs(&self) -> String {
        docs::plain(self.attributes)
    }

    /// Its members as JSON has them: those of flattened members in their places.
    pub fn members(&self) -> Vec<&'static Field> {
        let mut members = Vec::new();
        for field in self.fields {
            match field.kind {
                Type::Object(shape) if field.attributes.contains(&Attribute::Flatten) => {
                    members.extend(shape().members());
                }
                _ => members.push(field),
            }
        }
        members
    }
}

impl Field {
    /// Its name in JSON.
    pub fn json_name(&self) -> String {
        let renamed = self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Rename(name) => Some((*name).to_owned()),
            _ => None,
        });
        renamed.unwrap_or_else(|| camel_case(self.rust_name))
    }

    /// Its documentation, without what only Rust understands: a line a paragraph.
    pub fn docs(&self) -> String {
        docs::plain(self.attributes)
    }

    /// Whether a reader takes an object that does not have it.
    pub fn may_be_absent(&self) -> bool {
        matches!(self.kind, Type::Optional(_)) || self.attributes.contains(&Attribute::Default)
    }

    /// Whether it is written also where it is null or empty.
    pub fn is_always_written(&self) -> bool {
        !self.attributes.contains(&Attribute::LeftOut)
    }
}

/// The name that serde makes of a Rust name under `rename_all = "camelCase"`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        name + &letters.next().map_or_else(String::new, |first| first.to_uppercase().to_string())
            + letters.as_str()
    })
}

#[cfg(test)]
mod tests;
