//! What the market does now: best prices, last trades and candles of every source that is played, made where every
//! tick is seen, and read as often as somebody likes.
//!
//! A source is a feed or a replay. Whoever plays it sends its frames through a [`Recorder`]; whoever shows it reads
//! [`LiveMarket::quotes`]. The latest state of an instrument is all that there is of its past, but for its candles.

#![deny(missing_docs, unnameable_types)]

mod candles;
mod market;
mod recorder;

pub use candles::{Candle, Interval};
pub use market::{LiveMarket, Quote, Quotes, Selection, SourceView};
pub use recorder::{Recorder, Watched};
