//! One connection a process that listens: it wakes the stores of this process when another process commits, and
//! shows the others, by the locks that it holds, that they live and listen: nothing is announced to nobody.
//!
//! What is announced while it is lost is found by a look, which is taken after each connection and now and then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use database::{Address, is_temporary, no_answer};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::schema::quoted;
use crate::store::Change;

/// Between looks for what was announced and not received. Each is one statement a context.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between attempts to connect again.
const CONNECT_EVERY: Duration = Duration::from_millis(500);
/// A statement on this connection takes no longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A store that is opened waits so long.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Stores that come and go at once.
const MOST_ASKS: usize = 64;

/// By URL. A hub ends with its last store.
static HUBS: Mutex<Option<HashMap<String, mpsc::Sender<Ask>>>> = Mutex::new(None);
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// What is called when something has changed.
pub(super) type Ring = Box<dyn Fn(Change) + Send + Sync>;

/// A store's place at its process's hub, which it leaves when it is dropped.
pub(super) struct Seat {
    id: u64,
    asks: mpsc::Sender<Ask>,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    rings: Mutex<Vec<Ring>>,
    /// Other stores that serve the same context and live.
    others: AtomicUsize,
    /// Those that only read it.
    readers: AtomicUsize,
}

impl Shared {
    /// Whether any other store listens to the context, as far as this one knows. One that came later has been woken
    /// after this was true.
    pub(super) fn has_company(&self) -> bool {
        self.others.load(Ordering::Acquire) + self.readers.load(Ordering::Acquire) > 0
    }
}

enum Ask {
    Join(Member, SyncSender<Result<(), sqlx::Error>>),
    Leave(u64),
}

struct Member {
    id: u64,
    context: String,
    /// The store's number.
    own: i32,
    /// Others must know that it lives, as commands are kept for it.
    serves: bool,
    shared: Arc<Shared>,
    /// The log's last position and the inbox's last place at the last look.
    seen: (i64, i64),
    /// Whether there was a look.
    has_looked: bool,
}

/// A store that joins.
pub(super) struct Joining<'a> {
    pub(super) context: &'a str,
    pub(super) own: i32,
    /// Whether commands that are due are handed to it.
    pub(super) serves: bool,
}

impl Seat {
    /// Joins the hub of a database, which is begun with its first store.
    pub(super) fn join(
        reactor: &Handle,
        url: &str,
        address: &Address,
        Joining { context, own, serves }: Joining<'_>,
    ) -> sqlx::Result<Self> {
        let shared = Arc::<Shared>::default();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        // A hub may end while it is asked.
        for _ in 0..3 {
            let asks = hub(reactor, url, address);
            let (reply, joined) = sync_channel(1);
            let member = Member {
                id,
                context: context.to_owned(),
                own,
                serves,
                shared: shared.clone(),
                seen: (0, 0),
                has_looked: false,
            };
            if asks.try_send(Ask::Join(member, reply)).is_err() {
                continue;
            }
            match joined.recv_timeout(JOIN_TIMEOUT) {
                Ok(joined) => return joined.map(|()| Self { id, asks, shared }),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        Err(no_answer())
    }

    /// From now on `ring`, too, is called when another store of the context has committed.
    pub(super) fn watch(&self, ring: Ring) {
        self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner).push(ring);
    }

    /// What the hub says of others.
    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Whether no other store serves the context, as far as this one knows.
    pub(super) fn is_alone(&self) -> bool {
        self.shared.others.load(Ordering::Acquire) == 0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Where it is full, the lock goes with the process.
        drop(self.asks.try_send(Ask::Leave(self.id)));
    }
}

impl Member {
    fn ring(&self, change: Change) {
        let rings = self.shared.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.iter().for_each(|ring| ring(change));
    }

    fn channel(&self) -> String {
        format!("orchard_{}", self.context)
    }

    /// The lock that says that the store lives, as SQL. `living()` reads those of one number; whoever only reads has
    /// one of two, of which whoever serves needs to know that there is somebody to wake.
    fn key(&self) -> String {
        let schema = quoted(&self.context).replace('\'', "''");
        if self.serves {
            format!("('{schema}'::regnamespace::oid::bigint << 32) | {}", self.own)
        } else {
            format!("'{schema}'::regnamespace::oid::bigint::bit(32)::integer, {}", self.own)
        }
    }
}

fn hub(reactor: &Handle, url: &str, address: &Address) -> mpsc::Sender<Ask> {
    let mut hubs = HUBS.lock().unwrap_or_else(PoisonError::into_inner);
    let hubs = hubs.get_or_insert_default();
    hubs.retain(|_, hub| !hub.is_closed());
    if let Some(hub) = hubs.get(url) {
        return hub.clone();
    }
    let (asks, asked) = mpsc::channel(MOST_ASKS);
    reactor.spawn(Hub { address: address.clone(), listener: None, members: Vec::new() }.serve(asked));
    hubs.insert(url.to_owned(), asks.clone());
    asks
}

struct Hub {
    address: Address,
    listener: Option<PgListener>,
    members: Vec<Member>,
}

impl Hub {
    /// Serves until its last store has gone.
    async fn serve(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_away = self.listener.is_none() && !self.members.is_empty();
            let done = tokio::select! {
                ask = asks.recv() => match ask {
                    Some(Ask::Join(member, reply)) => {
                        drop(reply.send(self.join(member).await));
                        Ok(())
                    }
                    Some(Ask::Leave(id)) => {
                        let left = self.leave(id).await;
                        if self.members.is_empty() {
                            // Whoever asks from now on begins another.
                            return;
                        }
                        left
                    }
                    None => return,
                },
                () = sleep(CONNECT_EVERY), if is_away => self.connect().await,
                received = next(self.listener.as_mut()) => match received {
                    Ok(Some(notification)) => self.received(&notification).await,
                    Ok(None) => Err(no_answer()),
                    Err(error) => Err(error),
                },
                _ = looks.tick(), if self.listener.is_some() => self.look().await,
            };
            if let Err(error) = done {
                if self.listener.take().is_some() {
                    tracing::warn!(place = self.address.place(), %error, "the connection that listens is lost");
                } else if !is_temporary(&error) {
                    tracing::error!(place = self.address.place(), %error, "nobody listens");
                }
            }
        }
    }

    async fn join(&mut self, member: Member) -> sqlx::Result<()> {
        self.members.push(member);
        let joined = match &mut self.listener {
            Some(listener) => match self.members.last() {
                Some(member) => attend(listener, member).await,
                None => Ok(()),
            },
            None => self.connect().await,
        };
        let joined = match joined {
            Ok(()) => self.look().await,
            error => error,
        };
        if joined.is_err() {
            self.listener = None;
            self.members.pop();
        }
        joined
    }

    async fn leave(&mut self, id: u64) -> sqlx::Result<()> {
        let Some(place) = self.members.iter().position(|member| member.id == id) else { return Ok(()) };
        let member = self.members.remove(place);
        let Some(listener) = &mut self.listener else { return Ok(()) };
        if self.members.iter().all(|other| other.context != member.context) {
            timeout(ANSWER_TIMEOUT, listener.unlisten(&member.channel()))
                .await
                .map_err(|_| no_answer())??;
        }
        let sql = format!("SELECT pg_advisory_unlock({}), pg_notify($1, $2)", member.key());
        let leaving =
            sqlx::query(AssertSqlSafe(sql)).bind(member.channel()).bind(format!("{} j", member.own));
        timeout(ANSWER_TIMEOUT, leaving.execute(listener)).await.map_err(|_| no_answer())?.map(drop)
    }

    async fn connect(&mut self) -> sqlx::Result<()> {
        let mut listener = self.address.listen().await?;
        for member in &self.members {
            attend(&mut listener, member).await?;
        }
        self.listener = Some(listener);
        self.members.iter().for_each(|member| {
            member.ring(Change::Commands);
            member.ring(Change::Events);
        });
        self.look().await
    }

    async fn received(&mut self, notification: &PgNotification) -> sqlx::Result<()> {
        let Some((own, what)) = notification.payload().split_once(' ') else { return Ok(()) };
        let of_others =
            |member: &&Member| notification.channel() == member.channel() && member.own.to_string() != own;
        let others = self.members.iter().filter(of_others);
        match what {
            "c" => others.for_each(|member| member.ring(Change::Commands)),
            "e" => others.for_each(|member| member.ring(Change::Events)),
            _ => return self.look().await,
        }
        Ok(())
    }

    /// Finds what was announced while nobody listened, and who else lives.
    async fn look(&mut self) -> sqlx::Result<()> {
        let Some(listener) = &mut self.listener else { return Ok(()) };
        for member in &mut self.members {
            let schema = quoted(&member.context);
            let sql = format!(
                "SELECT (SELECT head FROM {schema}.log), (SELECT coalesce(max(seq), 0) FROM {schema}.inbox),
                    count(*) FILTER (WHERE l.objsubid = 1 AND l.objid::bigint <> $1),
                    count(*) FILTER (WHERE l.objsubid = 2 AND l.objid::bigint <> $1),
                    count(*) FILTER (WHERE l.objid::bigint = $1)
                FROM pg_catalog.pg_locks l, pg_catalog.pg_database d
                WHERE l.locktype = 'advisory' AND l.objsubid IN (1, 2) AND l.granted
                    AND l.classid = '{}'::regnamespace::oid
                    AND l.database = d.oid AND d.datname = current_database()",
                schema.replace('\'', "''")
            );
            let looking = sqlx::query_as(AssertSqlSafe(sql)).bind(i64::from(member.own));
            let looking = timeout(ANSWER_TIMEOUT, looking.fetch_one(&mut *listener)).await;
            let (head, last, others, readers, is_held): (i64, i64, i64, i64, i64) =
                looking.map_err(|_| no_answer())??;
            if is_held == 0 {
                // The connection before this one had it until now.
                lock(listener, member).await?;
            }
            let had_company = member.shared.has_company();
            let had = member.shared.others.swap(others.max(0) as usize, Ordering::AcqRel);
            member.shared.readers.store(readers.max(0) as usize, Ordering::Release);
            let has_looked = std::mem::replace(&mut member.has_looked, true);
            if has_looked && !had_company && member.shared.has_company() {
                // What was committed since they began to listen was announced to nobody.
                announce(listener, member, &["c", "e"]).await?;
            }
            let seen = std::mem::replace(&mut member.seen, (head, last));
            // What another was handed before it died is due again.
            if seen.1 != last || had > others.max(0) as usize {
                member.ring(Change::Commands);
            }
            if seen.0 != head {
                member.ring(Change::Events);
            }
        }
        Ok(())
    }
}

/// The next announcement; never where nobody listens. It may be dropped and asked for again: what was received is
/// kept by the connection.
async fn next(listener: Option<&mut PgListener>) -> sqlx::Result<Option<PgNotification>> {
    match listener {
        Some(listener) => listener.try_recv().await,
        None => std::future::pending().await,
    }
}

/// Listens to a context, and says that the store lives.
async fn attend(listener: &mut PgListener, member: &Member) -> sqlx::Result<()> {
    let channel = member.channel();
    timeout(ANSWER_TIMEOUT, listener.listen(&channel)).await.map_err(|_| no_answer())??;
    lock(listener, member).await?;
    announce(listener, member, &["j"]).await
}

/// Says something to the other stores of the context.
async fn announce(listener: &mut PgListener, member: &Member, what: &[&str]) -> sqlx::Result<()> {
    let said: Vec<_> = what.iter().map(|what| format!("{} {what}", member.own)).collect();
    let saying = sqlx::query("SELECT pg_notify($1, said) FROM unnest($2) said").bind(member.channel());
    let saying = saying.bind(said).execute(listener);
    timeout(ANSWER_TIMEOUT, saying).await.map_err(|_| no_answer())?.map(drop)
}

/// Where the server has not noticed yet that the connection before is gone, a later look locks it.
async fn lock(listener: &mut PgListener, member: &Member) -> sqlx::Result<()> {
    let sql = format!("SELECT pg_try_advisory_lock({})", member.key());
    let locking = sqlx::query(AssertSqlSafe(sql)).execute(listener);
    timeout(ANSWER_TIMEOUT, locking).await.map_err(|_| no_answer())?.map(drop)
}
