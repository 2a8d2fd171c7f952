//! The formats, by name.

use std::fmt;

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Lines of Binance's market streams.
    BinanceStream,
    /// Binance's historical trades.
    BinanceTrades,
    /// Binance's historical aggregate trades.
    BinanceAggTrades,
    /// Binance's historical book tickers.
    BinanceBookTicker,
    /// Tardis trades.
    TardisTrades,
    /// Tardis quotes.
    TardisQuotes,
    /// Databento's own CSV.
    DatabentoCsv,
    /// The CSV that `orchard convert` writes.
    OrchardCsv,
    /// A CSV by the mapping given.
    MappedCsv,
    /// A Parquet file by the mapping given.
    Parquet,
    /// A Parquet file of quotes or trades from a Nautilus catalogue.
    Nautilus,
    /// Databento binary encoding.
    Dbn,
    /// Orchard's own tick file.
    Ticks,
}

impl Format {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BinanceStream => "Binance stream capture",
            Self::BinanceTrades => "Binance trades CSV",
            Self::BinanceAggTrades => "Binance aggTrades CSV",
            Self::BinanceBookTicker => "Binance bookTicker CSV",
            Self::TardisTrades => "Tardis trades CSV",
            Self::TardisQuotes => "Tardis quotes CSV",
            Self::DatabentoCsv => "Databento CSV",
            Self::OrchardCsv => "Orchard CSV",
            Self::MappedCsv => "CSV by mapping",
            Self::Parquet => "Parquet by mapping",
            Self::Nautilus => "Nautilus Parquet",
            Self::Dbn => "DBN",
            Self::Ticks => ".ticks",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
