//! Which format a source has.

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Binance stream captures.
    BinanceStream,
    /// Binance's historical trades.
    BinanceTrades,
    /// Binance's historical aggregated trades.
    BinanceAggTrades,
    /// Binance's historical book tickers.
    BinanceBookTicker,
    /// Tardis trades.
    TardisTrades,
    /// Tardis quotes.
    TardisQuotes,
    /// Orchard's own CSV.
    OrchardCsv,
    /// Any other CSV.
    MappedCsv,
    /// DBN.
    Dbn,
    /// `.ticks`.
    Ticks,
}
