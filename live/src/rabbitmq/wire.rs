//! What is published, as bytes.

use serde::{Deserialize, Serialize};

use crate::candles::Candle;
use crate::recording::{Counts, Prices};

/// The first byte of a message: another version's is left out.
const FORMAT: u8 = 1;

/// What has changed of the sources that a process plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Changed {
    /// The process.
    pub(super) publisher: u128,
    /// Counts its messages from 0.
    pub(super) number: u64,
    pub(super) sources: Vec<SourceChanges>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SourceChanges {
    pub(super) name: String,
    pub(super) run: String,
    /// Tells it from an earlier one of this name.
    pub(super) id: u64,
    pub(super) counts: Counts,
    /// Nothing more comes, and everything was sent.
    pub(super) has_ended: bool,
    pub(super) instruments: Vec<InstrumentChanges>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct InstrumentChanges {
    pub(super) symbol: String,
    pub(super) prices: Prices,
    /// Of each interval.
    pub(super) candles: [CandleChanges; 5],
}

/// What stands in place of all candles that begin at this time or later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CandleChanges {
    pub(super) start: u64,
    pub(super) candles: Vec<Candle>,
}

impl InstrumentChanges {
    /// About how many bytes it has: numbers have as many as they need.
    pub(super) fn size(&self) -> usize {
        let candles: usize = self.candles.iter().map(|changes| changes.candles.len()).sum();
        self.symbol.len() + 80 + candles * 32
    }
}

/// The message.
pub(super) fn encode(changed: &Changed) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(changed, vec![FORMAT])
}

pub(super) fn decode(body: &[u8]) -> Result<Changed, Unreadable> {
    match body.split_first() {
        Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
        Some((format, _)) => Err(Unreadable::Format { format: *format }),
        None => Err(Unreadable::Empty),
    }
}

/// A message that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is of format {format}, and this version reads {FORMAT}")]
    Format { format: u8 },
    #[error("it is empty")]
    Empty,
    #[error(transparent)]
    Body(#[from] postcard::Error),
}
