//! Completing commands that were accepted one after the other in one statement, as a batch that is handled mostly has
//! such.

use rusqlite::{Connection, OptionalExtension, params};

use super::sql_of;
use crate::store::{CommandState, StateChange, StateKind};

/// Fewer are changed one by one.
const SHORTEST: usize = 4;

/// Commands of changes that begin a list, in rows that follow each other.
pub(super) struct Run {
    first: i64,
    pub(super) length: usize,
    /// Attempts before and after.
    attempts: (u32, u32),
}

impl Run {
    /// The longest run that these changes begin with, where it is worth a statement of its own.
    pub(super) fn of(connection: &Connection, changes: &[StateChange<'_>]) -> rusqlite::Result<Option<Self>> {
        let Some(attempts) = changes.first().and_then(completes_from) else { return Ok(None) };
        let alike = changes.iter().take_while(|change| completes_from(change) == Some(attempts)).count();
        if alike < SHORTEST {
            return Ok(None);
        }
        let mut begin = connection.prepare_cached("SELECT seq FROM command WHERE command_id = ?1")?;
        let first: Option<i64> =
            begin.query_row([changes[0].command_id.0.as_bytes()], |row| row.get(0)).optional()?;
        let Some(first) = first else { return Ok(None) };
        let mut rows = connection
            .prepare_cached("SELECT seq, command_id FROM command WHERE seq >= ?1 ORDER BY seq LIMIT ?2")?;
        let mut rows = rows.query(params![first, alike as i64])?;
        let mut length = 0;
        while let Some(row) = rows.next()? {
            let is_next = row.get::<_, i64>(0)? == first + length as i64;
            if !is_next || row.get_ref(1)?.as_blob()? != changes[length].command_id.0.as_bytes() {
                break;
            }
            length += 1;
        }
        Ok((length >= SHORTEST).then_some(Self { first, length, attempts }))
    }

    /// Completes them; their events get positions from this one on. `false`: one of them is not as it should be.
    pub(super) fn complete(
        &self,
        connection: &Connection,
        position: u64,
        now_ms: u64,
    ) -> rusqlite::Result<bool> {
        let mut update = connection.prepare_cached(
            "UPDATE inbox SET state = 2, attempts = ?1, due_ms = 0, ended_ms = ?2, last_position = seq + ?3 \
             WHERE seq BETWEEN ?4 AND ?5 AND state = 0 AND attempts = ?6",
        )?;
        let (before, after) = self.attempts;
        let last = self.first + self.length as i64 - 1;
        let to_position = sql_of(position) - self.first;
        let changed =
            update.execute(params![after, sql_of(now_ms), to_position, self.first, last, before])?;
        Ok(changed == self.length)
    }
}

/// The attempts before and after of a command that waited and is completed.
fn completes_from(change: &StateChange<'_>) -> Option<(u32, u32)> {
    let is_completed = change.from == StateKind::Waiting && change.to == CommandState::Completed;
    change.expected_attempts.zip(change.attempts).filter(|_| is_completed)
}
