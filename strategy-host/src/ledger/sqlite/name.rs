//! Names as rows hold them.

use rusqlite::Row;
use rusqlite::types::Type;
use tick_sdk::names::StrategyName;

/// The strategy's name in a column.
///
/// # Errors
/// The column holds no text, or one that is not a valid name.
pub(super) fn strategy_name(row: &Row<'_>, column: usize) -> rusqlite::Result<StrategyName> {
    let text: String = row.get(column)?;
    let invalid = |error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error));
    text.try_into().map_err(invalid)
}
