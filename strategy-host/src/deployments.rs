//! The context `strategies`: which strategies are deployed, with which parameters, under which names.
//!
//! A deployment is a row and the events that it was made of; who runs strategies keeps a table of its own from
//! those. [`open`] gives the context's store. What runs commit is in the same log, see
//! [`publishing`](crate::publishing).

use std::path::Path;

use bus::{SqliteStore, StoreError};

pub(crate) mod begins;
mod change;
mod deploy;
mod row;
mod stop;

/// Deployments by name. One that was stopped keeps its row, so that a later one of its name goes on with the
/// revisions and no two ever share a lane.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS deployment (
    name TEXT PRIMARY KEY,
    strategy TEXT NOT NULL,
    parameters TEXT NOT NULL,
    revision INTEGER NOT NULL,
    is_stopped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

/// Opens the context's store, and makes it where it is missing.
///
/// # Errors
/// The file cannot be made, or is of another version.
pub fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, &tables())
}

/// The tables of deployments and of publishing, for whoever opens the context's store elsewhere than in a file.
pub fn tables() -> String {
    [TABLES, &crate::publishing::tables()].concat()
}

#[cfg(test)]
mod tests;
