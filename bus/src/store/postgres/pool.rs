//! Connections of one store, each lent to one caller at a time, and made anew after a loss.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use database::{Address, no_answer};
use sqlx::postgres::PgConnection;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::reactor::{self, block_on};
use crate::store::{LONGEST_TRANSACTION, StoreError};

/// More callers wait for each other.
const MOST_CONNECTIONS: usize = 64;
/// So many are kept for the next.
const MOST_IDLE: usize = 40;
/// Without an answer for so long, longer than the server would work on it, a connection is dead.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

/// The connections of a store, for whoever keeps something else in the same database, too. Callers block.
pub struct Pool {
    address: Address,
    /// What each connection begins with.
    session: String,
    reactor: Handle,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<PgConnection>,
    /// Those that are lent, too.
    open: usize,
}

/// A connection that is lent. Whoever does not give it back closes it.
pub(super) struct Lent {
    connection: Option<PgConnection>,
    /// It was used before, so the server may have gone since.
    is_used: bool,
    pool: Arc<Pool>,
}

impl Pool {
    /// Connections to the database of a `postgres://` URL, each of which begins with these statements. None is made
    /// before it is used.
    ///
    /// # Errors
    /// The URL cannot be read, or the system gives no thread.
    pub fn open(url: &str, session: String) -> Result<Arc<Self>, StoreError> {
        let refused = |place: &str, reason: String| StoreError::Refused { place: place.to_owned(), reason };
        let address = Address::parse(url).map_err(|reason| {
            let advice = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %XX";
            refused("PostgreSQL", format!("the URL cannot be read: {reason}\n  {advice}"))
        })?;
        let reactor = reactor::handle().map_err(|error| refused(address.place(), error.to_string()))?;
        let (state, returned) = (Mutex::default(), Condvar::new());
        Ok(Arc::new(Self { address, session, reactor, state, returned }))
    }

    /// Which database, without its password.
    pub fn place(&self) -> &str {
        self.address.place()
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The runtime that the connections belong to.
    pub const fn reactor(&self) -> &Handle {
        &self.reactor
    }

    /// Carries out what may be carried out twice.
    ///
    /// # Errors
    /// The server is away, or refuses.
    pub fn run<T>(
        self: &Arc<Self>,
        act: impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        let (done, lent) = self.begin(act)?;
        lent.give_back();
        Ok(done)
    }

    /// As [`Pool::run`], and goes on with the connection.
    pub(super) fn begin<T>(
        self: &Arc<Self>,
        act: impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<(T, Lent), StoreError> {
        loop {
            let mut lent = self.take()?;
            match lent.wait(&act) {
                Ok(done) => return Ok((done, lent)),
                Err(error) if is_broken(&error) && lent.is_used => {
                    drop(lent);
                    // What is idle was most likely lost with it. Each round has one that was used less.
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).close_idle();
                }
                Err(error) => {
                    if !is_broken(&error) {
                        lent.give_back();
                    }
                    return Err(self.failed(error));
                }
            }
        }
    }

    pub(super) fn failed(&self, source: sqlx::Error) -> StoreError {
        let place = self.place().to_owned();
        // Another transaction holds a lock.
        if source.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03")) {
            return StoreError::Busy { place, seconds: LONGEST_TRANSACTION.as_secs() };
        }
        StoreError::Postgres { place, source }
    }

    fn take(self: &Arc<Self>) -> Result<Lent, StoreError> {
        let until = Instant::now() + LONGEST_TRANSACTION;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = state.idle.pop() {
                return Ok(Lent { connection: Some(connection), is_used: true, pool: self.clone() });
            }
            if state.open < MOST_CONNECTIONS {
                state.open += 1;
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let place = self.place().to_owned();
                return Err(StoreError::Busy { place, seconds: LONGEST_TRANSACTION.as_secs() });
            }
            state = self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let mut lent = Lent { connection: None, is_used: false, pool: self.clone() };
        let connecting = block_on(&self.reactor, self.address.connect(&self.session));
        lent.connection = Some(connecting.map_err(|error| self.failed(error))?);
        Ok(lent)
    }
}

impl State {
    fn close_idle(&mut self) {
        self.open -= self.idle.len();
        self.idle.clear();
    }
}

impl Lent {
    /// Waits for what the server says. After an error for which [`is_broken`] holds the connection is of no use.
    pub(super) fn wait<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let connection = self.connection.as_mut().ok_or_else(no_answer)?;
        let waiting = async { timeout(ANSWER_TIMEOUT, act(connection)).await.map_err(|_| no_answer())? };
        let done = block_on(&self.pool.reactor, waiting);
        if done.as_ref().is_err_and(is_broken) {
            self.connection = None;
        }
        done
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// It is as it was lent.
    pub(super) fn give_back(mut self) {
        let connection = self.connection.take();
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connection.filter(|_| state.idle.len() < MOST_IDLE) {
            state.idle.push(connection);
            // It is counted as open still.
            state.open += 1;
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.connection = None;
        self.pool.state.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
        self.pool.returned.notify_one();
    }
}

/// Whether the connection is of no use after this error.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        // The server ends a session with these.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || ["57P01", "57P02", "57P03", "57P05", "25P03"].contains(&&*code)
        }),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            true
        }
        _ => false,
    }
}
