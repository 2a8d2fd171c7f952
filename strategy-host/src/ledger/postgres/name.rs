//! Names as rows hold them.

use tick_sdk::names::StrategyName;

/// The strategy's name of a column `strategy`.
///
/// # Errors
/// It is not a valid name.
pub(super) fn strategy_name(text: String) -> sqlx::Result<StrategyName> {
    let invalid = |error| sqlx::Error::ColumnDecode { index: "strategy".to_owned(), source: Box::new(error) };
    text.try_into().map_err(invalid)
}
