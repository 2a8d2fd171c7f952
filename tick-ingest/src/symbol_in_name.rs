//! The symbol that a file's name says.

/// The symbol in a file's name, where it has exactly one part that looks like one: `XBTUSD.csv`,
/// `BTC-USDT-2024.csv`, `DAT_ASCII_EURUSD_T_201206.csv`. Neither `prices.csv` nor `AAPL_MSFT.csv` has one.
///
/// A symbol is in upper case, with at least two letters; currencies and kinds of contract behind it belong to
/// it, as in `BTC-USDT-SWAP`. Where a member of an archive does not say it, the archive's name may.
///
/// ```
/// use tick_ingest::symbol_in_name::symbol_in_name;
/// assert_eq!(symbol_in_name("captures/XBTUSD.csv.gz"), Some("XBTUSD".to_owned()));
/// assert_eq!(symbol_in_name("prices.csv"), None);
/// ```
pub fn symbol_in_name(name: &str) -> Option<String> {
    let mut parts = name.rsplit(['/', '\\']);
    let file = parts.next()?;
    let archive = parts.next().filter(|folder| folder.to_ascii_lowercase().ends_with(".zip"));
    of_file(file).or_else(|| archive.and_then(of_file))
}

/// What a user should know where the name's symbol was taken.
pub(crate) fn note_by_name(symbol: &str) -> String {
    format!("the symbol {symbol} is from the file's name, see --symbol")
}

fn of_file(file: &str) -> Option<String> {
    let stem = without_endings(file);
    let mut found: Option<&str> = None;
    let mut rest = stem;
    while !rest.is_empty() {
        let part = first_part(rest);
        let symbol = if is_symbol(part) { joined(rest) } else { part };
        if is_symbol(part) && !(symbol == part && FIAT.contains(&part)) {
            if found.is_some_and(|other| other != symbol) {
                // Which of them the rows are of, or whether both are in the file, is not known.
                return None;
            }
            found = Some(symbol);
        }
        rest = rest[symbol.len()..].trim_start_matches(is_separator);
    }
    found.map(str::to_owned)
}

/// Without `.csv`, `.csv.gz` and their like.
fn without_endings(file: &str) -> &str {
    const ENDINGS: [&str; 12] =
        ["csv", "txt", "tsv", "tab", "dat", "json", "jsonl", "gz", "zst", "zip", "parquet", "dbn"];
    let mut stem = file;
    while let Some((before, ending)) = stem.rsplit_once('.')
        && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
    {
        stem = before;
    }
    stem
}

fn is_separator(c: char) -> bool {
    !c.is_alphanumeric()
}

fn first_part(text: &str) -> &str {
    &text[..text.find(is_separator).unwrap_or(text.len())]
}

/// The part at the start of `text` with what belongs to it: `BTC-USDT-SWAP` of `BTC-USDT-SWAP-trades-2024`.
fn joined(text: &str) -> &str {
    let mut end = first_part(text).len();
    let next = |end: usize| {
        let rest = &text[end..];
        let separator = rest.chars().next().filter(|c| "-_.+".contains(*c))?;
        Some(first_part(&rest[separator.len_utf8()..])).filter(|part| !part.is_empty())
    };
    while let Some(part) = next(end).filter(|part| CURRENCIES.contains(part) || CONTRACTS.contains(part)) {
        end += 1 + part.len();
    }
    let Some(expiry) = next(end).filter(|part| is_expiry(part)) else { return &text[..end] };
    end += 1 + expiry.len();
    // An option: its strike, and whether it is a call.
    if let Some(strike) = next(end).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        && let Some(kind @ ("C" | "P")) = next(end + 1 + strike.len())
    {
        end += 2 + strike.len() + kind.len();
    }
    &text[..end]
}

fn is_symbol(part: &str) -> bool {
    let is_upper = part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let letters: String = part.chars().filter(char::is_ascii_uppercase).collect();
    let digits_first = part.bytes().take_while(u8::is_ascii_digit).count();
    // Eight digits are a date, with `T` and `Z` around a time of day.
    is_upper && letters.len() >= 2 && digits_first < 8 && !WORDS.contains(&&*letters) && !is_date(part)
}

/// `27SEP24`, `SEP2024`.
fn is_date(part: &str) -> bool {
    let letters = part.trim_matches(|c: char| c.is_ascii_digit());
    letters.len() < part.len() && MONTHS.contains(&letters)
}

/// `27SEP24`: a day, a month and a year.
fn is_expiry(part: &str) -> bool {
    is_date(part) && part.starts_with(|c: char| c.is_ascii_digit())
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// What stands behind the first half of a pair.
const CURRENCIES: [&str; 32] = [
    "USD", "USDT", "USDC", "BUSD", "TUSD", "FDUSD", "DAI", "UST", "EUR", "EURC", "GBP", "JPY", "CHF", "AUD",
    "NZD", "CAD", "CNY", "CNH", "HKD", "SGD", "KRW", "INR", "TRY", "BRL", "MXN", "ZAR", "SEK", "NOK", "PLN",
    "BTC", "ETH", "BNB",
];

/// Money of states: alone, it names what prices are in.
const FIAT: [&str; 8] = ["USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "CNY"];

/// What stands behind a pair.
const CONTRACTS: [&str; 3] = ["SWAP", "PERP", "PERPETUAL"];

/// What names a file's content, its venue, its vendor or its period, but no instrument.
const WORDS: &[&str] = &[
    "AGG",
    "AGGTRADES",
    "ALGOSEEK",
    "ALL",
    "ARCA",
    "ASCII",
    "ASK",
    "ASKS",
    "BACKUP",
    "BBO",
    "BID",
    "BIDASK",
    "BIDS",
    "BINANCE",
    "BITFINEX",
    "BITGET",
    "BITMEX",
    "BITSTAMP",
    "BOOK",
    "BOOKS",
    "BOOKTICKER",
    "BYBIT",
    "CAPTURE",
    "CBOE",
    "CLEAN",
    "CM",
    "CME",
    "COINBASE",
    "COINM",
    "COPY",
    "CRYPTO",
    "CSV",
    "DAILY",
    "DAT",
    "DATA",
    "DATABENTO",
    "DAY",
    "DBN",
    "DEPTH",
    "DERIBIT",
    "DOWNLOAD",
    "DUKASCOPY",
    "DUMP",
    "DYDX",
    "EDT",
    "EQUITIES",
    "EQUITY",
    "EST",
    "EUREX",
    "EXAMPLE",
    "EXPORT",
    "FEED",
    "FILE",
    "FINAL",
    "FIRSTRATE",
    "FOREX",
    "FTX",
    "FULL",
    "FUT",
    "FUTURE",
    "FUTURES",
    "FX",
    "GATE",
    "GATEIO",
    "GEMINI",
    "GMT",
    "HISTDATA",
    "HIST",
    "HISTORICAL",
    "HISTORY",
    "HOUR",
    "HTX",
    "HUOBI",
    "HYPERLIQUID",
    "INDEX",
    "INPUT",
    "JOINED",
    "JSON",
    "KRAKEN",
    "KUCOIN",
    "LAST",
    "LEVEL",
    "LIVE",
    "LOBSTER",
    "LOCAL",
    "LOG",
    "LSE",
    "MARKET",
    "MBO",
    "MBP",
    "MERGED",
    "METATRADER",
    "MEXC",
    "MIN",
    "MKT",
    "MONTH",
    "MONTHLY",
    "MT",
    "NASDAQ",
    "NBBO",
    "NEW",
    "NY",
    "NYSE",
    "OKEX",
    "OKX",
    "OLD",
    "OPTION",
    "OPTIONS",
    "ORDERBOOK",
    "ORDERS",
    "OUT",
    "OUTPUT",
    "PART",
    "PERP",
    "PERPETUAL",
    "PITCH",
    "POLYGON",
    "PRICE",
    "PRICES",
    "QUOTE",
    "QUOTES",
    "RAW",
    "README",
    "REPORT",
    "SALES",
    "SAMPLE",
    "SEC",
    "SPOT",
    "STOCK",
    "STOCKS",
    "STREAM",
    "SWAP",
    "TAQ",
    "TARDIS",
    "TBBO",
    "TEST",
    "TICK",
    "TICKDATA",
    "TICKS",
    "TIME",
    "TIMES",
    "TMP",
    "TOB",
    "TRADE",
    "TRADES",
    "TRUEFX",
    "TXT",
    "TZ",
    "UM",
    "UPBIT",
    "USDM",
    "UTC",
    "WEEK",
    "WEEKLY",
    "XETRA",
    "YEAR",
    "ZIP",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_says_a_symbol_is_understood() {
        for (name, symbol) in [
            ("XBTUSD.csv", "XBTUSD"),
            ("61/ETHUSD.csv.gz", "ETHUSD"),
            ("BTC-USDT-2024.csv", "BTC-USDT"),
            ("BTC-USDT-SWAP-trades-2022-06-18.csv", "BTC-USDT-SWAP"),
            ("BTC_USD_TRADES.csv", "BTC_USD"),
            ("USD-JPY.txt", "USD-JPY"),
            ("DAT_ASCII_EURUSD_T_201206.csv", "EURUSD"),
            ("BTCUSDT-aggTrades-2024-07-04.csv", "BTCUSDT"),
            ("Binance_1000SHIBUSDT_20240808T000000Z.csv", "1000SHIBUSDT"),
            ("2024-06-03_AAPL_tick.csv", "AAPL"),
            ("BITMEX-XBTUSD-XBTUSD.csv", "XBTUSD"),
            ("ESZ4.dbn.zst", "ESZ4"),
            ("BTC-PERPETUAL.csv", "BTC-PERPETUAL"),
            ("BTC-27SEP24-60000-C.csv", "BTC-27SEP24-60000-C"),
            (r"C:\data\EURUSD_JUN2024.csv", "EURUSD"),
            ("BTCUSDT-2024.zip/data.csv", "BTCUSDT"),
        ] {
            assert_eq!(symbol_in_name(name).as_deref(), Some(symbol), "{name}");
        }
    }

    #[test]
    fn a_name_that_says_none_or_two_gives_none() {
        for name in [
            "prices.csv",
            "PRICES.csv",
            "TRADES_2024.csv",
            "btcusdt.csv",
            "20240808.csv",
            "2024-06-03T09.csv",
            "20240808T000000Z.csv",
            "600519.csv",
            "AAPL_MSFT.csv",
            "PRICES_USD.csv",
            "BINANCE_SPOT_1MIN.csv",
            "SEP2024.csv",
            "XBTUSD/trades.csv",
            "-",
            "",
            "...",
            "資料.csv",
        ] {
            assert_eq!(symbol_in_name(name), None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_is_too_odd(name in "[A-Z0-9a-zé_./ +-]{0,40}") {
            if let Some(symbol) = symbol_in_name(&name) {
                proptest::prop_assert!(name.contains(&symbol) && symbol.len() >= 2, "{}", symbol);
            }
        }
    }
}
