//! A database of its own for a test, on the server of `ORCHARD_TEST_POSTGRES`.

use std::process::Command;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// A database on the server of `ORCHARD_TEST_POSTGRES`, gone with the test.
pub struct Database {
    name: String,
    _server: Share,
}

/// The server is shared by tests, but for one that restarts it.
static SERVER: RwLock<()> = RwLock::new(());

#[expect(dead_code, reason = "held until the test has ended")]
enum Share {
    WithOthers(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// How long a server that was restarted may take.
const SERVER_BACK: Duration = Duration::from_secs(30);

impl Database {
    /// Makes one; other tests use the server at the same time.
    ///
    /// # Panics
    /// There is no server.
    pub fn create() -> Self {
        Self::on(Share::WithOthers(SERVER.read().unwrap_or_else(|poisoned| poisoned.into_inner())))
    }

    /// As [`Database::create`]; while this one lives, no other test of this process uses the server.
    ///
    /// # Panics
    /// There is no server.
    pub fn alone_on_its_server() -> Self {
        Self::on(Share::Alone(SERVER.write().unwrap_or_else(|poisoned| poisoned.into_inner())))
    }

    fn on(server: Share) -> Self {
        let database = Self { name: format!("test_{}", Uuid::new_v4().simple()), _server: server };
        run(&server_url(), &format!("CREATE DATABASE {}", database.name)).unwrap();
        database
    }

    /// Its `postgres://` URL.
    ///
    /// # Panics
    /// The server's URL names no database.
    pub fn url(&self) -> String {
        let server = server_url();
        let (start, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("{start}/{}", self.name)
    }

    /// Runs SQL on a connection of its own.
    ///
    /// # Panics
    /// It fails.
    pub fn execute(&self, sql: &str) {
        self.query(sql);
    }

    /// As [`Database::execute`], and gives the rows.
    ///
    /// # Panics
    /// It fails.
    pub fn query(&self, sql: &str) -> Vec<PgRow> {
        run(&self.url(), sql).unwrap()
    }

    /// The error of SQL that fails.
    ///
    /// # Panics
    /// It does not fail.
    pub fn fails(&self, sql: &str) -> String {
        run(&self.url(), sql).unwrap_err().to_string()
    }

    /// Ends every connection to this database but the one that says so.
    pub fn cut_connections(&self) {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }

    /// Restarts the whole server where `scripts/services` runs it, else cuts the connections.
    ///
    /// # Panics
    /// It does not start again.
    pub fn restart_server(&self) {
        self.services(&["restart"]);
    }

    /// Kills the whole server, and starts it again; where it is somebody else's, only the connections are cut.
    ///
    /// # Panics
    /// It does not start again.
    pub fn kill_server(&self) {
        self.services(&["kill", "up"]);
    }

    fn services(&self, asked: &[&str]) {
        let Ok(folder) = std::env::var("ORCHARD_TEST_SERVICES") else { return self.cut_connections() };
        let services = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");
        for what in asked {
            let status = Command::new(services).args([what, folder.as_str(), "postgres"]).status().unwrap();
            assert!(status.success(), "scripts/services {what} postgres");
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = run(&server_url(), &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        if !std::thread::panicking() {
            dropped.unwrap();
        }
    }
}

fn server_url() -> String {
    std::env::var("ORCHARD_TEST_POSTGRES").expect("ORCHARD_TEST_POSTGRES names a server: run scripts/test")
}

fn run(url: &str, sql: &str) -> sqlx::Result<Vec<PgRow>> {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        let mut connection = loop {
            match PgConnection::connect(url).await {
                Err(sqlx::Error::Database(error)) if !error.is_transient_in_connect_phase() => {
                    return Err(sqlx::Error::Database(error));
                }
                Err(error) if began.elapsed() > SERVER_BACK => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Ok(connection) => break connection,
            }
        };
        sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await
    })
}
