//! What the market does now: best prices, last trades and candles of every source that is played, made where every
//! tick is seen, and read as often as somebody likes.
//!
//! A source is a feed or a replay. Whoever plays it has its frames observed by a [`Recorder`]; whoever shows it reads
//! [`LiveMarket::quotes`]. The latest state of an instrument is all that there is of its past, but for its candles.
//!
//! ```
//! use live::{LiveMarket, Selection};
//! use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
//! use tick_sdk::{Side, Tick};
//!
//! let market = LiveMarket::default();
//! let recorder = market.begin("feed/btc", "00000000000000000000000000000001");
//! let header = FrameHeader {
//!     run: "00000000000000000000000000000001".parse().unwrap(),
//!     shard: 0, shards: 1, attempt: 0, first_seq: 0, published_at: 0, watermark: 7, flags: FrameFlags::TICKS,
//! };
//! let name = NewInstrument { id: 0, symbol: "BTCUSDT".into(), key: "BTCUSDT".into() };
//! let trade = Tick::trade(7, 7, 60_000_000_000_000, 1_000_000_000, Side::BUY);
//! recorder.record(&Frame::owned(header, vec![trade]).naming(vec![name], 1));
//! drop(recorder); // The source has ended.
//! let quotes = market.quotes(&Selection::default(), 0);
//! assert_eq!(quotes.quotes[0].last, Some(60_000_000_000_000));
//! // From the next time on only what has changed since.
//! assert!(market.quotes(&Selection::default(), quotes.version).quotes.is_empty());
//! ```

#![deny(missing_docs, unnameable_types)]

use std::sync::{Mutex, MutexGuard, PoisonError};

mod board;
mod candles;
mod hand_over;
mod market;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
mod recorder;
mod recording;
mod selection;
#[cfg(test)]
mod tests;

pub use candles::{Candle, Interval};
pub use market::{LiveMarket, Quote, Quotes, SourceView};
pub use recorder::Recorder;
pub use recording::CandleMaker;
pub use selection::Selection;

/// Nothing that holds it leaves halves behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
