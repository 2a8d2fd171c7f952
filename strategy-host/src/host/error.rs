//! Why a host cannot go on.

use thiserror::Error;
use tick_feed::transport::TransportError;
use tick_sdk::host::LaneError;
use tick_sdk::names::StrategyName;

use crate::ledger::LedgerError;
use crate::market::MarketError;

/// A host that cannot go on.
#[derive(Debug, Error)]
pub enum HostError {
    /// A strategy or its state stopped a lane.
    #[error("strategy {strategy}, shard {shard}: {source}")]
    Lane {
        /// The instance's name.
        strategy: StrategyName,
        /// The shard.
        shard: u16,
        /// What happened.
        source: LaneError,
    },
    /// The market cannot be recorded.
    #[error("recording the market: {0}")]
    Market(#[from] MarketError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's thread has stopped.
    #[error("the ledger has stopped")]
    LedgerStopped,
    /// Somebody else has claimed the lane.
    #[error(
        "another process has taken over strategy {strategy}, shard {shard}: this one has committed nothing since, and stops"
    )]
    Fenced {
        /// The instance's name.
        strategy: StrategyName,
        /// The shard.
        shard: u16,
    },
    /// Ticks are missing.
    #[error("strategy {strategy}, shard {shard}: ticks {first} to {last} are missing")]
    Gap {
        /// The instance's name.
        strategy: StrategyName,
        /// The shard.
        shard: u16,
        /// The first missing sequence number.
        first: u64,
        /// The last missing sequence number.
        last: u64,
    },
    /// Ticks are missing for good.
    #[error(
        "strategy {strategy}, shard {shard}: ticks from {from_seq} on are missing, and cannot be sent again: {reason}\n  \
         bring the source back and resume the ingester, or go on without them with --accept-gap, which counts them"
    )]
    Gone {
        /// The instance's name.
        strategy: StrategyName,
        /// The shard.
        shard: u16,
        /// The first sequence number that is gone.
        from_seq: u64,
        /// Why.
        reason: String,
    },
    /// The transport cannot carry what a lane needs.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A strategy panicked.
    #[error("strategy {strategy}, shard {shard} panicked at {during}: {message}")]
    StrategyPanicked {
        /// The instance's name.
        strategy: StrategyName,
        /// The shard.
        shard: u16,
        /// At which tick of which instrument, or in what else.
        during: String,
        /// The panic's message.
        message: String,
    },
    /// A thread of the host panicked.
    #[error("a thread of the host panicked: {0}")]
    Panicked(String),
}
