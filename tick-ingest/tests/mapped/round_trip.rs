//! What is written in any form of table is read back as it was.

use proptest::prelude::*;
use tick_ingest::Batch;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Side, Tick};

use crate::{options, read};

/// How a table is written, beside its rows.
#[derive(Clone, Debug)]
struct Form {
    delimiter: char,
    header: bool,
    preamble: Vec<String>,
    comment: bool,
    trailer: bool,
    ragged: bool,
    decimal_comma: bool,
    thousands: Option<char>,
    price_scale: i8,
    size_scale: i8,
    /// Every field is quoted, not only those that need it.
    quoted: bool,
    /// How far the columns are turned around.
    turn: usize,
    line_break: &'static str,
}

/// Of a tick of the table: what odd things stand around its row.
#[derive(Clone, Copy, Debug)]
struct Around {
    comment: bool,
    header: bool,
    trailer: bool,
    /// Empty fields beyond the last column, or 0 where the last one lacks.
    surplus: usize,
    blanks: bool,
}

fn form() -> impl Strategy<Value = Form> {
    let delimiter = prop_oneof![Just(','), Just(';'), Just('\t'), Just('|'), Just(' '), Just('^'), Just('~')];
    let thousands = proptest::option::of(prop_oneof![Just(' '), Just('\''), Just('_')]);
    let scale = || prop_oneof![3 => Just(0i8), 1 => -9i8..=9, 1 => -18i8..=18];
    let preamble = proptest::collection::vec("[a-z,;\"# ]{0,12}", 0..4);
    let line_break = prop_oneof![Just("\n"), Just("\r\n")];
    (delimiter, preamble, thousands, scale(), scale(), any::<[bool; 6]>(), 0usize..9, line_break).prop_map(
        |(delimiter, preamble, thousands, price_scale, size_scale, flags, turn, line_break)| {
            let [header, comment, trailer, ragged, decimal_comma, quoted] = flags;
            let other = if decimal_comma { '.' } else { ',' };
            let thousands = thousands.map(|c| if c == '_' { other } else { c });
            Form {
                delimiter,
                header,
                preamble,
                comment,
                trailer,
                ragged,
                decimal_comma,
                thousands,
                price_scale,
                size_scale,
                quoted,
                turn,
                line_break,
            }
        },
    )
}

fn around() -> impl Strategy<Value = Around> {
    (any::<[bool; 4]>(), 0usize..4).prop_map(|([comment, header, trailer, blanks], surplus)| Around {
        comment,
        header,
        trailer,
        surplus,
        blanks,
    })
}

fn symbol() -> impl Strategy<Value = String> {
    "[A-Zé0-9 ,;|.\"'^~/-]{1,8}"
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("is a symbol", |text| !text.is_empty())
}

impl Form {
    /// `raw` units as the number of a column of this scale.
    fn number(&self, raw: i128, scale: i8) -> String {
        let decimals = if scale < -9 { -scale } else { 9 + scale };
        let decimals = usize::from(decimals.unsigned_abs());
        let digits = format!("{:0>width$}", raw.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let fraction = fraction.trim_end_matches('0');
        let whole = match self.thousands {
            None => whole.to_owned(),
            Some(separator) => {
                let groups = whole.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group));
                groups.collect::<Vec<_>>().join(&separator.to_string())
            }
        };
        let sign = if raw < 0 { "-" } else { "" };
        let mark = if self.decimal_comma { ',' } else { '.' };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}{mark}{fraction}") }
    }

    fn field(&self, text: &str, blanks: bool) -> String {
        if self.quoted || text.contains(self.delimiter) || text.contains('"') {
            return format!("\"{}\"", text.replace('"', "\"\""));
        }
        if blanks && self.delimiter != ' ' { format!(" {text} ") } else { text.to_owned() }
    }

    /// A line of the columns' texts, which end with one that nobody needs.
    fn line(&self, texts: &[String], around: Around) -> String {
        let mut fields: Vec<String> = texts.iter().map(|text| self.field(text, around.blanks)).collect();
        let turn = self.turn % fields.len();
        fields.rotate_left(turn);
        if self.ragged {
            fields.push("note".to_owned());
            if around.surplus == 0 {
                fields.pop();
            }
            fields.extend((1..around.surplus.max(1)).map(|_| String::new()));
        }
        fields.join(&self.delimiter.to_string()) + self.line_break
    }

    /// The whole table, of columns of these names.
    fn table(&self, names: &[&str], rows: &[(Vec<String>, Around)]) -> String {
        let plain = Around { comment: false, header: false, trailer: false, surplus: 1, blanks: false };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let header = if self.header { self.line(&names, plain) } else { String::new() };
        let preamble = self.preamble.iter().map(|line| format!("{line}{}", self.line_break));
        let mut text: String = preamble.collect();
        if self.comment {
            text += "// a comment, with \"a quote\n";
        }
        text += &header;
        if !self.header {
            // The first line says how many columns there are.
            let (texts, around) = &rows[0];
            text += &self.line(texts, Around { surplus: 1, ..*around });
        }
        for (texts, around) in &rows[usize::from(!self.header)..] {
            text += if self.comment && around.comment { "// comment\n" } else { "" };
            text += if self.trailer && around.trailer { "@end 7\n" } else { "" };
            text += if around.header { &header } else { "" };
            text += &self.line(texts, *around);
        }
        text
    }

    /// The mapping of columns of these keys, in the table's order.
    fn mapping(&self, keys: &[&str]) -> String {
        let columns = keys.len();
        let turn = self.turn % columns;
        let mut items = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let place = (i + columns - turn) % columns + 1;
            let column = if self.header { format!("c-{key}") } else { format!("#{place}") };
            let end = match *key {
                "time" => ":ns".to_owned(),
                "price" | "bid" | "ask" => format!(":1e{}", self.price_scale),
                "size" | "bid_size" | "ask_size" => format!(":1e{}", self.size_scale),
                _ => String::new(),
            };
            items.push(format!("{key}={column}{end}"));
        }
        let delimiter = match self.delimiter {
            '\t' => "tab".to_owned(),
            ' ' => "space".to_owned(),
            ',' => "comma".to_owned(),
            other => other.to_string(),
        };
        items.push(format!("delimiter={delimiter},skip={}", self.preamble.len()));
        items.push(format!("decimal={}", if self.decimal_comma { "comma" } else { "point" }));
        let thousands = [(',', "comma"), ('.', "point"), (' ', "space"), ('\'', "apostrophe")];
        let thousands = thousands.iter().find(|(c, _)| self.thousands == Some(*c));
        items.extend(thousands.map(|(_, name)| format!("thousands={name}")));
        items.extend(self.comment.then(|| "comment=//".to_owned()));
        items.extend(self.trailer.then(|| "trailer=@end".to_owned()));
        items.extend(self.ragged.then(|| "ragged=yes".to_owned()));
        items.join(",")
    }
}

fn price() -> impl Strategy<Value = i64> {
    let range = -i64::MAX + 1..i64::MAX;
    prop_oneof![range, -1_000_000_000_000i64..1_000_000_000_000, -100i64..100]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0u64..1_000_000_000_000, Just(u64::MAX), Just(0)]
}

/// Ticks with their symbols' names, as ids depend on the order of appearance.
fn named(batch: &Batch) -> Vec<(Tick, String)> {
    let name = |tick: &Tick| batch.new_symbols[tick.instrument as usize].symbol.clone();
    batch.ticks.iter().map(|tick| (tick.of(0), name(tick))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn trades_come_back_from_any_table(
        form in form(),
        rows in proptest::collection::vec((1u64..4_000_000_000_000_000_000, symbol(), price(), size(), 0u8..3, around()), 1..8),
    ) {
        let keys = ["time", "symbol", "price", "size", "side"];
        let start = 1_700_000_000_000_000_000;
        let mut ticks = Vec::new();
        let mut written = Vec::new();
        for (i, (time, symbol, price, size, side, around)) in rows.into_iter().enumerate() {
            let time = start + time % 1_000_000_000_000_000 + i as u64;
            // A trade of nothing is none.
            let price = if size == 0 && price == 0 { 1 } else { price };
            let (side, side_text) = [(Side::NONE, ""), (Side::BUY, "buy"), (Side::SELL, "S")][usize::from(side)];
            written.push((
                vec![
                    time.to_string(),
                    symbol.clone(),
                    form.number(price.into(), form.price_scale),
                    form.number(size.into(), form.size_scale),
                    side_text.to_owned(),
                ],
                around,
            ));
            ticks.push((Tick::trade(time, time, price, size, side), symbol));
        }
        let names = keys.map(|key| format!("c-{key}"));
        let text = form.table(&names.each_ref().map(|name| &**name), &written);
        let map = form.mapping(&keys);
        let batch = read(&text, &options(&map)).map_err(|error| TestCaseError::fail(format!("{map}\n{text}\n{error}")))?;
        prop_assert_eq!(named(&batch), ticks, "{}\n{}", map, text);
        prop_assert_eq!((batch.counts.rounded, batch.counts.saturated_sizes), (0, 0));
    }

    #[test]
    fn quotes_come_back_from_any_table(
        form in form(),
        rows in proptest::collection::vec(
            (symbol(), [proptest::option::of((price(), size())), proptest::option::of((price(), size()))], 0usize..5, around()),
            1..8,
        ),
    ) {
        let keys = ["time", "symbol", "bid", "bid_size", "ask", "ask_size"];
        let mut ticks = Vec::new();
        let mut written = Vec::new();
        for (i, (symbol, sides, absent, around)) in rows.into_iter().enumerate() {
            let time = 1_700_000_000_000_000_000 + i as u64;
            let mut texts = vec![time.to_string(), symbol.clone()];
            for (kind, side) in [Kind::BID, Kind::ASK].into_iter().zip(sides) {
                // Price 0 with size 0 is how an absent side is written.
                let side = side.filter(|side| *side != (0, 0));
                match side {
                    Some((price, size)) => {
                        texts.push(form.number(price.into(), form.price_scale));
                        texts.push(form.number(size.into(), form.size_scale));
                    }
                    None => {
                        let [price, size] = [["", ""], ["NaN", "NaN"], ["null", "0"], ["0", "0"], ["-", ""]][absent];
                        texts.extend([price.to_owned(), size.to_owned()]);
                    }
                }
                let (price, size) = side.unwrap_or((UNDEFINED_PRICE, 0));
                let tick = Tick::quote(kind, time, time, price, size);
                ticks.push((if kind == Kind::ASK { tick.last() } else { tick }, symbol.clone()));
            }
            written.push((texts, around));
        }
        let names = keys.map(|key| format!("c-{key}"));
        let text = form.table(&names.each_ref().map(|name| &**name), &written);
        let map = form.mapping(&keys);
        let batch = read(&text, &options(&map)).map_err(|error| TestCaseError::fail(format!("{map}\n{text}\n{error}")))?;
        prop_assert_eq!(named(&batch), ticks, "{}\n{}", map, text);
    }

    /// Another style's text is refused or says the same number: it never becomes another one.
    #[test]
    fn a_number_of_another_style_is_never_another_number(
        raw in price(),
        writer in form(),
        comma in any::<bool>(),
        thousands in proptest::option::of(prop_oneof![Just("space"), Just("apostrophe"), Just("other")]),
    ) {
        let text = Form { delimiter: ';', ..writer }.number(raw.into(), 0);
        let thousands = thousands.map(|name| if name != "other" { name } else if comma { "point" } else { "comma" });
        let style = format!(
            "decimal={}{}",
            if comma { "comma" } else { "point" },
            thousands.map(|name| format!(",thousands={name}")).unwrap_or_default(),
        );
        let options = options(&format!("time=#1:ns,symbol=#2,price=#3,delimiter=;,{style}"));
        let Ok(batch) = read(&format!("1700000000000000000;A;{text}\n"), &options) else { return Ok(()) };
        // 1.234 and 1,234 are both a number with decimals and one with thousands: that is for the mapping to say.
        let marks: Vec<char> = text.chars().filter(|c| matches!(c, '.' | ',')).collect();
        let groups = text.trim_start_matches('-').split(['.', ',']).map(str::len).collect::<Vec<_>>();
        let is_ambiguous = marks.len() == 1 && groups[1] == 3 && groups[0] <= 3;
        if !is_ambiguous {
            prop_assert_eq!(batch.ticks[0].price, raw, "{} by {}", text, style);
        }
    }
}
