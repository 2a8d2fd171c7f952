//! The requests that are made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bus::store::NewCommand;
use bus::{Bus, EventSource, SqliteStore, Store, StoreError};
use serde_json::Value;
use tick_sdk::contracts::accounts::{ACCOUNTS, CreateUser};
use tick_sdk::contracts::{CommandId, Contract, ConversationId};
use uuid::Uuid;

use super::http::{Answer, Connection};

/// Commands that are accepted in one commit while an inbox is filled.
const FILL: u64 = 500;

pub(super) fn body(number: u64) -> String {
    // Unique over all loads of a run.
    let unique = Uuid::now_v7();
    format!("{{\"email\":\"u{unique}@example.org\",\"name\":\"User {number}\"}}")
}

fn expect(answer: &Answer, status: u16) -> io::Result<()> {
    if answer.status == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&answer.body);
    Err(io::Error::other(format!("{} instead of {status}: {body}", answer.status)))
}

fn json(answer: &Answer) -> io::Result<Value> {
    serde_json::from_slice(&answer.body).map_err(io::Error::other)
}

/// Any request.
pub(super) async fn ask(mut connection: Connection, request: Arc<Vec<u8>>) -> io::Result<Connection> {
    let answer = connection.ask(&request).await?;
    expect(&answer, 200)?;
    Ok(connection)
}

/// A command, accepted.
pub(super) async fn create(mut connection: Connection, number: u64) -> io::Result<Connection> {
    let answer = connection.post("/api/users", &body(number)).await?;
    expect(&answer, 202)?;
    Ok(connection)
}

/// A command, accepted and waited for.
pub(super) async fn create_and_wait(mut connection: Connection, number: u64) -> io::Result<Connection> {
    let answer = connection.post("/api/users", &body(number)).await?;
    expect(&answer, 202)?;
    let status = json(&answer)?["status"].as_str().map(str::to_owned);
    let status = status.ok_or_else(|| io::Error::other("an answer without status"))?;
    let answer = connection.get(&format!("{status}?wait=10s")).await?;
    expect(&answer, 200)?;
    let state = json(&answer)?["state"].clone();
    if state == "completed" {
        return Ok(connection);
    }
    Err(io::Error::other(format!("the command is {state}")))
}

/// A user's path, and what it gives.
pub(super) async fn any_user(address: SocketAddr) -> io::Result<(String, Vec<u8>)> {
    let mut connection = Connection::open(address).await?;
    let page = connection.get("/api/users?limit=1").await?;
    let id = json(&page)?["items"][0]["userId"].as_str().map(str::to_owned);
    let path = format!("/api/users/{}", id.ok_or_else(|| io::Error::other("there is no user"))?);
    let answer = connection.get(&path).await?;
    expect(&answer, 200)?;
    Ok((path, answer.body))
}

/// A server with one bare route that answers these bytes.
pub(super) async fn bare(body: Vec<u8>) -> io::Result<SocketAddr> {
    let body = bytes::Bytes::from(body);
    let answer = move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/", get(answer));
    // It ends with the runtime.
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// Accepts commands that nobody handles yet.
pub(super) fn fill(store: &SqliteStore, commands: u64) -> Result<(), StoreError> {
    let command = |number: u64| {
        let command_id = CommandId::new();
        NewCommand {
            command_id,
            conversation_id: ConversationId(command_id.0),
            initiator_id: None,
            name: CreateUser::NAME.to_owned(),
            version: CreateUser::VERSION,
            endpoint: ACCOUNTS.to_owned(),
            caller: "perf".to_owned(),
            body: body(number),
            original: None,
        }
    };
    for first in (0..commands).step_by(FILL as usize) {
        let batch: Vec<_> = (first..commands.min(first + FILL)).map(command).collect();
        store.accept(&batch, 0)?;
    }
    Ok(())
}

/// Whether every command has ended and every projection is at the head of the log.
pub(super) async fn has_settled(bus: &Bus, address: SocketAddr) -> io::Result<bool> {
    let mut connection = Connection::open(address).await?;
    for state in ["accepted", "processing"] {
        let page = connection.get(&format!("/api/commands?state={state}&limit=1")).await?;
        expect(&page, 200)?;
        if json(&page)?["items"].as_array().is_none_or(|items| !items.is_empty()) {
            return Ok(false);
        }
    }
    let head = bus.head(ACCOUNTS).map_err(io::Error::other)?;
    let projections = json(&connection.get("/api/projections").await?)?;
    let items = projections["items"].as_array().cloned().unwrap_or_default();
    let cursors = items.iter().flat_map(|item| item["cursors"].as_array().cloned().unwrap_or_default());
    Ok(cursors.into_iter().all(|cursor| cursor["position"].as_u64() == Some(head)))
}
