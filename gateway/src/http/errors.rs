//! Messages that failed, on the broker: what lies in which queue, why, and what becomes of it.
//!
//! These routes read and change the broker's queues themselves, and at once: no command is sent, so none of them shows
//! among the commands, and what is answered is done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use tick_sdk::api::{MOST_ERRORS_LISTED, Page};
use tick_sdk::contracts::KnownCommand;
use triage::{Acted, Action, FailedQueue, Filter, Kind, Names, Record, Selection, Triage};

use super::query::{Query, no_cursor};
use super::read::{Known, tagged, value};
use super::refusal::Refusal;
use super::scope::Asked;
use super::{Answer, GatewayState, Named, Shared, name_of};
use crate::documents::{Key, decode_cursor, encode_cursor};

mod place;
mod views;
mod wish;

pub(crate) use place::Errors;
pub use place::FailedMessages;
use place::refused;
use wish::{What, Wish};

/// To list the queues, so many messages of each are looked at unless it is said.
const SURVEYED: u64 = 1_000;
/// To find one message, or those that something is done with, so many are looked at.
const SCANNED: u64 = 1_000_000;
/// An action ends with the page of messages that it is at, once it takes so long.
const LONGEST_ACTION: Duration = Duration::from_secs(20);
/// The longest name that AMQP has.
const LONGEST_NAME: usize = 255;

/// A queue and a message of it in the path.
type NamedTwo = Result<Path<(String, String)>, axum::extract::rejection::PathRejection>;

impl GatewayState {
    fn errors(&self) -> Result<Arc<Errors>, Refusal> {
        self.errors.clone().ok_or_else(|| {
            let detail = "this server runs without a broker, so there are no queues of messages that failed: commands \
                          that failed are at /api/commands?state=failed; `[broker] urls` in orchard.toml gives it one";
            Refusal::new(StatusCode::CONFLICT, detail)
        })
    }
}

pub(super) async fn queues(State(state): Shared, uri: Uri) -> Answer {
    let errors = state.errors()?;
    let asked = state.query(&uri, &["scan", "limit", "cursor"], |query| {
        (scan(query, SURVEYED), query.limit(), queue_cursor(query).unwrap_or_default())
    });
    let (scan, limit, after) = asked.await?;
    let page = errors.clone().in_turn(async move {
        let triage = errors.open().await?;
        let mut found = triage.find(&known_names()).await.map_err(refused)?.queues;
        found.retain(|queue| queue.name > after);
        let next = found.get(limit).and_then(|_| found.get(limit - 1));
        let next = next.map(|last| encode_cursor(&Key::new(), &last.name));
        let selection = Selection { filter: Filter::default(), limit: u64::MAX, scan };
        let mut items = Vec::new();
        for queue in found.iter().take(limit) {
            items.push(views::queue(triage.survey(queue, &selection).await.map_err(refused)?));
        }
        triage.close().await;
        Ok(Page { items, next })
    });
    Ok(value(&page.await?))
}

/// Where the management API does not answer, the endpoints of this program's commands are looked at.
fn known_names() -> Names {
    let known: BTreeSet<_> = KnownCommand::all().iter().map(|command| command.endpoint).collect();
    let known_endpoints = known.into_iter().map(str::to_owned).collect();
    Names { known_endpoints, ..Names::default() }
}

/// The queue that the page before ended with.
fn queue_cursor(query: &Query) -> Option<String> {
    query.parsed("cursor", |text| {
        let (key, name) = decode_cursor(text).ok_or_else(no_cursor)?;
        if key == Key::new() { Ok(name) } else { Err(no_cursor()) }
    })
}

fn scan(query: &Query, default: u64) -> u64 {
    let scan = query.parsed("scan", |text| {
        let scan = text.parse().ok().filter(|scan| (1..=u64::from(MOST_ERRORS_LISTED)).contains(scan));
        scan.ok_or_else(|| format!("is no whole number from 1 to {MOST_ERRORS_LISTED}"))
    });
    scan.unwrap_or(default)
}

pub(super) async fn messages(State(state): Shared, named: Named, uri: Uri) -> Answer {
    let errors = state.errors()?;
    let name = queue_name(name_of(named)?)?;
    let known = ["type", "reason", "olderThan", "newerThan", "scan", "limit", "cursor"];
    let asked = state.query(&uri, &known, |query| {
        let scan = scan(query, MOST_ERRORS_LISTED.into());
        (Selection { filter: wish::filter_of(query), limit: u64::MAX, scan }, query.limit(), query.cursor())
    });
    let (selection, limit, cursor) = asked.await?;
    let listed = errors.clone().in_turn(async move {
        let triage = errors.open().await?;
        let queue = queue(&triage, &name).await?;
        let listed = triage.entries(&[queue], &selection).await.map_err(refused)?;
        triage.close().await;
        Ok(listed)
    });
    Ok(value(&views::page(listed.await?.entries, limit, cursor.map(|(key, _)| key))))
}

pub(super) async fn one(State(state): Shared, named: NamedTwo, known: Known, uri: Uri) -> Answer {
    let errors = state.errors()?;
    let (name, id) = match named {
        Ok(Path((name, id))) => (queue_name(name_of(Ok(Path(name)))?)?, name_of(Ok(Path(id)))?),
        Err(rejection) => return Err(name_of(Err(rejection)).err().unwrap_or_else(unreadable_path)),
    };
    state.query(&uri, &[], |_| ()).await?;
    let shown = errors.clone().in_turn(async move {
        let triage = errors.open().await?;
        let queue = queue(&triage, &name).await?;
        let filter = Filter { ids: vec![id.clone()], ..Filter::default() };
        let selection = Selection { filter, limit: 1, scan: SCANNED };
        let shown = triage.show(&[queue], &selection).await.map_err(refused)?.pop();
        triage.close().await;
        shown.ok_or_else(|| Refusal::not_found(format!("there is no message {id} in queue {name}")))
    });
    Ok(tagged(&known, &views::detail(shown.await?)))
}

fn unreadable_path() -> Refusal {
    Refusal::bad_request("a part of the path is not UTF-8")
}

pub(super) async fn requeue(
    State(state): Shared,
    asked: Asked,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    state.change(What::Requeue, asked, named, headers, body).await
}

pub(super) async fn move_some(
    State(state): Shared,
    asked: Asked,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    state.change(What::Move, asked, named, headers, body).await
}

pub(super) async fn discard(
    State(state): Shared,
    asked: Asked,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    state.change(What::Discard, asked, named, headers, body).await
}

impl GatewayState {
    /// Does something with messages of a queue.
    async fn change(&self, what: What, asked: Asked, named: Named, headers: HeaderMap, body: Body) -> Answer {
        let errors = self.errors()?;
        let name = queue_name(name_of(named)?)?;
        let wish = Wish::of(what, &name, &self.body(&headers, body).await?)?;
        let caller = asked.caller;
        let mut stopping = self.stopping.clone();
        let done = errors.clone().in_turn(async move {
            let (action, record) = errors.action(&wish).await?;
            let triage = errors.open().await?;
            let queue = queue(&triage, &name).await?;
            let stop = AtomicBool::new(false);
            let acted = acted(&triage, queue, &wish, &action, &stop);
            let soon = async {
                // It also ends when the sender is gone.
                let stopped = stopping.wait_for(|is_stopping| *is_stopping);
                let _ = tokio::time::timeout(LONGEST_ACTION, stopped).await;
            };
            let acted = until(acted, soon, &stop).await?;
            triage.close().await;
            let (selected, done, stayed) = (acted.selected, acted.done, acted.stayed);
            tracing::info!(caller, queue = name, %what, selected, done, stayed, "messages that failed");
            check(&wish, &name, &acted)?;
            let is_cut = acted.selected >= wish.selection.limit || stop.load(Ordering::Relaxed);
            Ok(views::done(acted, &wish, is_cut, record))
        });
        Ok(value(&done.await?))
    }
}

async fn acted(
    triage: &Triage,
    queue: FailedQueue,
    wish: &Wish,
    action: &Action,
    stop: &AtomicBool,
) -> Result<Acted, Refusal> {
    let queues = [queue];
    let acted = if wish.is_dry_run {
        triage.dry_run(&queues, &wish.selection, action).await
    } else {
        triage.act(&queues, &wish.selection, action, stop).await
    };
    acted.map_err(refused)
}

/// Sets `stop` once `soon` is over, and waits on.
async fn until<T>(work: impl Future<Output = T>, soon: impl Future<Output = ()>, stop: &AtomicBool) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = soon => stop.store(true, Ordering::Relaxed),
    }
    work.await
}

/// Refuses what came to nothing.
fn check(wish: &Wish, queue: &str, acted: &Acted) -> Result<(), Refusal> {
    if acted.selected == 0 && !wish.selection.filter.ids.is_empty() {
        return Err(Refusal::not_found(format!("queue {queue} has none of these messages")));
    }
    if acted.done == 0 && acted.stayed > 0 {
        let reasons =
            acted.stays.iter().take(3).map(|stayed| format!("{}: {}", stayed.entry.id, stayed.reason));
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        let stayed = acted.stayed;
        let detail = format!("all {stayed} selected messages stay in queue {queue}: {reasons}");
        return Err(Refusal::new(StatusCode::CONFLICT, detail));
    }
    Ok(())
}

fn queue_name(name: String) -> Result<String, Refusal> {
    if name.len() <= LONGEST_NAME { Ok(name) } else { Err(no_queue(&name)) }
}

fn no_queue(name: &str) -> Refusal {
    Refusal::not_found(format!("there is no queue {name}: GET /api/errors lists those there are"))
}

/// The queue, unless a service works it: what waits there has not failed.
async fn queue(triage: &Triage, name: &str) -> Result<FailedQueue, Refusal> {
    let named = vec![name.to_owned()];
    let names = Names { queues: named.clone(), endpoints: named, ..Names::default() };
    let found = triage.find(&names).await.map_err(refused)?.queues;
    let has_errors = found.iter().any(|queue| queue.name != name);
    let queue = found.into_iter().find(|queue| queue.name == name).ok_or_else(|| no_queue(name))?;
    let is_endpoint = has_errors || KnownCommand::all().iter().any(|command| command.endpoint == name);
    let is_worked = queue.consumers > 0 || is_endpoint || name.starts_with("orchard.");
    if queue.kind == Kind::Parked && is_worked {
        let detail = format!("queue {name} is one that a service works: what waits there has not failed");
        return Err(Refusal::new(StatusCode::CONFLICT, detail));
    }
    Ok(queue)
}

impl Errors {
    /// The queues that have messages which failed; `None` where the broker does not say.
    pub(crate) async fn not_empty(self: Arc<Self>) -> Option<Vec<FailedQueue>> {
        let errors = self.clone();
        let found = self.in_turn(async move {
            let triage = errors.open().await?;
            let found = triage.find(&known_names()).await.map_err(refused)?;
            triage.close().await;
            Ok(found.queues)
        });
        let mut queues = found.await.ok()?;
        queues.retain(|queue| queue.messages > 0);
        Some(queues)
    }

    /// What is to be done, and the file's name where something is written down.
    async fn action(&self, wish: &Wish) -> Result<(Action, Option<String>), Refusal> {
        let to = wish.to.clone();
        let action = match wish.what {
            What::Requeue => Action::Requeue { to },
            What::Move => Action::Move { to: to.unwrap_or_default() },
            What::Discard => {
                let path = self.record().to_owned();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let opened = tokio::task::spawn_blocking(move || Record::open(&path)).await;
                let record = opened.map_err(|error| place::unwritten(&error))?;
                let record = record.map_err(|error| place::unwritten(&error))?;
                return Ok((Action::Discard { record }, name));
            }
        };
        Ok((action, None))
    }
}
