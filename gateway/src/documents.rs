//! Where reads come from: collections of JSON documents with declared indexes, in a store behind a trait.
//!
//! A document is text; the store never looks into it. Whoever puts one says under which keys the indexes
//! have it. A key is bytes that sort as their values do, made by [`Key`], so that every store can keep them.
//! The cursor of a projection is committed together with the documents made of the events up to it.

use std::path::PathBuf;
use std::sync::Arc;

use bus::StoreError;
use thiserror::Error;

mod batch;
mod closed;
#[cfg(test)]
mod conformance;
mod key;
mod postgres;
mod recent;
mod served;
mod sharing;
mod sqlite;

pub use batch::Batch;
pub(crate) use closed::Closed;
pub use key::{Key, decode_cursor, encode_cursor};
pub(crate) use postgres::NextDocuments;
pub use postgres::PostgresDocuments;
pub use served::{Documents, Text, Watch};
pub use sharing::{Hold, Keeper, OnChange, Sharing};
pub use sqlite::{Durability, SqliteDocuments};

/// A collection, as its projection declares it.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its name: lower-case letters and `_`.
    pub name: &'static str,
    /// The names of its indexes; a document's keys come in the same order.
    pub indexes: &'static [&'static str],
}

/// A document without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Unique in its collection.
    pub id: String,
    /// JSON text.
    pub body: Arc<str>,
}

/// What a commit does to one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there from now on, and found under these keys; `None` where an index does not have it.
    Put {
        /// JSON text.
        body: String,
        /// One for each index of the collection.
        keys: Vec<Option<Key>>,
    },
    /// A document that is there has this text from now on, and is found under these keys instead of those that the
    /// same indexes had; it stays where it is in the others.
    Replace {
        /// JSON text.
        body: String,
        /// The places of indexes in [`Collection::indexes`], each with its key.
        keys: Vec<(usize, Option<Key>)>,
    },
    /// It is gone.
    Delete,
}

impl Change {
    /// The text from now on; `None` where it is gone.
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::Put { body, .. } | Self::Replace { body, .. } => Some(body),
            Self::Delete => None,
        }
    }
}

/// A document as whoever writes it finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// JSON text.
    pub body: String,
    /// One for each index of its collection.
    pub keys: Vec<Option<Key>>,
}

/// A projection's place in a context's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The projection.
    pub projection: String,
    /// The context.
    pub context: String,
    /// The last event that was applied.
    pub position: u64,
}

/// An event that a projection could not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The projection.
    pub projection: String,
    /// The context.
    pub context: String,
    /// The event's position.
    pub position: u64,
    /// The event's contract.
    pub event: String,
    /// Why.
    pub reason: String,
    /// Whether somebody has decided to leave it out.
    pub is_skipped: bool,
}

/// What is committed at once.
#[derive(Debug, Default)]
pub struct Commit {
    /// Collection, id and change; at most one for each document.
    pub changes: Vec<(&'static Collection, String, Change)>,
    /// Where the cursors are that move, as whoever commits knows it: 0 where there is none yet. A file's store compares
    /// them, so that two writers do not apply an event twice; in a database the lease says who may commit.
    pub expected: Vec<Cursor>,
    /// The cursors from now on.
    pub cursors: Vec<Cursor>,
    /// Events that stopped a projection, or that are skipped from now on.
    pub stops: Vec<Stop>,
}

/// A part of an index, in its order.
#[derive(Clone, Debug)]
pub struct IndexQuery {
    /// The index's place in [`Collection::indexes`].
    pub index: usize,
    /// From this key on.
    pub from: Option<Key>,
    /// Up to this key, which is left out.
    pub to: Option<Key>,
    /// Whether the greatest key comes first.
    pub is_descending: bool,
    /// Begins behind this document: its key and id.
    pub after: Option<(Key, String)>,
    /// At most so many.
    pub limit: usize,
}

/// A document that was found in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its key in that index.
    pub key: Key,
    /// The document.
    pub document: Document,
}

/// Why documents could not be read or written.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// SQLite's own error.
    #[error("the read model {place} cannot be used: {source}\n  `orchard serve --rebuild` makes it anew")]
    Sqlite {
        /// The file.
        place: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A file cannot be made, renamed or removed.
    #[error("{}: {source}", place.display())]
    Io {
        /// The file.
        place: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was written by another version.
    #[error(
        "the read model {place} has schema {found}, this program has {expected}\n  `orchard serve --rebuild` makes it anew"
    )]
    Schema {
        /// The file.
        place: String,
        /// The file's schema.
        found: i64,
        /// This program's.
        expected: i64,
    },
    /// PostgreSQL refused, or is away.
    #[error("the read model: {source}")]
    Shared {
        /// Why.
        source: StoreError,
    },
    /// Nobody has made the documents yet.
    #[error(
        "the read model at {place} is not made yet: start a process with the role projections, or wait until one is there"
    )]
    Unmade {
        /// The database.
        place: String,
    },
    /// A newer program made them.
    #[error("the read model {place} is of version {found}, this program knows {known}: update this program")]
    Newer {
        /// The projection and the database.
        place: String,
        /// The version that is there.
        found: i64,
        /// This program's.
        known: i64,
    },
    /// Another process keeps the documents: nothing was stored.
    #[error("another process keeps the read model")]
    KeptElsewhere,
    /// Another process makes the documents anew.
    #[error("another process rebuilds the read model: wait until it has done so, or until it has ended")]
    Rebuilding,
    /// A cursor is not where it was expected: nothing was stored.
    #[error("another program writes the read model {place}, too: end one of them")]
    WrittenElsewhere {
        /// The file.
        place: String,
    },
    /// The file was closed to be replaced, and the new one could not be opened.
    #[error("the read model is closed: restart the program")]
    Closed,
    /// A stored document is not what its collection holds.
    #[error("document {id} of {collection} is damaged: {reason}\n  `orchard serve --rebuild` makes it anew")]
    Damaged {
        /// The collection.
        collection: &'static str,
        /// The document.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl DocumentError {
    /// Whether it is the store's, which may pass, and no document's.
    pub(crate) const fn is_of_store(&self) -> bool {
        !matches!(self, Self::Damaged { .. })
    }
}

/// A store of documents. Calls block; reads never wait for the one writer.
pub trait DocumentStore: Send + Sync {
    /// One document.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(&self, collection: &'static Collection, id: &str) -> Result<Option<Arc<str>>, DocumentError>;

    /// One document for whoever makes the next commit, who is the only one to write. What this and the calls before it
    /// since the last commit found is of one moment.
    ///
    /// # Errors
    /// The store cannot be read.
    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<Stored>, DocumentError>;

    /// Documents of an index in its order, as they were committed at one moment.
    ///
    /// # Errors
    /// The store cannot be read.
    fn page(&self, collection: &'static Collection, query: &IndexQuery) -> Result<Vec<Found>, DocumentError>;

    /// How many documents of an index there are, in whatever order: at most the query's limit. What it begins behind
    /// is not considered.
    ///
    /// # Errors
    /// The store cannot be read.
    fn count(&self, collection: &'static Collection, query: &IndexQuery) -> Result<u64, DocumentError>;

    /// Every document in order of id, a part at a time: those whose id is greater than `after`.
    ///
    /// # Errors
    /// The store cannot be read.
    fn scan(
        &self,
        collection: &'static Collection,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Document>, DocumentError>;

    /// All or nothing: documents, cursors and stops.
    ///
    /// # Errors
    /// Nothing was stored.
    fn commit(&self, commit: &Commit) -> Result<(), DocumentError>;

    /// Every cursor.
    ///
    /// # Errors
    /// The store cannot be read.
    fn cursors(&self) -> Result<Vec<Cursor>, DocumentError>;

    /// Every stop, those that are skipped included.
    ///
    /// # Errors
    /// The store cannot be read.
    fn stops(&self) -> Result<Vec<Stop>, DocumentError>;

    /// Makes collections that are missing. Those of a projection whose version is another than the stored
    /// one are emptied with its cursors: it is built anew.
    ///
    /// # Errors
    /// The store cannot be written.
    fn prepare(
        &self,
        projection: &str,
        version: u32,
        collections: &[&'static Collection],
    ) -> Result<(), DocumentError>;

    /// Empties the collections of a projection with its cursors and stops: it is built anew.
    ///
    /// # Errors
    /// The store cannot be written.
    fn clear(&self, projection: &str, collections: &[&'static Collection]) -> Result<(), DocumentError>;
}
