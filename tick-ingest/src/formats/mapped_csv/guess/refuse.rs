//! Tables that hold something else than ticks, known by their columns' names or by their values.

use super::Refusal;
use super::names::{self, book_column};
use super::sheet::Sheet;

/// What to do with any of them.
const BY_HAND: &str = "trades and quotes are read; if the rows are ticks all the same, say which column is \
                       what: --map 'time=COLUMN:UNIT,symbol=COLUMN,price=COLUMN,size=COLUMN'";

/// Refuses what the names of columns, or of the file, tell.
pub(super) fn by_names(sheet: &Sheet<'_>) -> Result<(), Refusal> {
    if !sheet.has_header() {
        return Ok(());
    }
    let is_quote = has_best(sheet);
    let kinds: [(&str, Option<Vec<usize>>); 8] = [
        ("bars, no ticks", bars(sheet).filter(|_| !is_quote)),
        ("levels of a book, no ticks", levels(sheet)),
        ("book updates, no trades", book_updates(sheet)),
        ("an options chain, no ticks", options_chain(sheet)),
        ("funding rates, no ticks", any(sheet, &["funding"]).filter(|_| !is_quote)),
        ("liquidations, no market trades", liquidations(sheet)),
        ("orders, no trades", orders(sheet)),
        ("an account's own records, no market trades", account(sheet).filter(|_| !is_quote)),
    ];
    match kinds.into_iter().find_map(|(kind, columns)| Some((kind, columns?))) {
        Some((kind, columns)) => {
            Err(Refusal::new(format!("holds {kind}: {}", shown(sheet, &columns)), BY_HAND))
        }
        None => Ok(()),
    }
}

/// `columns open, high, low, close (line 2: 1, 3, 0.5, 2)`.
fn shown(sheet: &Sheet<'_>, columns: &[usize]) -> String {
    let names: Vec<String> = columns.iter().map(|column| sheet.shown(*column)).collect();
    let row = &sheet.table.rows[0];
    let cells: Vec<String> =
        columns.iter().map(|column| row.fields[*column].chars().take(40).collect()).collect();
    let plural = if columns.len() == 1 { "" } else { "s" };
    format!("column{plural} {} (line {}: {})", names.join(", "), row.line, cells.join(", "))
}

/// Whether there are a bid and an ask.
pub(super) fn has_best(sheet: &Sheet<'_>) -> bool {
    let has = |is_ask: bool| {
        sheet.columns().any(|i| {
            book_column(sheet.plain_name(i)).is_some_and(|known| known.is_ask == is_ask && !known.is_size)
        })
    };
    has(false) && has(true)
}

fn any(sheet: &Sheet<'_>, parts: &[&str]) -> Option<Vec<usize>> {
    sheet.name_with(parts).map(|column| vec![column])
}

/// All of open, high and low, whatever stands before or behind: `Open Price`, `BidHigh`, `<LOW>`.
fn bars(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    let ends_with = |part: &str| {
        sheet.columns().find(|i| {
            let name = sheet.plain_name(*i);
            let name = name.strip_suffix("price").or_else(|| name.strip_suffix("px")).unwrap_or(name);
            name.ends_with(part) && !name.ends_with("flow")
                || name.starts_with(part) && name.len() == part.len() + 3
        })
    };
    let whole = ["open", "high", "low"].map(ends_with);
    let single = ["o", "h", "l", "c"].map(|name| sheet.columns().find(|i| sheet.name_is(*i, name)));
    let chinese =
        ["开盘价", "最高价", "最低价"].map(|name| sheet.columns().find(|i| sheet.name_is(*i, name)));
    let all = |found: &[Option<usize>]| found.iter().copied().collect::<Option<Vec<usize>>>();
    let mut columns = all(&whole).or_else(|| all(&single)).or_else(|| all(&chinese))?;
    columns.extend(ends_with("close").filter(|close| !columns.contains(close)));
    Some(columns)
}

fn book_updates(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    const NAMES: [&str; 12] = [
        "updatetype",
        "firstupdateid",
        "finalupdateid",
        "lastupdateid",
        "prevupdateid",
        "issnapshot",
        "entrypx",
        "isbid",
        "bookside",
        "mdupdateaction",
        "updateaction",
        "depthupdate",
    ];
    let named = sheet.named(&NAMES).next().map(|column| vec![column]);
    named.or_else(|| sided_levels(sheet))
}

/// Rows of one side each, of which some have size 0: a trade has a size, a level that is gone has none.
fn sided_levels(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    let side = sheet.named(&["side", "type", "bidask", "book"]).find(|column| {
        let is_side =
            |text: &str| ["bid", "ask", "bids", "asks", "b", "a", "offer"].contains(&&*text.to_lowercase());
        sheet.profiles[*column].all(is_side)
    })?;
    let size = sheet.named(names::SIZE).find(|column| sheet.profiles[*column].is_number)?;
    let is_book = |text: &str| ["bid", "ask", "bids", "asks", "offer", "a"].contains(&&*text.to_lowercase());
    let names_book = sheet.profiles[side].values.iter().any(|text| is_book(text));
    let has_none = sheet.profiles[size].numbers.contains(&Some(0.0));
    let has_trades = sheet.name_with(&["trade", "trd", "aggress", "taker", "tid"]).is_some();
    (names_book && (has_none || !has_trades)).then(|| vec![side, size])
}

fn levels(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    const NAMES: [&str; 8] =
        ["level", "lvl", "depth", "booklevel", "depthlevel", "percentage", "position", "mdentrytype"];
    let level = sheet.named(&NAMES).find(|column| sheet.profiles[*column].values.len() > 1)?;
    // A quote's own row may say how deep it is.
    (!has_best(sheet)).then(|| vec![level])
}

fn options_chain(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    const OTHERS: [&str; 20] = [
        "expiry",
        "expiration",
        "expirationdate",
        "expirydate",
        "exdate",
        "maturity",
        "iv",
        "impliedvolatility",
        "impliedvol",
        "markiv",
        "delta",
        "gamma",
        "theta",
        "vega",
        "openinterest",
        "right",
        "callput",
        "optiontype",
        "putcall",
        "cpflag",
    ];
    let strike = sheet.name_with(&["strike"])?;
    let other = sheet.named(&OTHERS).next()?;
    Some(vec![strike, other])
}

fn liquidations(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    let file = sheet.file.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let by_file = file.contains("liquidation") || file.contains("forceorder");
    let force = sheet
        .named(&["timeinforce", "averageprice", "orderstatus", "liquidationprice", "liquidatedside"])
        .next();
    let status = sheet.named(&["orderstatus", "averageprice"]).next();
    match (by_file, force, status) {
        (true, ..) => Some(vec![force.unwrap_or(0)]),
        (_, Some(force), Some(status)) if force != status => Some(vec![force, status]),
        _ => any(sheet, &["liquidationprice", "liquidatedside", "liquidationorder"]),
    }
}

/// An order's id beside what became of it.
fn orders(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    const STATES: [&str; 24] = [
        "new",
        "add",
        "added",
        "cancel",
        "canceled",
        "cancelled",
        "modify",
        "modified",
        "replace",
        "replaced",
        "delete",
        "deleted",
        "open",
        "limit",
        "pending",
        "rejected",
        "expired",
        "submitted",
        "partiallyfilled",
        "partial",
        "stop",
        "accepted",
        "received",
        "done",
    ];
    let order = sheet.columns().find(|i| {
        let name = sheet.plain_name(*i);
        name.contains("order") && !name.contains("type") && !name.contains("maker") && !name.contains("taker")
            || name == "oid"
    })?;
    let state = sheet.named(&[
        "status",
        "state",
        "orderstatus",
        "orderstate",
        "action",
        "event",
        "eventtype",
        "ordertype",
        "type",
        "msgtype",
    ]);
    let is_state = |text: &String| STATES.contains(&&*text.to_lowercase().replace(['_', ' ', '-'], ""));
    let is_code = |text: &String| ["A", "C", "M", "D", "X", "U"].contains(&text.as_str());
    let mut states = state.filter(|column| *column != order);
    let state = states.find(|column| {
        let values = &sheet.profiles[*column].values;
        values.iter().any(is_state) || values.len() > 1 && values.iter().any(is_code)
    })?;
    Some(vec![order, state])
}

fn account(sheet: &Sheet<'_>) -> Option<Vec<usize>> {
    const NAMES: [&str; 24] = [
        "fee",
        "fees",
        "feecurrency",
        "feecoin",
        "feeamount",
        "commission",
        "commissionasset",
        "realizedpnl",
        "realisedpnl",
        "pnl",
        "profit",
        "balance",
        "walletbalance",
        "equity",
        "available",
        "locked",
        "free",
        "margin",
        "deposit",
        "withdrawal",
        "leverage",
        "unrealizedpnl",
        "credit",
        "debit",
    ];
    sheet.named(&NAMES).next().map(|column| vec![column])
}

/// Refuses what texts tell: a log says in every row how grave it is, or which method a request had.
pub(super) fn by_texts(sheet: &Sheet<'_>) -> Result<(), Refusal> {
    match sheet.columns().find(|column| sheet.profiles[*column].all(is_of_log)) {
        None => Ok(()),
        Some(column) => {
            Err(Refusal::new(format!("holds a log, no ticks: {}", shown(sheet, &[column])), BY_HAND))
        }
    }
}

/// Refuses what the values tell: four columns of which one is the highest and one the lowest in every row.
pub(super) fn by_values(sheet: &Sheet<'_>) -> Result<(), Refusal> {
    if sheet.has_header() {
        return Ok(());
    }
    let is_price = |column: &usize| {
        let profile = &sheet.profiles[*column];
        profile.is_number && profile.moment.is_none()
    };
    let columns: Vec<usize> = sheet.columns().filter(is_price).collect();
    match columns.windows(4).find(|window| are_bars(sheet, window)) {
        Some(window) => {
            let bars = shown(sheet, window);
            Err(Refusal::new(
                format!("holds bars, no ticks: of {bars} one is the highest and one the lowest in every row"),
                BY_HAND,
            ))
        }
        None => Ok(()),
    }
}

fn is_of_log(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "trace", "debug", "info", "notice", "warn", "warning", "error", "err", "critical", "fatal", "get",
        "post", "put", "delete",
    ];
    WORDS.contains(&&*text.trim_matches(['[', ']']).to_lowercase())
}

/// Open, high, low, close, or open, close, high, low.
fn are_bars(sheet: &Sheet<'_>, window: &[usize]) -> bool {
    let rows = 0..sheet.table.rows.len();
    let values = |row: usize| -> Option<[f64; 4]> {
        let value = |place: usize| sheet.profiles[window[place]].numbers[row];
        Some([value(0)?, value(1)?, value(2)?, value(3)?])
    };
    let rows: Vec<[f64; 4]> = rows.filter_map(values).collect();
    let holds = |high: usize, low: usize| {
        rows.iter().all(|row| {
            row.iter().all(|price| row[low] <= *price && *price <= row[high]) && row[high] <= row[low] * 1.5
        })
    };
    let moves = rows.iter().any(|row| row.iter().any(|price| *price != row[0]));
    let is_near = rows.iter().all(|row| row[0] > 0.0);
    is_near && moves && rows.len() > 1 && (holds(1, 2) || holds(2, 3))
}

/// Rows that come at one distance of a minute or more are samples.
pub(super) fn evenly_spaced(sheet: &Sheet<'_>, times: &[Option<u64>]) -> Result<(), Refusal> {
    const MINUTE: u64 = 60_000_000_000;
    let mut known: Vec<u64> = times.iter().copied().flatten().collect();
    known.dedup();
    let step = known.first().zip(known.get(1)).map(|(first, second)| first.abs_diff(*second));
    let step = step.filter(|step| *step >= MINUTE && step.is_multiple_of(1_000_000_000));
    let even = step.filter(|step| known.windows(2).all(|pair| pair[0].abs_diff(pair[1]) == *step));
    match even.filter(|_| known.len() >= if sheet.has_header() { 10 } else { 5 }) {
        Some(step) => Err(Refusal::new(
            format!("holds bars or samples, no ticks: its rows are exactly {} s apart", step / 1_000_000_000),
            BY_HAND,
        )),
        None => Ok(()),
    }
}
