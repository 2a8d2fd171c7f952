//! Users: a context with three commands, a table and a log of events.
//!
//! It is the smallest context, and shows what one is made of: contracts in [`tick_sdk::contracts::accounts`], a
//! handler for each command here, and [`open`], which the process that serves it calls. What a user looks like to
//! readers is not decided here: the gateway makes its documents from the events.

#![deny(missing_docs, unnameable_types)]

use std::path::Path;

use bus::{SqliteStore, StoreError};

mod create;
mod disable;
mod rename;
mod rules;

/// The context's own table, for whoever opens its store elsewhere than in a file. E-mail addresses are compared in lower
/// case. PostgreSQL reserves the name.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS \"user\" (
    user_id BLOB PRIMARY KEY,
    email_lower TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    is_disabled INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

/// Opens the context's store, and makes it where it is missing.
///
/// # Errors
/// The file cannot be made, or is of another version.
pub fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, TABLES)
}

#[cfg(test)]
mod tests;
