//! What columns are called, by vendors and by people.

/// A column's name in lower case without punctuation: `<DATE>` is `date`, `size(base)` is `sizebase`. Of a
/// name in two languages, as `size/数量`, the first counts.
pub(super) fn plain(name: &str) -> String {
    let first = name.split('/').next().unwrap_or(name);
    let name = if first.chars().any(char::is_alphanumeric) && !name.is_ascii() { first } else { name };
    name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "")
}

/// When a trade or quote happened at its venue, the likeliest name first.
pub(super) const TIME: &[&str] = &[
    "tsevent",
    "eventtime",
    "timeexchange",
    "exchangetime",
    "exchangetimestamp",
    "exchts",
    "exchtime",
    "transacttime",
    "transactiontime",
    "tradetime",
    "tradetimestamp",
    "tradets",
    "dealtime",
    "createdtime",
    "createdat",
    "createtime",
    "createtimems",
    "executiontime",
    "executedat",
    "exectime",
    "siptimestamp",
    "participanttimestamp",
    "timestamp",
    "timestampms",
    "timestampus",
    "timestampns",
    "unixtimestamp",
    "unixtime",
    "unix",
    "unixms",
    "epoch",
    "epochms",
    "epochns",
    "time",
    "timems",
    "timeus",
    "timens",
    "timem",
    "timeutc",
    "utctime",
    "utc",
    "timegmt",
    "gmttime",
    "gmt",
    "timeeet",
    "timeet",
    "timeest",
    "datetime",
    "datetimeutc",
    "dateutc",
    "datetimegmt",
    "dateandtime",
    "tradedatetime",
    "ts",
    "tsms",
    "tsus",
    "tsns",
    "quotetime",
    "quotetimestamp",
    "ticktime",
    "date",
    "day",
    "tradedate",
    "t",
    "e",
    "localtime",
    "dt",
    "时间",
    "成交时间",
    "交易时间",
    "日期",
];

/// When somebody received it.
pub(super) const RECV: &[&str] = &[
    "tsrecv",
    "recv",
    "recvtime",
    "recvts",
    "recvtimestamp",
    "receivetime",
    "receivedtime",
    "receivedat",
    "receivets",
    "receivetimestamp",
    "receivedtimestamp",
    "rcvtime",
    "rcvts",
    "localtimestamp",
    "localts",
    "localtime",
    "localtimens",
    "capturetime",
    "capturets",
    "capturedat",
    "timecoinapi",
    "timereceived",
    "arrivaltime",
    "tsinit",
    "collectedat",
    "ingesttime",
];

/// Which instrument a row is of.
pub(super) const SYMBOL: &[&str] = &[
    "symbol",
    "sym",
    "ticker",
    "instrumentname",
    "instrument",
    "instrumentid",
    "instid",
    "contract",
    "contractname",
    "contractcode",
    "contractid",
    "symbolid",
    "symbolname",
    "securitycode",
    "securityid",
    "securityname",
    "security",
    "seccode",
    "secid",
    "secode",
    "stockcode",
    "stock",
    "code",
    "tscode",
    "windcode",
    "ric",
    "isin",
    "figi",
    "pair",
    "currencypair",
    "tradingpair",
    "tradingsymbol",
    "product",
    "productid",
    "productcode",
    "market",
    "marketid",
    "marketname",
    "symroot",
    "underlyingsymbol",
    "coin",
    "asset",
    "assetid",
    "s",
    "issue",
    "代码",
    "证券代码",
    "合约代码",
    "合约",
    "交易对",
    "品种",
];

/// A trade's price.
pub(super) const PRICE: &[&str] = &[
    "price",
    "px",
    "tradeprice",
    "tradepx",
    "dealprice",
    "matchprice",
    "executionprice",
    "execprice",
    "fillprice",
    "lastprice",
    "last",
    "lastpx",
    "rate",
    "p",
    "成交价",
    "成交价格",
    "价格",
    "最新价",
];

/// A trade's size.
pub(super) const SIZE: &[&str] = &[
    "size",
    "qty",
    "quantity",
    "sizebase",
    "baseamount",
    "baseqty",
    "basevolume",
    "amountbase",
    "tradesize",
    "tradeqty",
    "tradevolume",
    "tradeamount",
    "dealsize",
    "lastsize",
    "lastqty",
    "amount",
    "volume",
    "vol",
    "shares",
    "contracts",
    "lots",
    "units",
    "sz",
    "q",
    "v",
    "成交量",
    "数量",
];

/// The aggressor's side.
pub(super) const SIDE: &[&str] = &[
    "aggressorside",
    "aggressor",
    "takerside",
    "tradeside",
    "side",
    "direction",
    "buysell",
    "buyorsell",
    "bs",
    "bsflag",
    "askbid",
    "tradetype",
    "type",
    "方向",
    "买卖方向",
];

/// Whether the seller took.
pub(super) const MAKER: &[&str] = &[
    "isbuyermaker",
    "buyerismaker",
    "buyermaker",
    "isbuyerm",
    "ismaker",
    "maker",
    "m",
    "sell",
    "issell",
    "sellertook",
    "takersell",
    "istakersell",
    "issellaggressor",
];

/// What says which kind of event a row is.
pub(super) const EVENT: &[&str] = &[
    "eventtype",
    "event",
    "msgtype",
    "messagetype",
    "recordtype",
    "rectype",
    "ticktype",
    "action",
    "type",
    "trdtype",
];

/// Venues: an instrument that several of them trade is one all the same.
pub(super) const VENUE: &[&str] =
    &["exchange", "exch", "ex", "venue", "market", "source", "provider", "exchangecode", "exchangeid", "mic"];

/// Whether numbers in such a column name rows, orders or trades, so that they are no times or prices.
pub(super) fn is_id(name: &str) -> bool {
    const IDS: [&str; 22] = [
        "id", "tid", "aid", "guid", "uuid", "u", "pu", "nonce", "index", "idx", "no", "row", "rownum",
        "hash", "seq", "rank", "a", "f", "l", "i", "n", "unnamed0",
    ];
    let parts = [
        "sequence",
        "seqn",
        "seqid",
        "orderno",
        "tradeno",
        "dealno",
        "matchid",
        "updateid",
        "ordernumber",
        "tradenumber",
    ];
    !SYMBOL.contains(&name)
        && (IDS.contains(&name)
            || name.ends_with("id") && name != "bid"
            || parts.iter().any(|part| name.contains(part)))
}

/// A column of the book's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BookColumn {
    pub(super) is_ask: bool,
    pub(super) is_size: bool,
    /// The level in the name: 1 or 0 is the best one, depending on where it counts from.
    pub(super) level: Option<u32>,
}

/// `bid`, `bidPrice1`, `bid_1_px`, `bids[0].amount`, `best_ask_qty`, `OFRSIZ`, `买一价`.
pub(super) fn book_column(name: &str) -> Option<BookColumn> {
    const SIDES: [(&str, bool); 7] = [
        ("bestbid", false),
        ("bestask", true),
        ("bestoffer", true),
        ("bid", false),
        ("ask", true),
        ("offer", true),
        ("ofr", true),
    ];
    const PRICES: [&str; 9] = ["", "s", "price", "px", "sprice", "rate", "p", "pr", "prc"];
    const SIZES: [&str; 22] = [
        "size",
        "qty",
        "quantity",
        "amount",
        "vol",
        "volume",
        "sz",
        "siz",
        "sx",
        "ssize",
        "samount",
        "sqty",
        "svolume",
        "lots",
        "shares",
        "depth",
        "q",
        "v",
        "sizebase",
        "sizelots",
        "volumebase",
        "amountbase",
    ];
    let chinese =
        [("买一价", false, false), ("卖一价", true, false), ("买一量", false, true), ("卖一量", true, true)];
    if let Some((_, is_ask, is_size)) = chinese.iter().find(|(known, ..)| *known == name) {
        return Some(BookColumn { is_ask: *is_ask, is_size: *is_size, level: None });
    }
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let letters = name.replace(|c: char| c.is_ascii_digit(), "");
    let level = digits.parse().ok();
    let short = ["bp", "bv", "ap", "av"].iter().find(|known| **known == letters && level.is_some());
    if let Some(short) = short {
        return Some(BookColumn { is_ask: short.starts_with('a'), is_size: short.ends_with('v'), level });
    }
    for (side, is_ask) in SIDES {
        // `bidsize`, `sizebid`.
        let behind = letters.strip_prefix(side);
        let before = letters.strip_suffix(side).filter(|rest| !rest.is_empty());
        for rest in [behind, before].into_iter().flatten() {
            if PRICES.contains(&rest) || SIZES.contains(&rest) {
                return Some(BookColumn { is_ask, is_size: SIZES.contains(&rest), level });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_their_looks() {
        assert_eq!(plain("<DATE>"), "date");
        assert_eq!(plain("size(base)"), "sizebase");
        assert_eq!(plain("size/数量"), "size");
        assert_eq!(plain("EUR/USD"), "eurusd");
    }

    #[test]
    fn the_sides_of_a_book_have_many_names() {
        let column = |is_ask, is_size, level| Some(BookColumn { is_ask, is_size, level });
        for (name, expected) in [
            ("bid", column(false, false, None)),
            ("bid_1_px", column(false, false, Some(1))),
            ("bidPrice1", column(false, false, Some(1))),
            ("bid1", column(false, false, Some(1))),
            ("ask_sz_00", column(true, true, Some(0))),
            ("asks[0].amount", column(true, true, Some(0))),
            ("best_bid_qty", column(false, true, None)),
            ("OFRSIZ", column(true, true, None)),
            ("Offer_Price", column(true, false, None)),
            ("AskVolume", column(true, true, None)),
            ("b1_p", column(false, false, Some(1))),
            ("bid_exchange", None),
            ("price", None),
            ("task", None),
        ] {
            assert_eq!(book_column(&plain(name)), expected, "{name}");
        }
    }

    #[test]
    fn ids_are_known_and_symbols_are_none() {
        for name in ["trade_id", "tid", "update_id", "sequence_number", "trdMatchID", "OrderNo"] {
            assert!(is_id(&plain(name)), "{name}");
        }
        for name in ["bid", "inst_id", "instrument_id", "product_id", "price", "time"] {
            assert!(!is_id(&plain(name)), "{name}");
        }
    }
}
