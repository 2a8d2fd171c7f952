//! A context's own tables, on SQLite and PostgreSQL alike.
//!
//! A handler's SQL is written once: parameters are `$1`, `$2`, …, and a conflict is met with `ON CONFLICT`. What
//! is stored are whole numbers, text, bytes and floating-point numbers; a flag is 0 or 1, an id its 16 bytes.
//!
//! SQLite lets one transaction write at a time; PostgreSQL lets others change what this one has read. So a statement that
//! writes compares what was found before (`WHERE … AND revision = $3`), and one that finds it changed fails and is tried
//! again; or [`Work::position`](crate::Work::position) comes first, which lets nobody else of the context append until this
//! transaction has ended.
//!
//! Tables are written as SQLite has them. For PostgreSQL `INTEGER` becomes `BIGINT`, `BLOB` `BYTEA`, a key with
//! `AUTOINCREMENT` an identity, and `STRICT` and `WITHOUT ROWID` are left out. What PostgreSQL reserves must be in
//! quotes (`"user"`).

use std::error::Error;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::store::StoreError;

/// What a parameter or a column holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; a number without a sign as its 64 bits, a flag as 0 or 1.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The context's tables, within a transaction.
///
/// After a statement that failed nothing more is written in its transaction, on any store: what may conflict is
/// written with `ON CONFLICT`.
pub trait Tables {
    /// Carries out a statement; gives how many rows it changed.
    ///
    /// # Errors
    /// The statement failed, and the transaction can only be dropped.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, TablesError>;

    /// The rows that a statement gives.
    ///
    /// # Errors
    /// As [`Tables::execute`].
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError>;

    /// The first row that a statement gives, if it gives one.
    ///
    /// # Errors
    /// As [`Tables::execute`].
    fn query_first(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, TablesError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }
}

impl dyn Tables + '_ {
    /// Inserts rows of as many values each, many with a statement: `into` is `INSERT INTO t (a, b)`, and `then` what
    /// follows the rows, as `ON CONFLICT (a) DO NOTHING`. Gives how many were inserted.
    ///
    /// ```no_run
    /// # fn example(tables: &mut dyn bus::Tables) -> Result<(), bus::TablesError> {
    /// let rows = [bus::values!["a", 1], bus::values!["b", 2]];
    /// tables.insert("INSERT INTO word (text, count)", &rows, "ON CONFLICT (text) DO NOTHING")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tables::execute`].
    pub fn insert<R: AsRef<[Value]>>(
        &mut self,
        into: &str,
        rows: &[R],
        then: &str,
    ) -> Result<u64, TablesError> {
        let (mut left, mut inserted) = (rows, 0);
        while let Some(width) = left.first().map(|row| row.as_ref().len()) {
            // A few numbers of rows, so that there are few statements to prepare.
            let count = 1 << left.len().min(MOST_ROWS).ilog2();
            let (some, rest) = left.split_at(count);
            let values: Vec<_> = some.iter().flat_map(|row| row.as_ref().iter().cloned()).collect();
            inserted += self.execute(&insert_of(into, count, width, then), &values)?;
            left = rest;
        }
        Ok(inserted)
    }
}

/// A statement inserts so many rows at most.
const MOST_ROWS: usize = 64;

/// A statement that inserts so many rows of so many values.
fn insert_of(into: &str, rows: usize, width: usize, then: &str) -> String {
    let mut sql = format!("{into} VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=width {
            let separator = if column == 1 { "$" } else { ", $" };
            sql.push_str(separator);
            sql.push_str(&(row * width + column).to_string());
        }
        sql.push(')');
    }
    sql.push(' ');
    sql.push_str(then);
    sql
}

/// Why a statement was of no use.
#[derive(Debug, Error)]
pub enum TablesError {
    /// A row with this key is there already.
    #[error("there is a row with this key already: {source} (in: {statement})")]
    UniqueViolation {
        /// The statement.
        statement: Arc<str>,
        /// The database's words, which name the key.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database refused the statement.
    #[error("{source} (in: {statement})")]
    Refused {
        /// The statement.
        statement: Arc<str>,
        /// The database's words.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A statement before it failed, so this one was not carried out.
    #[error("a statement before it failed: {before} (in: {statement})")]
    AfterError {
        /// The statement.
        statement: Arc<str>,
        /// What was said about the one before.
        before: String,
    },
    /// A column does not hold what was asked for.
    #[error("column {column} holds {found}, not {expected} (in: {statement})")]
    Column {
        /// The statement.
        statement: Arc<str>,
        /// The column, from 0.
        column: usize,
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The store failed: it is away, or the disk is full.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A row that a statement gave.
#[derive(Clone, Debug)]
pub struct Row {
    statement: Arc<str>,
    values: Vec<Value>,
}

impl Row {
    pub(crate) const fn new(statement: Arc<str>, values: Vec<Value>) -> Self {
        Self { statement, values }
    }

    /// A column's value, counted from 0.
    ///
    /// # Errors
    /// There is no such column, or it holds something else.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, TablesError> {
        let value = self.values.get(column);
        value.and_then(T::from_value).ok_or_else(|| TablesError::Column {
            statement: self.statement.clone(),
            column,
            expected: T::NAME,
            found: value.map_or("nothing, as there are not so many", Value::kind),
        })
    }
}

impl Value {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "a whole number",
            Self::Real(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// Lists the parameters of a statement: `values![id, name]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        [$($crate::Value::from($value)),*]
    };
}

macro_rules! values_of {
    ($($variant:ident($Type:ty): |$from:ident| $value:expr;)*) => { $(
        impl From<$Type> for Value {
            fn from($from: $Type) -> Self {
                Self::$variant($value)
            }
        }
    )* };
}

values_of! {
    Integer(i64): |number| number;
    Integer(i32): |number| number.into();
    Integer(u64): |number| number.cast_signed();
    Integer(u32): |number| number.into();
    Integer(u16): |number| number.into();
    Integer(bool): |flag| flag.into();
    Real(f64): |number| number;
    Text(String): |text| text;
    Text(&String): |text| text.clone();
    Text(&str): |text| text.to_owned();
    Bytes(Vec<u8>): |bytes| bytes;
    Bytes(&[u8]): |bytes| bytes.to_vec();
    Bytes([u8; 16]): |bytes| bytes.to_vec();
    Bytes(Uuid): |id| id.as_bytes().to_vec();
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// What it is called where a column holds something else.
    const NAME: &'static str;

    /// `None`: the column holds something else.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($Type:ty, $name:literal: $pattern:pat => $value:expr;)*) => { $(
        impl FromValue for $Type {
            const NAME: &'static str = $name;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }
        }
    )* };
}

from_value! {
    i64, "a whole number": Value::Integer(number) => Some(*number);
    u64, "a whole number": Value::Integer(number) => Some(number.cast_unsigned());
    u32, "a whole number of 32 bits": Value::Integer(number) => (*number).try_into().ok();
    bool, "0 or 1": Value::Integer(number @ (0 | 1)) => Some(*number == 1);
    f64, "a floating-point number": Value::Real(number) => Some(*number);
    String, "text": Value::Text(text) => Some(text.clone());
    Vec<u8>, "bytes": Value::Bytes(bytes) => Some(bytes.clone());
    [u8; 16], "16 bytes": Value::Bytes(bytes) => bytes.as_slice().try_into().ok();
    Uuid, "16 bytes": Value::Bytes(bytes) => Self::from_slice(bytes).ok();
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_inserted_many_with_a_statement() {
        assert_eq!(
            insert_of("INSERT INTO t (a, b)", 2, 2, "ON"),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON"
        );
        struct Counted(Vec<(usize, usize)>);
        impl Tables for Counted {
            fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, TablesError> {
                let rows = sql.matches('(').count() - 1;
                self.0.push((rows, values.len()));
                Ok(rows as u64)
            }
            fn query(&mut self, _: &str, _: &[Value]) -> Result<Vec<Row>, TablesError> {
                Ok(Vec::new())
            }
        }
        let rows: Vec<_> = (0..100).map(|number| crate::values![number, "a"]).collect();
        let mut counted = Counted(Vec::new());
        let tables: &mut dyn Tables = &mut counted;
        assert_eq!(tables.insert("INSERT INTO t (a, b)", &rows, "").unwrap(), 100);
        assert_eq!(tables.insert("INSERT INTO t (a, b)", &rows[..0], "").unwrap(), 0);
        assert_eq!(counted.0, [(64, 128), (32, 64), (4, 8)]);
    }
}
