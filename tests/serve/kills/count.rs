//! What became of every command, counted from outside: over HTTP, and in a copy of the state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

use super::load::Fate;
use crate::documents::open;
use crate::server::Server;

/// The contexts, whose files are in the state.
const CONTEXTS: [&str; 3] = ["accounts", "strategies", "ticks"];

/// The events that say that a command has ended.
const ENDS: [&str; 3] = ["CommandCompleted", "CommandFailed", "CommandCancelled"];

/// The event that each command raises once, when it is completed.
const EFFECTS: [(&str, &str); 6] = [
    ("CreateUser", "UserCreated"),
    ("RenameUser", "UserRenamed"),
    ("DisableUser", "UserDisabled"),
    ("DeployStrategy", "StrategyDeployed"),
    ("ChangeParameters", "ParametersChanged"),
    ("StopStrategy", "StrategyStopped"),
];

/// Waits until each command has ended as it must.
pub(super) fn check_status(server: &Server, accepted: &BTreeMap<String, Fate>) {
    for (id, fate) in accepted {
        let answer = server.get(&format!("/api/commands/{id}?wait=60s"));
        assert_eq!(answer.status, 200, "{id} was accepted, and is lost: {}", answer.text());
        let command = answer.json();
        let reason = command["reason"].as_str().unwrap_or_default();
        let is_as_expected = match (command["state"].as_str().unwrap(), fate) {
            ("completed", Fate::Completed | Fate::Played | Fate::Any) | ("cancelled", Fate::Played) => {
                reason.is_empty()
            }
            ("failed", Fate::Failed(part)) => reason.contains(part),
            ("failed", Fate::Any) => !reason.is_empty(),
            _ => false,
        };
        assert!(is_as_expected, "{fate:?} was expected of {command}");
    }
}

/// A command as its context's log has it.
#[derive(Default)]
struct Logged {
    command: String,
    accepted: u32,
    ended: Vec<String>,
    /// Other events that it caused, by name.
    raised: BTreeMap<String, u32>,
}

/// Every command is in one log, has ended once there, and has taken effect once or, where it failed, not at all.
pub(super) fn check_logs(copy: &Path, accepted: &BTreeMap<String, Fate>) {
    let mut all = BTreeSet::new();
    for context in CONTEXTS {
        let connection = open(copy, context);
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let events = number("SELECT count(*) FROM event");
        // Of how far a replay is only the last is kept, so the log of those has holes.
        if context != "ticks" {
            assert_eq!(number("SELECT max(position) FROM event"), events, "{context} has holes");
        }
        assert_eq!(number("SELECT count(*) FROM inbox WHERE state < 2"), 0, "{context} has more to do");
        assert_eq!(number("SELECT count(*) FROM outgoing"), 0, "{context} has more to send");
        let logged = logged(&connection);
        assert_eq!(number("SELECT count(*) FROM inbox"), logged.len() as i64, "{context}");
        for (id, logged) in logged {
            check_command(&id, &logged);
            assert!(all.insert(id.clone()), "{id} is in two logs");
        }
    }
    let lost: Vec<_> = accepted.keys().filter(|id| !all.contains(&id.replace('-', ""))).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    check_users(&open(copy, "accounts"));
    check_replays(&open(copy, "ticks"));
}

fn logged(connection: &Connection) -> BTreeMap<String, Logged> {
    let sql = "SELECT lower(hex(command_id)), name, coalesce(json_extract(body, '$.command'), '') FROM event \
               WHERE command_id IS NOT NULL ORDER BY position";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut all = BTreeMap::<_, Logged>::new();
    while let Some(row) = rows.next().unwrap() {
        let name: String = row.get(1).unwrap();
        let logged = all.entry(row.get(0).unwrap()).or_default();
        match name.as_str() {
            "CommandAccepted" => {
                logged.accepted += 1;
                logged.command = row.get(2).unwrap();
            }
            end if ENDS.contains(&end) => logged.ended.push(name),
            _ => *logged.raised.entry(name).or_default() += 1,
        }
    }
    // Events that a command of another context has caused stand under its id, too.
    all.retain(|_, logged| logged.accepted > 0 || !logged.ended.is_empty());
    all
}

fn check_command(id: &str, logged: &Logged) {
    let Logged { command, accepted, ended, raised } = logged;
    assert_eq!((*accepted, ended.len()), (1, 1), "{command} {id}: accepted and ended {ended:?}");
    if let Some((_, effect)) = EFFECTS.iter().find(|(of, _)| of == command) {
        let expected = u32::from(ended[0] == "CommandCompleted");
        assert_eq!(raised.get(*effect).copied().unwrap_or(0), expected, "{command} {id}: {effect}");
    }
}

fn check_users(accounts: &Connection) {
    let number = |sql: &str| accounts.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let users = number("SELECT count(*) FROM user");
    let events =
        number("SELECT count(DISTINCT json_extract(body, '$.userId')) FROM event WHERE name = 'UserCreated'");
    assert!(users > 0);
    assert_eq!(events, users, "users, and those that an event says were created");
}

/// Each replay has ended once, and its command as the replay.
fn check_replays(ticks: &Connection) {
    let sql = "SELECT count(*) FROM replay WHERE \
               (SELECT count(*) FROM event WHERE name IN ('ReplayCompleted', 'ReplayCancelled', 'ReplayFailed') \
                AND json_extract(event.body, '$.replayId') = \
                lower(substr(hex(replay_id), 1, 8) || '-' || substr(hex(replay_id), 9, 4) || '-' || \
                substr(hex(replay_id), 13, 4) || '-' || substr(hex(replay_id), 17, 4) || '-' || \
                substr(hex(replay_id), 21))) = ?1";
    let ended = |times: i64| ticks.query_row(sql, [times], |row| row.get::<_, i64>(0)).unwrap();
    let all: i64 = ticks.query_row("SELECT count(*) FROM replay", [], |row| row.get(0)).unwrap();
    assert!(all > 0);
    assert_eq!(ended(1), all, "replays that have ended once");
}
