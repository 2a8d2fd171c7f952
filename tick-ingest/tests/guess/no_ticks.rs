//! Generated tables that hold no ticks: each is refused, and by what it is.

use super::refused;

/// A small generator of numbers, so that every run sees the same tables.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len() as u64) as usize]
    }

    /// A time some seconds after another, in one of the usual ways to write it.
    fn time(&mut self, style: u64, seconds: u64) -> String {
        let ms = 1_717_200_000_000 + seconds * 1000 + self.roll(1000);
        match style {
            0 => (ms / 1000).to_string(),
            1 => ms.to_string(),
            2 => format!(
                "2024-06-{:02} {:02}:{:02}:{:02}.{:03}",
                1 + seconds / 86_400,
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60,
                ms % 1000
            ),
            _ => format!(
                "2024-06-{:02}T{:02}:{:02}:{:02}Z",
                1 + seconds / 86_400,
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60
            ),
        }
    }

    fn table(&mut self, header: &str, mut row: impl FnMut(&mut Self, u64) -> String) -> String {
        let delimiter = self.pick(&[",", ";", "\t"]);
        let rows = 5 + self.roll(40);
        let mut text = if header.is_empty() { String::new() } else { format!("{header}\n") };
        let mut seconds = 34_200;
        for i in 0..rows {
            seconds += 1 + self.roll(50);
            let time = seconds * 1000 + i;
            text.push_str(&row(self, time / 1000));
            text.push('\n');
        }
        text.replace('|', delimiter)
    }
}

fn bars(dice: &mut Dice) -> (String, &'static str) {
    let header = dice.pick(&[
        "time|open|high|low|close|volume",
        "timestamp|symbol|Open|High|Low|Close|Volume",
        "Date|Open Price|High Price|Low Price|Close Price|Shares",
        "t|o|h|l|c|v",
        "DateTime|BidOpen|BidHigh|BidLow|BidClose|Volume",
        "",
    ]);
    let has_symbol = header.contains("symbol");
    let style = dice.roll(4);
    let text = dice.table(header, |dice, seconds| {
        let open = 1000 + dice.roll(100) as i64;
        let close = open + dice.roll(20) as i64 - 10;
        let high = open.max(close) + dice.roll(5) as i64;
        let low = open.min(close) - dice.roll(5) as i64 - 1;
        let price = |cents: i64| format!("{}.{:02}", cents / 10, cents % 10 * 10);
        let symbol = if has_symbol { "AAPL|" } else { "" };
        let time = dice.time(style, seconds);
        format!(
            "{time}|{symbol}{}|{}|{}|{}|{}",
            price(open),
            price(high),
            price(low),
            price(close),
            dice.roll(10_000)
        )
    });
    (text, "bars, no ticks")
}

fn book_updates(dice: &mut Dice) -> (String, &'static str) {
    let (header, reason) = dice.pick_pair(&[
        ("timestamp|symbol|side|update_type|price|qty", "book updates, no trades"),
        ("timestamp|symbol|side|is_snapshot|price|amount", "book updates, no trades"),
        ("time|symbol|side|level|price|size", "levels of a book, no ticks"),
        ("ts|symbol|type|row|price|size", "book updates, no trades"),
    ]);
    let style = dice.roll(4);
    let text = dice.table(header, |dice, seconds| {
        let time = dice.time(style, seconds);
        let side = dice.pick(&["bid", "ask"]);
        let what = if header.contains("update_type") {
            dice.pick(&["set", "snap"]).to_owned()
        } else {
            dice.roll(25).to_string()
        };
        format!("{time}|BTCUSDT|{side}|{what}|{}.5|{}", 67_000 + dice.roll(100), dice.roll(3))
    });
    (text, reason)
}

fn orders(dice: &mut Dice) -> (String, &'static str) {
    let header = dice.pick(&[
        "time|symbol|order_id|status|price|qty",
        "timestamp|symbol|orderNo|action|price|size",
        "ts|symbol|client_order_id|type|price|quantity",
    ]);
    let text = dice.table(header, |dice, seconds| {
        let state = dice.pick(&["NEW", "CANCELED", "PARTIALLY_FILLED"]);
        format!(
            "{}|ETHUSDT|{}|{state}|{}.1|{}",
            dice.time(1, seconds),
            10_000_000 + dice.roll(1000),
            3800 + dice.roll(10),
            1 + dice.roll(5)
        )
    });
    (text, "orders, no trades")
}

fn ids(dice: &mut Dice) -> (String, &'static str) {
    let header = dice.pick(&["id|price|size", "trade_id|price|qty", "seq|px|sz", ""]);
    let first = 1_073_391_187 + dice.roll(1000);
    let mut i = 0;
    let jumps = dice.roll(2) == 0;
    let text = dice.table(header, |dice, _| {
        i += 1;
        let id = if jumps { first + i * 70_000_000 % 800_000_000 } else { i };
        format!("{id}|{}.25|{}", 100 + dice.roll(3), 1 + dice.roll(9))
    });
    (text, "no column holds times")
}

fn logs(dice: &mut Dice) -> (String, &'static str) {
    let (header, reason) =
        dice.pick_pair(&[("time|level|component|took_ms|count", "a log, no ticks"), ("", "a log, no ticks")]);
    let style = dice.roll(4);
    let text = dice.table(header, |dice, seconds| {
        let level = dice.pick(&["INFO", "WARN", "ERROR"]);
        let part = dice.pick(&["db", "web", "queue"]);
        format!("{}|{level}|{part}|{}|{}", dice.time(style, seconds), dice.roll(1000), dice.roll(5000))
    });
    (text, reason)
}

fn balances(dice: &mut Dice) -> (String, &'static str) {
    let header = dice.pick(&[
        "time|asset|free|locked",
        "Date(UTC)|Pair|Price|Executed|Fee",
        "timestamp|coin|balance|price",
        "time|symbol|price|qty|commission",
        "ts|account|equity|margin",
    ]);
    let columns = header.matches('|').count();
    let style = dice.roll(4);
    let text = dice.table(header, |dice, seconds| {
        let numbers: Vec<String> = (1..columns).map(|_| format!("{}.5", 1 + dice.roll(1000))).collect();
        format!("{}|BTC|{}", dice.time(style, seconds), numbers.join("|"))
    });
    (text, "an account's own records")
}

fn weather(dice: &mut Dice) -> (String, &'static str) {
    let header = dice.pick(&[
        "time|temperature|humidity",
        "timestamp|station|wind|pressure",
        "datetime|latitude|longitude|altitude",
        "time|sensor|value",
        "date_time|steps|heart_rate",
    ]);
    let columns = header.matches('|').count();
    let style = dice.roll(4);
    let text = dice.table(header, |dice, seconds| {
        let numbers: Vec<String> =
            (0..columns).map(|_| format!("{}.{}", 15 + dice.roll(10), dice.roll(10))).collect();
        format!("{}|{}", dice.time(style, seconds), numbers.join("|"))
    });
    (text, "no column is by its name a price")
}

fn samples(dice: &mut Dice) -> (String, &'static str) {
    let minutes = 1 + dice.roll(60);
    let mut i = 0;
    let text = dice.table("", |dice, _| {
        i += 1;
        format!("{}|{}.5|{}", 1_717_200_000 + i * minutes * 60, 15 + dice.roll(3), 60 + dice.roll(5))
    });
    (text, "exactly")
}

fn measures(dice: &mut Dice) -> (String, &'static str) {
    let columns = 1 + 2 * dice.roll(3);
    let text = dice.table("", |dice, seconds| {
        let numbers: Vec<String> =
            (0..columns).map(|_| format!("{}.{}", 1 + dice.roll(90), dice.roll(10))).collect();
        format!("{}|{}", dice.time(1, seconds), numbers.join("|"))
    });
    (text, "its values alone do not say that it holds ticks")
}

fn others(dice: &mut Dice) -> (String, &'static str) {
    let (header, reason) = dice.pick_pair(&[
        ("time|symbol|strike|expiration|price|iv", "an options chain, no ticks"),
        ("time|symbol|funding_rate|interval|mark|index", "funding rates, no ticks"),
        ("time|symbol|order_status|average_price|price|size", "liquidations, no market trades"),
        ("Date|symbol|price|size|day|year", "is by its name"),
    ]);
    if header.starts_with("Date") {
        let text = dice.table(header, |dice, seconds| {
            format!(
                "2024-06-{:02}|AAPL|{}.5|{}|1|2024",
                1 + seconds / 3000 % 28,
                190 + dice.roll(3),
                dice.roll(100)
            )
        });
        return (text, "days without a time of day");
    }
    let text = dice.table(header, |dice, seconds| {
        let numbers: Vec<String> = (0..4).map(|_| format!("{}.5", 1 + dice.roll(90))).collect();
        format!("{}|BTC|{}", dice.time(1, seconds), numbers.join("|"))
    });
    (text, reason)
}

impl Dice {
    fn pick_pair(&mut self, of: &[(&'static str, &'static str)]) -> (&'static str, &'static str) {
        of[self.roll(of.len() as u64) as usize]
    }
}

#[test]
fn two_hundred_tables_without_ticks_are_refused_by_what_they_are() {
    type Kind = fn(&mut Dice) -> (String, &'static str);
    const KINDS: [Kind; 10] =
        [bars, book_updates, orders, ids, logs, balances, weather, samples, measures, others];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for i in 0..200 {
        let (text, reason) = KINDS[i % KINDS.len()](&mut dice);
        let refusal = refused("table.csv", &text);
        assert!(refusal.reason.contains(reason), "{i}: {} instead of {reason}\n{text}", refusal.reason);
        assert!(!refusal.advice.is_empty() && !refusal.columns.is_empty(), "{i}: {refusal:?}");
    }
}
