//! A database of its own for each case's ledger.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

/// Makes an empty database on this server, and gives its URL.
pub(crate) fn create(server: &str, name: &str) -> String {
    let statement = format!("CREATE DATABASE {name}");
    execute(server, &statement);
    let (server, _) = server.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}

/// Executes one statement.
pub(crate) fn execute(url: &str, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.expect("PostgreSQL answers");
        connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("PostgreSQL executes it");
        connection.close().await.expect("it is closed");
    });
}
