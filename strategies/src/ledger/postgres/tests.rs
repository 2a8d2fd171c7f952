//! What only a server can show: other connections, restarts, and SQL readers.

use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::{Builder, Runtime};

use super::PostgresLedger;
use crate::ledger::RunId;

/// A database of a test's own, gone with it.
pub(in crate::ledger) struct Database {
    name: String,
    runtime: Runtime,
}

impl Database {
    /// Makes one on the server of `ORCHARD_TEST_POSTGRES`.
    pub(in crate::ledger) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let database = Self { name: format!("test_{}", RunId::random()), runtime };
        database.on_server(&format!("CREATE DATABASE {}", database.name));
        database
    }

    /// The URL of this database.
    pub(in crate::ledger) fn url(&self) -> String {
        let server = server_url();
        let (start, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("{start}/{}", self.name)
    }

    pub(in crate::ledger) fn ledger(&self) -> PostgresLedger {
        PostgresLedger::open(&self.url()).unwrap()
    }

    /// Runs SQL in this database on a connection of its own.
    pub(in crate::ledger) fn execute(&self, sql: &str) {
        self.execute_at(&self.url(), sql);
    }

    fn on_server(&self, sql: &str) {
        self.execute_at(&server_url(), sql);
    }

    fn execute_at(&self, url: &str, sql: &str) {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(url).await.unwrap();
            connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn server_url() -> String {
    std::env::var("ORCHARD_TEST_POSTGRES").expect("ORCHARD_TEST_POSTGRES names a server: run scripts/test")
}
