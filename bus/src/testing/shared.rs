//! The same tests on PostgreSQL.

use std::cell::RefCell;

use database::testing::Database;

use crate::store::PostgresStore;

thread_local! {
    /// The database of this thread's tests, where they are on PostgreSQL.
    static DATABASE: RefCell<Option<Database>> = const { RefCell::new(None) };
}

/// Runs tests again on PostgreSQL: each [`TestBus::new`](super::TestBus::new) within is on the server of
/// `ORCHARD_TEST_POSTGRES`, one bus at a time. Ids of messages are others in each run there.
///
/// # Panics
/// A test fails, or there is no server.
pub fn on_postgres(tests: &[fn()]) {
    DATABASE.set(Some(Database::create()));
    let _dropped = DropDatabase;
    tests.iter().for_each(|test| test());
}

/// An empty store of the context, where this thread's tests are on PostgreSQL.
pub(super) fn store(context: &str, tables: &str) -> Option<PostgresStore> {
    DATABASE.with_borrow(|database| {
        let database = database.as_ref()?;
        // What the bus before had.
        database.execute(&format!("DROP SCHEMA IF EXISTS {context} CASCADE"));
        Some(PostgresStore::open(&database.url(), context, tables).expect("the tables are made"))
    })
}

/// Drops it after a test that fails, too, while the thread can still do so.
struct DropDatabase;

impl Drop for DropDatabase {
    fn drop(&mut self) {
        DATABASE.set(None);
    }
}
