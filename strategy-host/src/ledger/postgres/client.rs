//! One connection to the server, made again while the server is away. Every wait has a deadline, and
//! a future that is dropped leaves nothing half done behind: its connection goes with it.

use std::time::Duration;

use database::{Address, is_temporary, no_answer};
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::ledger::LedgerError;

/// The server ends a statement after this time: it waits for a lock that nobody releases.
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '20s'";

/// Without an answer for this long, longer than the server would work on it, the connection is dead.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether an operation was tried before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    /// It was not.
    First,
    /// It was, and nobody knows what came of it.
    Again,
}

/// What an operation gives with the connection that it took. One that fails, or whose future is dropped,
/// takes its connection along, so that nothing half done is left for the next.
pub(super) type Done<T> = sqlx::Result<(T, PgConnection)>;

/// A connection and what it takes to make another.
#[derive(Debug)]
pub(super) struct Client {
    connection: Option<PgConnection>,
    address: Address,
    /// The ledger that every connection must lead to, once that is known.
    ledger: Option<String>,
    /// Since when there is no connection, if one was lost.
    lost_at: Option<Instant>,
}

impl Client {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Result<Self, LedgerError> {
        let address = Address::parse(url).map_err(|reason| LedgerError::Address { reason })?;
        Ok(Self { connection: None, address, ledger: None, lost_at: None })
    }

    /// Which database, without its password.
    pub(super) fn place(&self) -> &str {
        self.address.place()
    }

    /// From now on a connection to another ledger is refused.
    pub(super) fn expect_ledger(&mut self, id: &str) {
        self.ledger = Some(id.to_owned());
    }

    /// Runs an operation, again while the server is away.
    ///
    /// # Errors
    /// The server refused, or did not do it by the deadline.
    pub(super) async fn run<T, F: Future<Output = Done<T>>>(
        &mut self,
        deadline: Instant,
        mut operation: impl FnMut(PgConnection, Try) -> F,
    ) -> Result<T, LedgerError> {
        let mut pause = FIRST_PAUSE;
        let mut try_of = Try::First;
        let mut attempt = 1u32;
        loop {
            let trying = timeout_at(deadline, self.attempt(&mut operation, &mut try_of)).await;
            let error = match trying.unwrap_or_else(|_| Err(no_answer())) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            self.note_failure(attempt, &error);
            let next = Instant::now() + pause;
            if !is_temporary(&error) || next >= deadline {
                return Err(LedgerError::Postgres { place: self.place().to_owned(), source: error });
            }
            sleep_until(next).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn attempt<T, F: Future<Output = Done<T>>>(
        &mut self,
        operation: &mut impl FnMut(PgConnection, Try) -> F,
        try_of: &mut Try,
    ) -> sqlx::Result<T> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let this = std::mem::replace(try_of, Try::Again);
        let done = timeout(ANSWER_TIMEOUT, operation(connection, this)).await;
        let (done, connection) = done.map_err(|_| no_answer())??;
        self.connection = Some(connection);
        Ok(done)
    }

    async fn connect(&mut self) -> sqlx::Result<PgConnection> {
        let connection = connect(&self.address, self.ledger.as_deref()).await?;
        match self.lost_at.take() {
            Some(lost_at) => {
                let away_ms = lost_at.elapsed().as_millis() as u64;
                info!(place = self.place(), away_ms, "connected to the ledger again");
            }
            None => debug!(place = self.place(), "connected to the ledger"),
        }
        Ok(connection)
    }

    /// Reports the loss of a connection once, and each further attempt for whoever looks closer.
    fn note_failure(&mut self, attempt: u32, error: &sqlx::Error) {
        if !is_temporary(error) {
            return;
        }
        if self.lost_at.is_none() {
            self.lost_at = Some(Instant::now());
            warn!(place = self.place(), attempt, %error, "the connection to the ledger is lost");
        } else {
            debug!(place = self.place(), attempt, %error, "the ledger is still away");
        }
    }
}

async fn connect(address: &Address, ledger: Option<&str>) -> sqlx::Result<PgConnection> {
    let mut connection = address.connect(STATEMENT_TIMEOUT).await?;
    if let Some(expected) = ledger {
        let sql = "SELECT id FROM orchard.ledger";
        let found: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        if found != expected {
            let reason = "the database was replaced by another ledger: stop, and start again";
            return Err(sqlx::Error::Configuration(reason.into()));
        }
    }
    Ok(connection)
}
