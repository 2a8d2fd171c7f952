//! Reads what a row of a mapping says, beside its times and its instrument.

use tick_sdk::decimal::Inexact;

use super::codes::AggressorColumn;
use super::mapping::{Column, Mapping, NumberColumn, Rows};
use super::numbers::Number;
use crate::formats::csv::absent::{begins_as_number, is_absent};
use crate::formats::csv::fields::Fields;
use crate::formats::csv::row::{Level, Row};
use crate::{BadField, ReadError};

/// [`Rows`], with the columns' places.
pub(super) enum RowColumns {
    Trades { price: Number, size: Option<Number>, aggressor: AggressorColumn },
    Quotes { bid: SideColumns, ask: SideColumns },
}

/// One side of the book.
#[derive(Clone, Copy)]
pub(super) struct SideColumns {
    price: Number,
    size: Option<Number>,
}

impl RowColumns {
    /// Of a mapping whose columns are where `place` says.
    ///
    /// # Errors
    /// A column is not there.
    pub(super) fn new(
        mapping: &Mapping,
        place: impl Fn(&Column) -> Result<usize, ReadError>,
    ) -> Result<Self, ReadError> {
        let style = mapping.layout.numbers;
        let number = |key, column: &NumberColumn| Ok(Number::new(key, column, place(&column.column)?, style));
        let optional = |key, column: &Option<NumberColumn>| {
            column.as_ref().map(|column| number(key, column)).transpose()
        };
        Ok(match &mapping.rows {
            Rows::Trades { price, size, aggressor } => Self::Trades {
                price: number("price", price)?,
                size: optional("size", size)?,
                aggressor: AggressorColumn::new(aggressor, &place)?,
            },
            Rows::Quotes { bid, bid_size, ask, ask_size } => Self::Quotes {
                bid: SideColumns { price: number("bid", bid)?, size: optional("bid_size", bid_size)? },
                ask: SideColumns { price: number("ask", ask)?, size: optional("ask_size", ask_size)? },
            },
        })
    }

    /// The row, or `None` where it says that there was none: a trade of size 0 at price 0.
    #[inline(always)]
    pub(super) fn parse(&self, fields: &Fields<'_>) -> Result<Option<Row>, BadField> {
        match self {
            Self::Trades { price, size, aggressor } => {
                let level = level(price, price.text(fields), *size, fields)?;
                if (level.price, level.size) == (0, 0) && size.is_some() {
                    return Ok(None);
                }
                Ok(Some(Row::Trade(level, aggressor.parse(fields)?)))
            }
            Self::Quotes { bid, ask } => {
                let bid_level = bid.parse(fields)?;
                let ask_level = ask.parse(fields)?;
                if bid_level.price < 0 && ask_level == Level::EMPTY {
                    return Ok(Some(Row::Quote { bid: bid_level, ask: ask.above_negative_bid(fields) }));
                }
                Ok(Some(Row::Quote { bid: bid_level, ask: ask_level }))
            }
        }
    }
}

/// Of a trade, or of one side of the book; one body for both, into which the parsers of numbers go.
#[inline(never)]
fn level(price: &Number, text: &[u8], size: Option<Number>, fields: &Fields<'_>) -> Result<Level, BadField> {
    let (raw, price_inexact) = price.price(text)?;
    let (size, size_inexact) = match size {
        Some(size) => size.size(size.text(fields))?,
        None => (0, Inexact::No),
    };
    Ok(Level { price: raw, size, inexact: [price_inexact, size_inexact] })
}

impl SideColumns {
    #[inline(always)]
    fn parse(&self, fields: &Fields<'_>) -> Result<Level, BadField> {
        let price = self.price.text(fields);
        if !begins_as_number(price) && is_absent(price) {
            return Ok(Level::EMPTY);
        }
        let size = self.size.map_or(&b"0"[..], |size| size.text(fields));
        Level::or_absent(level(&self.price, price, self.size, fields), price, size, |_| {
            level(&self.price, price, None, fields)
        })
    }

    /// An absent ask behind a bid below 0, as spreads have: there 0 is a price like others, unless a
    /// size says otherwise.
    #[cold]
    fn above_negative_bid(&self, fields: &Fields<'_>) -> Level {
        let zero = || level(&self.price, self.price.text(fields), None, fields).ok();
        let zero = if self.size.is_none() { zero() } else { None };
        zero.unwrap_or(Level::EMPTY)
    }

    /// What the row says of the side's price and of its size, each `None` where its field is empty.
    fn parse_changes(&self, fields: &Fields<'_>) -> Result<SideChanges, BadField> {
        let price = match self.price.text(fields) {
            b"" => None,
            absent if is_absent(absent) => Some(None),
            text => Some(Some(self.price.price(text)?)),
        };
        let size = match self.size.map(|size| (size, size.text(fields))) {
            None | Some((_, b"")) => None,
            Some((_, absent)) if is_absent(absent) => Some((0, Inexact::No)),
            Some((size, text)) => Some(size.size(text)?),
        };
        Ok(SideChanges { price, size })
    }
}

/// What a row changes of one side of the book.
struct SideChanges {
    /// `Some(None)` where the side is absent from now on.
    price: Option<Option<(i64, Inexact)>>,
    size: Option<(u64, Inexact)>,
}

impl SideChanges {
    fn is_nothing(&self) -> bool {
        self.price.is_none() && self.size.is_none()
    }

    fn applied_to(self, before: Level) -> Level {
        let price = match self.price {
            None => (before.price, Inexact::No),
            Some(None) => return Level::EMPTY,
            Some(Some(price)) => price,
        };
        let size = self.size.unwrap_or((before.size, Inexact::No));
        let level = Level { price: price.0, size: size.0, inexact: [price.1, size.1] };
        let is_empty = price.0 == Level::EMPTY.price || (price.0, size.0) == (0, 0);
        if is_empty { Level::EMPTY } else { level }
    }
}

/// Both sides of each instrument's book, where an empty field means that it did not change.
#[derive(Default)]
pub(super) struct Books(Vec<[Level; 2]>);

/// What a row changes of both sides of the book.
pub(super) struct BookChanges([SideChanges; 2]);

impl BookChanges {
    /// # Errors
    /// A field is neither empty nor a number.
    pub(super) fn parse(bid: &SideColumns, ask: &SideColumns, fields: &Fields<'_>) -> Result<Self, BadField> {
        Ok(Self([bid.parse_changes(fields)?, ask.parse_changes(fields)?]))
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.iter().all(SideChanges::is_nothing)
    }
}

impl Books {
    /// The book of `instrument`, which counts from 0, behind these changes.
    pub(super) fn apply(&mut self, instrument: u32, changes: BookChanges) -> Row {
        let at = instrument as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, [Level::EMPTY; 2]);
        }
        let [bid_changes, ask_changes] = changes.0;
        let book = &mut self.0[at];
        let bid = bid_changes.applied_to(book[0]);
        let ask = ask_changes.applied_to(book[1]);
        *book = [bid, ask];
        Row::Quote { bid, ask }
    }
}
