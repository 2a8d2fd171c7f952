//! Documents that gateways share: processes with the role `projections` make them, one at a time, and are killed.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::count::{check_commands, check_documents, known, wait_health, wait_quiet, wait_until};
use crate::documents::wait_at_head;
use crate::load::{Load, create};
use crate::place::{Place, stop};
use crate::server::Server;
use crate::servers::Turn;

/// So many commands are accepted between one kill and the next.
const BETWEEN: usize = 150;

/// Starts a process that has to do with shared documents.
fn start(place: &Place<'_>, role: &str, number: usize, options: &[&str]) -> Server {
    let mut command = place.command(role, number);
    command.env("ORCHARD_SERVE__DOCUMENTS", "shared").args(options);
    Server::launch(&mut command).unwrap_or_else(|said| panic!("{role} {number}: {said:#?}"))
}

/// What a command has made can be read at every gateway as soon as the command has ended.
fn check_read(gateways: &[Server], number: u64) -> (String, u64) {
    let id = create(gateways[0].host(), number);
    for gateway in gateways {
        known(gateway, &format!("/api/users/{id}?after={id}"));
        let command = gateway.get(&format!("/api/commands/{id}?wait=30s")).json();
        assert_eq!(command["state"], "completed", "{command}");
    }
    (id, number)
}

/// What a statement gives, a text a row.
fn texts(place: &Place<'_>, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(place.database()).await.unwrap();
        let texts = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        texts
    })
}

/// The documents in the database with their keys, by table, and the cursors: each row as text, in order.
fn shared_documents(place: &Place<'_>) -> BTreeMap<String, Vec<String>> {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'documents'
        AND (tablename LIKE 'doc\\_%' OR tablename = 'cursor')";
    let rows = |table: String| {
        let rows = texts(place, &format!("SELECT row::text FROM documents.{table} AS row ORDER BY 1"));
        (table, rows)
    };
    texts(place, tables).into_iter().map(rows).collect()
}

/// The texts of the documents of a table, in order, in the database and in a gateway's own file.
fn both_texts(place: &Place<'_>, own: &rusqlite::Connection, table: &str) -> [Vec<String>; 2] {
    let shared = texts(place, &format!("SELECT body FROM documents.{table}"));
    let mut own = own.prepare(&format!("SELECT body FROM {table}")).unwrap();
    let own = own.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    [shared, own].map(|mut texts: Vec<String>| {
        texts.sort();
        texts
    })
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn gateways_read_what_one_process_makes_whichever_is_killed() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "shared", "");
    let gateways = [0, 1].map(|number| start(&place, "gateway", number, &[]));
    wait_health(&gateways[0], |status, parts| status == 200 && parts["status"] == "degraded");
    let services = place.start("services", 0);
    let mut keepers = [0, 1].map(|number| Some(start(&place, "projections", number, &[])));
    let mut read = vec![check_read(&gateways, 1_000_000)];
    let load = Load::new(gateways.len(), 150);
    for (number, gateway) in gateways.iter().enumerate() {
        load.moved(number, gateway.host());
    }
    let clients = load.start(8);
    let accepted = || load.accepted.lock().unwrap().len();
    for killed in [0, 1] {
        let least = accepted() + BETWEEN;
        wait_until("commands are accepted", || accepted() >= least);
        keepers[killed].take().unwrap().kill();
        place.say("a process that makes documents is killed");
        read.push(check_read(&gateways, 1_000_001 + least as u64));
        place.say("what was made since can be read");
        keepers[killed] = Some(start(&place, "projections", killed, &[]));
    }
    clients.stop();
    let mut accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    accepted.extend(read);
    check_commands(&place, &accepted);
    wait_quiet(&place, &accepted);
    for gateway in &gateways {
        check_documents(gateway, &accepted);
    }
    place.say("everything is counted");
    let [first, second] = keepers.map(Option::unwrap);
    let grown = shared_documents(&place);
    // One makes them anew while the other keeps them.
    stop(second);
    let second = start(&place, "projections", 1, &["--rebuild"]);
    second.wait_said("Rebuilt");
    wait_at_head(&gateways[1]);
    let rebuilt = shared_documents(&place);
    for (table, rows) in &grown {
        assert_eq!(rows.len(), rebuilt[table].len(), "{table}");
        assert!(rows.iter().eq(&rebuilt[table]), "{table}");
    }
    check_read(&gateways, 2_000_000);
    // A gateway with documents of its own makes the same.
    wait_at_head(&gateways[0]);
    let own = place.start("gateway", 2);
    wait_at_head(&own);
    stop(own);
    let own = crate::documents::open(&place.path("gateway2"), "read");
    let mut compared = 0;
    for table in grown.keys().filter(|table| table.starts_with("doc_")) {
        let [shared, own] = both_texts(&place, &own, table);
        assert!(shared == own, "{table}: {} in the database, {} of its own", shared.len(), own.len());
        compared += own.len();
    }
    assert!(compared > 2 * accepted.len(), "{compared} documents");
    drop((first, second, services, gateways, turn));
}
