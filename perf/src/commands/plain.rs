//! The limit: the same work on the same SQLite, by a loop without a framework.

use std::path::Path;
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use tick_sdk::contracts::accounts::{CreateUser, UserCreated};
use uuid::Uuid;

use super::CommandsError;

/// The tables of a context with a user and its document, without indexes that only the bus needs.
const TABLES: &str = "
CREATE TABLE inbox (seq INTEGER PRIMARY KEY, command_id BLOB NOT NULL UNIQUE, body TEXT NOT NULL, state INTEGER NOT NULL) STRICT;
CREATE TABLE user (user_id BLOB PRIMARY KEY, email_lower TEXT NOT NULL UNIQUE, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE event (position INTEGER PRIMARY KEY, command_id BLOB NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE document (id BLOB PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Handles so many commands that lie in an inbox, in batches: each is read, checked and marked, and makes a user,
/// an event and a document; one commit a batch. Gives how many a second.
pub(super) fn handled_per_s(file: &Path, commands: u64, batch: u64) -> Result<f64, CommandsError> {
    let mut connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(TABLES)?;
    fill(&mut connection, commands)?;
    let begin = Instant::now();
    let mut last = 0;
    while last < commands as i64 {
        last = handle(&mut connection, last, batch)?;
    }
    Ok(commands as f64 / begin.elapsed().as_secs_f64())
}

fn fill(connection: &mut Connection, commands: u64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for number in 0..commands {
        let body = super::requests::body(number);
        transaction
            .prepare_cached("INSERT INTO inbox (command_id, body, state) VALUES (?1, ?2, 0)")?
            .execute(params![Uuid::now_v7().as_bytes(), body])?;
    }
    transaction.commit()
}

/// The batch after this command; gives its last one.
fn handle(connection: &mut Connection, after: i64, batch: u64) -> Result<i64, CommandsError> {
    let transaction = connection.transaction()?;
    let mut last = after;
    {
        let mut due = transaction.prepare_cached(
            "SELECT seq, command_id, body FROM inbox WHERE seq > ?1 AND state = 0 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = due.query(params![after, batch as i64])?;
        let mut commands: Vec<(i64, [u8; 16], String)> = Vec::new();
        while let Some(row) = rows.next()? {
            commands.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        let mut taken = transaction.prepare_cached("SELECT 1 FROM user WHERE email_lower = ?1")?;
        let mut user = transaction.prepare_cached("INSERT INTO user VALUES (?1, ?2, ?3)")?;
        let mut event = transaction.prepare_cached("INSERT INTO event VALUES (?1, ?2, 'UserCreated', ?3)")?;
        let mut document = transaction.prepare_cached("INSERT INTO document VALUES (?1, ?2)")?;
        let mut mark = transaction.prepare_cached("UPDATE inbox SET state = 2 WHERE seq = ?1")?;
        for (seq, id, body) in commands {
            let CreateUser { email, name } = serde_json::from_str(&body).map_err(std::io::Error::other)?;
            let lower = email.to_lowercase();
            if taken.query_row([&lower], |_| Ok(())).optional()?.is_none() {
                user.execute(params![id, lower, name])?;
                let created = UserCreated { user_id: Uuid::from_bytes(id), email, name };
                let created = serde_json::to_string(&created).map_err(std::io::Error::other)?;
                event.execute(params![seq, id, created])?;
                document.execute(params![id, created])?;
            }
            mark.execute([seq])?;
            last = seq;
        }
    }
    transaction.commit()?;
    Ok(last)
}
