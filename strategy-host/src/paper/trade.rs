//! Round trips: a unit that was bought and sold, or sold and bought.

use tick_sdk::TargetPosition;

/// A closed round trip of one unit. Money is in 1e-9 of the quote unit, times are receive times in ns since the UNIX
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// What was held: long or short.
    pub side: TargetPosition,
    /// When the signal came that opened it.
    pub opened_at: u64,
    /// When the signal came that closed it.
    pub closed_at: u64,
    /// What it was opened for, after slippage.
    pub entry: i128,
    /// What it was closed for, after slippage.
    pub exit: i128,
    /// Of both fills; negative when they were rebates.
    pub fees: i128,
    /// After slippage and fees.
    pub profit: i128,
}
