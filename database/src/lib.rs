//! PostgreSQL servers, for the crates that keep something in one: an address, connections to it, and what the
//! server's errors mean.

#![deny(missing_docs, unnameable_types)]

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::time::timeout;

mod error;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{advice, is_temporary, no_answer};

/// A connection that takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a database is, and who connects to it.
#[derive(Clone, Debug)]
pub struct Address {
    options: PgConnectOptions,
    place: String,
}

impl Address {
    /// Reads a `postgres://` URL, whose `sslmode`, `sslrootcert`, `sslcert` and `sslkey` decide about TLS.
    ///
    /// # Errors
    /// It cannot be read; the text says why, without the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let reason = |error: sqlx::Error| match error {
            sqlx::Error::Configuration(source) => source.to_string(),
            other => other.to_string(),
        };
        let options = url.parse::<PgConnectOptions>().map_err(reason)?.disable_statement_logging();
        let place = place_of(&options);
        Ok(Self { options, place })
    }

    /// Which database, without its password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Connects within 5 s, and carries out `session` first: settings of this connection.
    ///
    /// # Errors
    /// The server is away, or refused.
    pub async fn connect(&self, session: &str) -> sqlx::Result<PgConnection> {
        let connecting = async {
            let mut connection = self.options.connect().await?;
            connection.execute(sqlx::raw_sql(AssertSqlSafe(session))).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| no_answer())?
    }

    /// A connection that listens for notifications. It is not made again after a loss: the next call fails or
    /// gives nothing, and its user connects anew.
    ///
    /// # Errors
    /// As [`Address::connect`].
    pub async fn listen(&self) -> sqlx::Result<PgListener> {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(self.options.clone());
        let mut listener =
            timeout(CONNECT_TIMEOUT, PgListener::connect_with(&pool)).await.map_err(|_| no_answer())??;
        listener.eager_reconnect(false);
        Ok(listener)
    }
}

fn place_of(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}
