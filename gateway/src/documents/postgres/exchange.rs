//! Documents that are made anew beside those that are read, and then put in their place.

use sqlx::{AssertSqlSafe, Connection};

use super::{CHANNEL, PostgresDocuments, SCHEMA};
use crate::documents::{DocumentError, Hold, Sharing};

/// The schema of documents that are being made.
const NEXT: &str = "documents_next";
/// Those that were read before, until they are removed.
const OLD: &str = "documents_old";

/// Documents that are being made, which nobody reads yet.
pub(crate) struct NextDocuments(PostgresDocuments);

impl NextDocuments {
    /// Begins without any document.
    ///
    /// # Errors
    /// Another process makes some, or the server is away or refuses.
    pub(crate) fn begin(url: &str) -> Result<Self, DocumentError> {
        let left = Self::open(url)?;
        // What a process that was killed has left is of no use.
        let drop = format!("DROP SCHEMA {NEXT} CASCADE; DROP SCHEMA IF EXISTS {OLD} CASCADE");
        left.run(async |connection| {
            sqlx::raw_sql(AssertSqlSafe(drop.as_str())).execute(connection).await.map(std::mem::drop)
        })?;
        Self::open(url).map(Self)
    }

    /// Opens them, and is the only one that writes to them.
    fn open(url: &str) -> Result<PostgresDocuments, DocumentError> {
        let store = PostgresDocuments::open_in(url, NEXT, false)?;
        match store.hold()? {
            Hold::Elsewhere => Err(DocumentError::Rebuilding),
            Hold::Begun | Hold::GoesOn => Ok(store),
        }
    }

    /// The documents so far.
    pub(crate) const fn store(&self) -> &PostgresDocuments {
        &self.0
    }

    /// Puts them in the place of those that are read, once `catch_up` has taken the last events: meanwhile nobody
    /// commits. Reads go on all the time, and whoever kept the documents until now begins again with the new ones.
    ///
    /// # Errors
    /// What `catch_up` gives, or the server is away or refuses: then the old ones are read on.
    pub(crate) fn replace<T, E: From<DocumentError>>(
        self,
        live: &PostgresDocuments,
        catch_up: impl Fn() -> Result<T, E>,
    ) -> Result<T, E> {
        let exchange = format!(
            "ALTER SCHEMA {SCHEMA} RENAME TO {OLD}; ALTER SCHEMA {NEXT} RENAME TO {SCHEMA};
            SELECT pg_notify('{CHANNEL}', 'all')"
        );
        let done = live.run(async |connection| {
            let mut transaction = connection.begin().await?;
            let fence = format!(
                "UPDATE {SCHEMA}.keeper SET holder = NULL, epoch = epoch + 1, commits = commits + 1,
                    until = clock_timestamp() RETURNING epoch, commits"
            );
            let fencing = sqlx::query_as(AssertSqlSafe(fence)).fetch_one(&mut *transaction);
            let (epoch, commits): (i64, i64) = fencing.await?;
            let done = match catch_up() {
                Ok(done) => done,
                Err(error) => return Ok(Err(error)),
            };
            let begin = format!(
                "UPDATE {NEXT}.keeper SET holder = NULL, epoch = $1, commits = $2, until = clock_timestamp()"
            );
            let beginning = sqlx::query(AssertSqlSafe(begin)).bind(epoch).bind(commits);
            beginning.execute(&mut *transaction).await?;
            sqlx::raw_sql(AssertSqlSafe(exchange.as_str())).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Ok(done))
        })?;
        let done = done?;
        let drop = format!("DROP SCHEMA IF EXISTS {OLD} CASCADE");
        let dropped = live.run(async |connection| {
            sqlx::raw_sql(AssertSqlSafe(drop.as_str())).execute(connection).await.map(std::mem::drop)
        });
        if let Err(error) = dropped {
            tracing::warn!(%error, "the old documents stay until the next rebuild: drop the schema {OLD}");
        }
        Ok(done)
    }
}
