//! What became of every command, counted from outside: in PostgreSQL, on the broker, and at every gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::documents::wait_at_head;
use crate::http::Answer;
use crate::place::Place;
use crate::server::Server;

/// Whatever is on its way arrives within this time.
const SOON: Duration = Duration::from_secs(120);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// A number that a statement gives.
pub(crate) fn number(place: &Place<'_>, sql: &str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(place.database()).await.unwrap();
        let found = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found
    })
}

/// Waits until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not within {SOON:?}");
        std::thread::sleep(LOOK);
    }
}

/// What a gateway answers to a read once it knows the command that the path names: by itself it waits for an unknown one
/// for a moment only. What a command that has ended has made is not waited for: it must be there.
pub(crate) fn known(gateway: &Server, path: &str) -> Answer {
    let unknown: &[u16] = if path.contains("after=") { &[400, 409] } else { &[404] };
    let mut answer = gateway.get(path);
    wait_until("the gateway knows the command", || {
        if unknown.contains(&answer.status) {
            answer = gateway.get(path);
        }
        !unknown.contains(&answer.status)
    });
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

/// Waits until a gateway says so of itself, by the status and the body of `/health/ready`: on a machine that is busy a
/// part may not answer in time.
pub(crate) fn wait_health(gateway: &Server, is_so: impl Fn(u16, &Value) -> bool) {
    let until = Instant::now() + SOON;
    loop {
        let answer = gateway.get("/health/ready");
        let parts = answer.json();
        if is_so(answer.status, &parts) {
            return;
        }
        assert!(Instant::now() < until, "{}: {parts}", answer.status);
        std::thread::sleep(LOOK);
    }
}

/// Waits until there is nothing left to do, then counts: each command is in the log once, has ended once, as
/// completed, and has made one user.
pub(crate) fn check_commands(place: &Place<'_>, accepted: &BTreeMap<String, u64>) {
    let count = |sql: &str| number(place, sql);
    let all = accepted.len() as i64;
    let ended = "SELECT count(*) FROM accounts.event WHERE name = 'CommandCompleted'";
    let open = "SELECT count(*) FROM accounts.inbox WHERE state < 2";
    wait_until("all commands end", || count(ended) >= all && count(open) == 0);
    for name in ["CommandAccepted", "UserCreated", "CommandCompleted"] {
        let events = format!("SELECT count(*) FROM accounts.event WHERE name = '{name}'");
        let ids = format!("SELECT count(DISTINCT command_id) FROM accounts.event WHERE name = '{name}'");
        assert_eq!((count(&events), count(&ids)), (all, all), "{name}");
    }
    assert_eq!(count("SELECT count(*) FROM accounts.event WHERE name = 'CommandFailed'"), 0);
    assert_eq!(count("SELECT count(*) FROM accounts.\"user\""), all);
    let holes = "SELECT max(position) - count(*) FROM accounts.event";
    assert_eq!(count(holes), 0, "the log has holes");
    for table in ["outgoing", "outgoing_message"] {
        assert_eq!(count(&format!("SELECT count(*) FROM accounts.{table}")), 0, "{table}");
    }
}

/// Waits until the broker has had an event of each user, whatever was published twice; gives how many were.
pub(crate) fn check_published(place: &Place<'_>, accepted: &BTreeMap<String, u64>) -> usize {
    let mut all = Vec::new();
    let mut distinct = BTreeSet::new();
    wait_until("every event is published", || {
        let heard = place.heard();
        distinct.extend(heard.iter().cloned());
        all.extend(heard);
        distinct.len() >= accepted.len()
    });
    assert_eq!(distinct.len(), accepted.len(), "events that were published");
    all.len() - distinct.len()
}

/// Waits until what gateways heard of these commands is of no more use and forgotten: nothing is written to their log
/// after that.
pub(crate) fn wait_quiet(place: &Place<'_>, accepted: &BTreeMap<String, u64>) {
    let noted = "SELECT count(*) FROM heard.message WHERE kind = 0";
    let left = "SELECT count(*) FROM heard.event WHERE name = 'CommandSeen'";
    wait_until("what was heard is forgotten", || {
        number(place, noted) >= accepted.len() as i64 && number(place, left) == 0
    });
}

/// Waits until a gateway has read all that there is, and looks at what it shows: every command as completed, and a
/// user of each.
pub(crate) fn check_documents(gateway: &Server, accepted: &BTreeMap<String, u64>) {
    wait_at_head(gateway);
    let commands = pages(gateway, "/api/commands?state=completed&", "commandId");
    let accepted: BTreeSet<_> = accepted.keys().cloned().collect();
    let lost: Vec<_> = accepted.difference(&commands).collect();
    assert!(lost.is_empty(), "accepted, and not shown as completed: {lost:?}");
    assert_eq!(commands.len(), accepted.len(), "commands that are shown as completed");
    assert_eq!(pages(gateway, "/api/commands?", "commandId").len(), accepted.len(), "commands");
    assert_eq!(pages(gateway, "/api/users?", "userId"), accepted, "users");
}

/// One member of every item.
pub(crate) fn pages(gateway: &Server, path: &str, member: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut next = String::new();
    loop {
        let answer = gateway.get(&format!("{path}limit=1000{next}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        for item in page["items"].as_array().unwrap() {
            assert!(all.insert(item[member].as_str().unwrap().to_owned()), "twice: {item}");
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}
