//! A store that is there no more.

use std::sync::Arc;

use super::{
    Collection, Commit, Cursor, Document, DocumentError, DocumentStore, Found, IndexQuery, Stop, Stored,
};

/// What stands in the place of a store that was closed and could not be replaced.
pub(crate) struct Closed;

macro_rules! closed {
    ($($name:ident($($argument:ty),*) -> $Answer:ty;)*) => { $(
        fn $name(&self $(, _: $argument)*) -> Result<$Answer, DocumentError> {
            Err(DocumentError::Closed)
        }
    )* };
}

impl DocumentStore for Closed {
    closed! {
        get(&'static Collection, &str) -> Option<Arc<str>>;
        stored(&'static Collection, &str) -> Option<Stored>;
        page(&'static Collection, &IndexQuery) -> Vec<Found>;
        count(&'static Collection, &IndexQuery) -> u64;
        scan(&'static Collection, &str, usize) -> Vec<Document>;
        commit(&Commit) -> ();
        cursors() -> Vec<Cursor>;
        stops() -> Vec<Stop>;
        prepare(&str, u32, &[&'static Collection]) -> ();
        clear(&str, &[&'static Collection]) -> ();
    }
}
