//! One connection to the server, made again and again while the server is away.

use std::io;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::ledger::LedgerError;

/// How long a server that is away is waited for, before a call fails.
pub(super) const LONGEST_AWAY: Duration = Duration::from_secs(300);

/// When the ledger is opened, its user waits for the answer.
const LONGEST_AWAY_AT_OPENING: Duration = Duration::from_secs(5);

/// A connection that takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The server gives up a statement after this time: it waits for a lock that nobody lets go.
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

/// A connection and what it takes to make another.
#[derive(Debug)]
pub(super) struct Client {
    // Dropped before the runtime that it needs.
    connection: Option<PgConnection>,
    runtime: Runtime,
    options: PgConnectOptions,
    place: String,
    /// The ledger that every connection must lead to, once that is known.
    ledger: Option<String>,
}

impl Client {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Result<Self, LedgerError> {
        let address = |error: sqlx::Error| LedgerError::Address { reason: problem_of_address(&error) };
        let options = url.parse::<PgConnectOptions>().map_err(address)?.disable_statement_logging();
        let place = place_of(&options);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| LedgerError::Io { place: place.clone(), source })?;
        Ok(Self { connection: None, runtime, options, place, ledger: None })
    }

    /// Which database, without its password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// From now on a connection to another ledger is refused.
    pub(super) fn expect_ledger(&mut self, id: &str) {
        self.ledger = Some(id.to_owned());
    }

    /// As [`Client::run`], for a user who waits.
    pub(super) fn open<T>(
        &mut self,
        mut operation: impl AsyncFnMut(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, LedgerError> {
        self.run_for(LONGEST_AWAY_AT_OPENING, async |connection, _| operation(connection).await)
    }

    /// Runs an operation, again while the server is away.
    ///
    /// # Errors
    /// The server refused, or was away for [`LONGEST_AWAY`].
    pub(super) fn run<T>(
        &mut self,
        operation: impl AsyncFnMut(&mut PgConnection, Try) -> sqlx::Result<T>,
    ) -> Result<T, LedgerError> {
        self.run_for(LONGEST_AWAY, operation)
    }

    fn run_for<T>(
        &mut self,
        longest_away: Duration,
        mut operation: impl AsyncFnMut(&mut PgConnection, Try) -> sqlx::Result<T>,
    ) -> Result<T, LedgerError> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut try_of = Try::First;
        let Self { connection, runtime, options, place, ledger } = self;
        runtime.block_on(async {
            loop {
                let error = match attempt(connection, options, ledger.as_deref(), &mut operation, &mut try_of)
                    .await
                {
                    Ok(done) => return Ok(done),
                    Err(error) => error,
                };
                // Whatever went wrong, a new connection has no part in it.
                *connection = None;
                if !is_temporary(&error) || began.elapsed() + pause > longest_away {
                    return Err(LedgerError::Postgres { place: place.clone(), source: error });
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
    }
}

async fn attempt<T>(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    ledger: Option<&str>,
    operation: &mut impl AsyncFnMut(&mut PgConnection, Try) -> sqlx::Result<T>,
    try_of: &mut Try,
) -> sqlx::Result<T> {
    if connection.is_none() {
        let connecting = timeout(CONNECT_TIMEOUT, connect(options, ledger));
        *connection = Some(connecting.await.map_err(|_| no_answer())??);
    }
    let connection = connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
    let this = std::mem::replace(try_of, Try::Again);
    timeout(ANSWER_TIMEOUT, operation(connection, this)).await.map_err(|_| no_answer())?
}

async fn connect(options: &PgConnectOptions, ledger: Option<&str>) -> sqlx::Result<PgConnection> {
    let mut connection = options.connect().await?;
    connection.execute(STATEMENT_TIMEOUT).await?;
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

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"))
}

/// Whether the server is only away, busy or on its way up, so that trying again may help.
pub(in crate::ledger) fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        // A certificate that does not verify.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => false,
        // A connection that ends in the middle of an answer is a protocol error to the client.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection exceptions, conflicts with other transactions, out of something, stopped by
            // an operator, and a primary that has become a standby.
            ["08", "40", "53", "57"].contains(&&code[..2.min(code.len())]) || code == "25006"
        }),
        _ => false,
    }
}

const CERTIFICATES: &str =
    "\n  see the certificates that sslmode, sslrootcert, sslcert and sslkey of the URL name";

/// What to do about an error of the server, as the end of a message.
pub(in crate::ledger) fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => CERTIFICATES,
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "\n  see the files that the URL names, and that the server runs"
        }
        sqlx::Error::Io(_) => "\n  see that the server runs and can be reached from here",
        sqlx::Error::Tls(_) => CERTIFICATES,
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01" | "28000") => "\n  correct the user or the password in the URL",
            Some("3D000") => "\n  make the database (CREATE DATABASE), or correct its name in the URL",
            Some("42501") => {
                "\n  give the user the right to CREATE in the database, or to use its schema orchard"
            }
            Some("53300") => "\n  let the server take more connections (max_connections)",
            _ => "",
        },
        _ => "",
    }
}

fn place_of(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

/// The library's words without the URL, which may hold a password.
fn problem_of_address(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(source) => source.to_string(),
        other => other.to_string(),
    }
}
