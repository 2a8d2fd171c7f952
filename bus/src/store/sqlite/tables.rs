//! A context's own tables in SQLite.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, ToSql};

use super::transaction::SqliteTransaction;
use crate::store::StoreError;
use crate::tables::{Row, Tables, TablesError, Value};

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn value_of(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(_) => Value::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}

/// `$1` is a name to SQLite, whose places are given by the order in which names appear: mostly that of their numbers.
fn bind(statement: &mut Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    let places = statement.parameter_count();
    if places != values.len() {
        return Err(rusqlite::Error::InvalidParameterCount(values.len(), places));
    }
    for (number, value) in (1..).zip(values) {
        let place = if number_of(statement.parameter_name(number)) == Some(number) {
            number
        } else {
            let name = format!("${number}");
            let place = statement.parameter_index(&name)?;
            place.ok_or(rusqlite::Error::InvalidParameterName(name))?
        };
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

/// The number of a parameter that is named by one.
fn number_of(name: Option<&str>) -> Option<usize> {
    name?.strip_prefix('$')?.parse().ok()
}

fn execute(connection: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    statement.raw_execute().map(|changed| changed as u64)
}

/// The rows of a query, on any connection.
pub(super) fn query(connection: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let columns = statement.column_count();
    let name: Arc<str> = sql.into();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| value_of(row.get_ref(column)?));
        found.push(Row::new(name.clone(), values.collect::<rusqlite::Result<_>>()?));
    }
    Ok(found)
}

/// What an error says of a statement.
pub(super) fn failed(place: &str, sql: &str, source: rusqlite::Error) -> TablesError {
    let is_unique = source.sqlite_error().is_some_and(|error| {
        let keys = [rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        error.code == ErrorCode::ConstraintViolation && keys.contains(&error.extended_code)
    });
    let statement = sql.into();
    if is_unique {
        return TablesError::UniqueViolation { statement, source: source.into() };
    }
    match (StoreError::Sqlite { place: place.to_owned(), source }) {
        passing if passing.may_pass() => passing.into(),
        StoreError::Sqlite { source, .. } => TablesError::Refused { statement, source: source.into() },
        other => other.into(),
    }
}

impl SqliteTransaction {
    fn on_tables<T>(
        &mut self,
        sql: &str,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, TablesError> {
        self.check_open()?;
        if let Some(before) = &self.refused {
            return Err(TablesError::AfterError { statement: sql.into(), before: before.to_string() });
        }
        act(self.connection_ref()).map_err(|source| {
            let place = self.place().to_owned();
            let error = failed(&place, sql, source);
            let reason = error.to_string();
            self.refused = Some(match &error {
                TablesError::Store(_) => StoreError::GivenUp { place, reason },
                _ => StoreError::Refused { place, reason },
            });
            error
        })
    }
}

impl Tables for SqliteTransaction {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, TablesError> {
        self.on_tables(sql, |connection| execute(connection, sql, values))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError> {
        self.on_tables(sql, |connection| query(connection, sql, values))
    }
}
