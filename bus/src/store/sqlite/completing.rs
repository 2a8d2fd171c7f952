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

#[cfg(test)]
mod tests {
    use tick_sdk::contracts::bus::{CommandCompleted, CommandsForgotten};
    use tick_sdk::contracts::{CommandId, ConversationId};

    use crate::SqliteStore;
    use crate::store::{
        CommandState, DueCommand, NewCommand, NewEvent, StateChange, StateKind, Store, Sweep,
    };

    const COMMANDS: u128 = 30;

    /// A store that has accepted commands of two contracts, with few of the other one.
    fn store(folder: &tempfile::TempDir, name: &str) -> SqliteStore {
        let store = SqliteStore::open(&folder.path().join(name), "").unwrap();
        let command = |number| NewCommand {
            command_id: CommandId(uuid::Uuid::from_u128(number)),
            conversation_id: ConversationId(uuid::Uuid::from_u128(number)),
            initiator_id: None,
            name: if number % 17 == 3 { "Other" } else { "Do" }.to_owned(),
            version: 1,
            endpoint: "tests".to_owned(),
            caller: String::new(),
            body: "{}".to_owned(),
            original: None,
        };
        store.accept(&(1..=COMMANDS).map(command).collect::<Vec<_>>(), 1).unwrap();
        store
    }

    fn completed(due: &DueCommand) -> NewEvent {
        NewEvent::of_command(&due.command, CommandCompleted::NAME, "{}".to_owned())
    }

    fn change<'a>(due: &DueCommand, event: &'a NewEvent) -> StateChange<'a> {
        StateChange {
            command_id: due.command.command_id,
            from: StateKind::Waiting,
            expected_attempts: Some(0),
            attempts: Some(1),
            to: CommandState::Completed,
            event,
        }
    }

    fn log(store: &SqliteStore) -> Vec<(u64, String, Option<CommandId>)> {
        let events = store.events_after(0, 1000).unwrap();
        events.into_iter().map(|event| (event.position, event.name, event.command_id)).collect()
    }

    fn state(store: &SqliteStore, number: u128) -> Option<CommandState> {
        store.state(CommandId(uuid::Uuid::from_u128(number))).unwrap()
    }

    #[test]
    fn together_they_are_completed_as_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let (together, alone) = (store(&folder, "together"), store(&folder, "alone"));
        let due = together.due("Do", 1, 100).unwrap();
        let events: Vec<_> = due.iter().map(completed).collect();
        let changes: Vec<_> = due.iter().zip(&events).map(|(due, event)| change(due, event)).collect();
        let mut transaction = together.begin().unwrap();
        assert!(transaction.change_all(&changes, 2).unwrap());
        transaction.commit().unwrap();
        let mut transaction = alone.begin().unwrap();
        changes.iter().for_each(|change| assert!(transaction.change(change, 2).unwrap()));
        transaction.commit().unwrap();

        assert_eq!(log(&together), log(&alone));
        for number in 1..=COMMANDS {
            assert_eq!(state(&together, number), state(&alone, number), "{number}");
        }
        assert!(together.due("Do", 3, 100).unwrap().is_empty());
        assert_eq!(together.due("Other", 3, 100).unwrap().len(), 2);
        // Their status events are found again when they are forgotten.
        for store in [&together, &alone] {
            let sweep = Sweep { ended_before_ms: 3, known_before_ms: 0, limit: 100 };
            assert_eq!(store.sweep(&sweep, 4).unwrap(), due.len());
        }
        let left = log(&together);
        assert_eq!(left, log(&alone));
        let names: Vec<_> = left.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(names, ["CommandAccepted", "CommandAccepted", CommandsForgotten::NAME]);
    }

    #[test]
    fn one_that_somebody_else_has_had_refuses_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, "store");
        let due = store.due("Do", 1, 100).unwrap();
        let events: Vec<_> = due.iter().map(completed).collect();
        let changes: Vec<_> = due.iter().zip(&events).map(|(due, event)| change(due, event)).collect();
        let mut transaction = store.begin().unwrap();
        assert!(transaction.change(&changes[9], 2).unwrap());
        transaction.commit().unwrap();
        let before = log(&store);
        let mut transaction = store.begin().unwrap();
        assert!(!transaction.change_all(&changes, 3).unwrap());
        drop(transaction);
        assert_eq!(log(&store), before);
        assert_eq!(store.due("Do", 3, 100).unwrap().len(), due.len() - 1);
    }
}
