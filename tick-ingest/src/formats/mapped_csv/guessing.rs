//! A guess at the mapping of an unknown CSV, from its first lines.

use super::codes::{aggressor, taker};
use super::guess::Guess;
use super::mapping::{Aggressor, Column, Mapping, Rows, TimeColumn};
use super::reader::MappedCsv;
use crate::formats::csv::fields::{self, QuotedFields};
use crate::formats::csv::header::first_lines;
use crate::formats::csv::limits::MAX_COLUMNS;
use crate::formats::time_text::TimeFormat;
use crate::lines::LineParser;
use crate::{Batch, ReadOptions};

/// How many lines are looked at.
const LINES: usize = 50;

/// Patterns of times that are tried where a time is neither a number nor RFC 3339.
const PATTERNS: [&str; 9] = [
    "%Y%m%d %H:%M:%S%.f",
    "%Y%m%d %H%M%S",
    "%Y%m%d%H%M%S",
    "%Y.%m.%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
];

/// Guesses delimiter, header, columns and time unit from the first bytes of the file `name`; `None`
/// where no mapping would read its first lines.
pub fn guess(name: &str, head: &[u8], options: &ReadOptions) -> Option<Guess> {
    let lines: Vec<&[u8]> = first_lines(head).take(LINES).collect();
    b",;\t| ".iter().find_map(|delimiter| {
        let table = Table::cut(&lines, *delimiter)?;
        table.guess(name, &lines, options)
    })
}

/// The first lines, cut into columns.
struct Table {
    delimiter: u8,
    /// Names in lower case without punctuation; `None` where there is no header.
    header: Option<Vec<String>>,
    /// As written, for the mapping.
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn cut(lines: &[&[u8]], delimiter: u8) -> Option<Self> {
        let cut = |line: &&[u8]| -> Option<Vec<String>> {
            let fields = QuotedFields::new(line, delimiter).take(MAX_COLUMNS + 1);
            fields.map(|field| field.ok().map(|field| field.text())).collect()
        };
        let first = cut(lines.first()?)?;
        if !(2..=MAX_COLUMNS).contains(&first.len()) {
            return None;
        }
        let rows: Vec<_> = lines[1..].iter().filter_map(cut).filter(|row| row.len() == first.len()).collect();
        // A header has no numbers; a row without any is not a tick.
        let is_header = !first.iter().any(|text| is_number(text) || time_format(text).is_some());
        if is_header {
            let plain = |name: &String| name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
            let header = Some(first.iter().map(plain).collect());
            return Some(Self { delimiter, header, names: first, rows });
        }
        let rows = std::iter::once(first).chain(rows).collect();
        Some(Self { delimiter, header: None, names: Vec::new(), rows })
    }

    fn guess(&self, name: &str, lines: &[&[u8]], options: &ReadOptions) -> Option<Guess> {
        let mut notes = Vec::new();
        let mut mapping = match self.header {
            Some(_) => self.by_names(&mut notes)?,
            None => self.by_values(&mut notes)?,
        };
        if mapping.symbol.is_some() && options.symbol.is_some() {
            mapping.symbol = None;
        }
        if mapping.symbol.is_none() && options.symbol.is_none() {
            notes.push("no column looks like a symbol: give it with --symbol".to_owned());
        }
        self.try_out(name, lines, &mapping, options)?;
        Some(Guess { mapping, notes })
    }

    /// A guess that cannot read the lines it was made from is none.
    fn try_out(&self, name: &str, lines: &[&[u8]], mapping: &Mapping, options: &ReadOptions) -> Option<()> {
        let symbol = options.symbol.clone().or_else(|| Some("SYMBOL".to_owned()));
        let options = ReadOptions { symbol, ..ReadOptions::default() };
        let mut reader = MappedCsv::new(name, lines.first()?, mapping, &options).ok()?;
        let mut batch = Batch::default();
        let least = usize::from(mapping.header) + 1;
        let good = lines.iter().take_while(|line| reader.line(line, &mut batch).is_ok()).count();
        (good >= least.min(lines.len())).then_some(())
    }

    fn column(&self, index: usize) -> Column {
        match self.names.get(index) {
            Some(name)
                if self.names.iter().filter(|other| *other == name).count() == 1 && !name.is_empty() =>
            {
                Column::Name(name.clone())
            }
            _ => Column::Number(index + 1),
        }
    }

    /// The first column that has one of these names, the likeliest name first.
    fn named(&self, names: &[&str]) -> Option<usize> {
        let header = self.header.as_ref()?;
        names.iter().find_map(|name| header.iter().position(|known| known == name))
    }

    fn time_column(&self, index: usize) -> Option<TimeColumn> {
        let text = self.rows.iter().map(|row| &row[index]).find(|text| !text.is_empty())?;
        Some(TimeColumn { column: self.column(index), format: time_format(text)? })
    }

    fn by_names(&self, notes: &mut Vec<String>) -> Option<Mapping> {
        const TIME: &[&str] = &[
            "tsevent",
            "eventtime",
            "transacttime",
            "transactiontime",
            "tradetime",
            "timestamp",
            "time",
            "datetime",
            "ts",
            "exchangetime",
            "exchangetimestamp",
            "exchts",
            "date",
            "t",
            "localtime",
        ];
        const RECV: &[&str] = &[
            "tsrecv",
            "recv",
            "recvtime",
            "receivetime",
            "receivedtime",
            "recvts",
            "localtimestamp",
            "localts",
            "localtime",
            "receivetimestamp",
            "captureTime",
            "capturetime",
        ];
        const SYMBOL: &[&str] =
            &["symbol", "sym", "instrument", "ticker", "pair", "product", "productid", "market", "s"];
        const MAKER: &[&str] = &["isbuyermaker", "buyerismaker", "buyermaker", "ismaker", "m", "maker"];
        const SIDE: &[&str] =
            &["side", "aggressor", "aggressorside", "takerside", "direction", "buysell", "type"];
        let time = self.named(TIME).and_then(|i| self.time_column(i)).or_else(|| self.any_time(notes))?;
        let recv =
            self.named(RECV).and_then(|i| self.time_column(i)).filter(|recv| recv.column != time.column);
        let optional = |names: &[&str]| self.named(names).map(|i| self.column(i));
        let quote = (
            self.named(&["bid", "bidprice", "bidpx", "bestbid", "bestbidprice", "bidpx00", "b"]),
            self.named(&[
                "ask",
                "askprice",
                "askpx",
                "offer",
                "offerprice",
                "bestask",
                "bestaskprice",
                "askpx00",
                "a",
            ]),
        );
        let rows = if let Some(price) =
            self.named(&["price", "px", "tradeprice", "last", "lastprice", "rate", "p"])
        {
            let maker = self.named(MAKER).filter(|i| self.all(*i, |text| taker(text.as_bytes()).is_ok()));
            let side = self.named(SIDE).filter(|i| self.all(*i, |text| aggressor(text.as_bytes()).is_ok()));
            let aggressor = match (maker, side) {
                (Some(maker), _) => Aggressor::BuyerIsMaker(self.column(maker)),
                (None, Some(side)) => Aggressor::Side(self.column(side)),
                (None, None) => Aggressor::Unknown,
            };
            let size = optional(&[
                "size",
                "qty",
                "quantity",
                "amount",
                "volume",
                "vol",
                "tradesize",
                "lastsize",
                "q",
                "v",
            ]);
            Rows::Trades { price: self.column(price), size, aggressor }
        } else {
            let (bid, ask) = (quote.0?, quote.1?);
            Rows::Quotes {
                bid: self.column(bid),
                bid_size: optional(&[
                    "bidsize",
                    "bidqty",
                    "bidquantity",
                    "bidamount",
                    "bestbidqty",
                    "bestbidsize",
                    "bidsz",
                    "bidsz00",
                    "bidvolume",
                ]),
                ask: self.column(ask),
                ask_size: optional(&[
                    "asksize",
                    "askqty",
                    "askquantity",
                    "askamount",
                    "bestaskqty",
                    "bestasksize",
                    "asksz",
                    "asksz00",
                    "askvolume",
                    "offersize",
                ]),
            }
        };
        if matches!(rows, Rows::Trades { size: None, .. } | Rows::Quotes { bid_size: None, .. }) {
            notes.push("no column looks like a size: sizes will be 0".to_owned());
        }
        let symbol = optional(SYMBOL);
        Some(Mapping { time, recv, symbol, rows, delimiter: self.delimiter, header: true })
    }

    /// Without names: the first column of times, then prices and sizes in their usual order.
    fn by_values(&self, notes: &mut Vec<String>) -> Option<Mapping> {
        let columns = self.rows.first()?.len();
        let time = self.any_time(notes)?;
        let Column::Number(time_at) = time.column else { return None };
        let is_time = |i: &usize| self.all(*i, |text| time_format(text).is_some());
        let recv = (time_at..columns).find(is_time).and_then(|i| self.time_column(i));
        let is_name = |i: usize| self.all(i, |text| text.starts_with(|c: char| c.is_alphabetic()));
        let is_flag = |i: usize| self.all(i, |text| matches!(text.to_lowercase().as_str(), "true" | "false"));
        let is_side = |i: usize| is_name(i) && self.all(i, |text| aggressor(text.as_bytes()).is_ok());
        let numbers: Vec<usize> =
            (0..columns).filter(|i| !is_time(i) && self.all(*i, is_number) && !self.is_counter(*i)).collect();
        let rows = match numbers[..] {
            [bid, bid_size, ask, ask_size] => Rows::Quotes {
                bid: self.column(bid),
                bid_size: Some(self.column(bid_size)),
                ask: self.column(ask),
                ask_size: Some(self.column(ask_size)),
            },
            [price, ..] => Rows::Trades {
                price: self.column(price),
                size: numbers.get(1).map(|i| self.column(*i)),
                aggressor: match ((0..columns).find(|i| is_flag(*i)), (0..columns).find(|i| is_side(*i))) {
                    (Some(i), _) => Aggressor::BuyerIsMaker(self.column(i)),
                    (None, Some(i)) => Aggressor::Side(self.column(i)),
                    (None, None) => Aggressor::Unknown,
                },
            },
            [] => return None,
        };
        notes.push("there is no header: check which column is what".to_owned());
        let symbol =
            (0..columns).find(|i| is_name(*i) && !is_side(*i) && !is_flag(*i)).map(|i| self.column(i));
        Some(Mapping { time, recv, symbol, rows, delimiter: self.delimiter, header: false })
    }

    fn any_time(&self, notes: &mut Vec<String>) -> Option<TimeColumn> {
        let columns = self.rows.first()?.len();
        let at = (0..columns).find(|i| self.all(*i, |text| time_format(text).is_some()))?;
        notes.push(format!("column {} is taken for the time because of its values", self.column(at)));
        self.time_column(at)
    }

    fn all(&self, column: usize, is: impl Fn(&str) -> bool) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| is(&row[column]))
    }

    /// A column of whole numbers that rise by one is an id, not a price.
    fn is_counter(&self, column: usize) -> bool {
        let numbers: Option<Vec<u64>> =
            self.rows.iter().map(|row| fields::parse_digits(row[column].as_bytes())).collect();
        numbers
            .is_some_and(|ids| ids.len() > 1 && ids.windows(2).all(|pair| pair[0].wrapping_add(1) == pair[1]))
    }
}

fn is_number(text: &str) -> bool {
    fields::price(text.as_bytes(), "").is_ok()
}

/// The unit of a time between 2001 and 2286, by its magnitude.
fn time_format(text: &str) -> Option<TimeFormat> {
    let whole = text.split('.').next().unwrap_or(text);
    if let Some(number) = fields::parse_digits(whole.as_bytes()) {
        let by_magnitude = match number {
            1_000_000_000..10_000_000_000 => Some(TimeFormat::Seconds),
            1_000_000_000_000..10_000_000_000_000 => Some(TimeFormat::Millis),
            1_000_000_000_000_000..10_000_000_000_000_000 => Some(TimeFormat::Micros),
            1_000_000_000_000_000_000..10_000_000_000_000_000_000 => Some(TimeFormat::Nanos),
            _ => None,
        };
        if by_magnitude.as_ref().is_some_and(|format| format.parse(text.as_bytes()).is_ok()) {
            return by_magnitude;
        }
    }
    let patterns = PATTERNS.iter().filter_map(|pattern| pattern.parse().ok());
    let plausible = |ns: u64| (300_000_000_000_000_000..10_000_000_000_000_000_000).contains(&ns);
    // A date alone is RFC 3339's and no number.
    let rfc3339 = std::iter::once(TimeFormat::Rfc3339).filter(|_| text.contains('-'));
    rfc3339.chain(patterns).find(|format| format.parse(text.as_bytes()).is_ok_and(plausible))
}
