//! Whatever is written is read back as it was.

use proptest::prelude::*;

use super::*;

#[test]
fn what_has_no_text_is_not_written() {
    let mut writer = orchard_csv::CsvTickWriter::new(Vec::new());
    let tick = Tick::trade(1, 1, 1, 1, Side::BUY);
    let mut refused = |tick: Tick, symbol: &str| writer.write(&tick, symbol).unwrap_err().to_string();
    assert!(refused(Tick { kind: Kind(9), ..tick }, "A").contains("kind 9"));
    assert!(refused(Tick { side: Side(3), ..tick }, "A").contains("side 3"));
    assert!(refused(Tick { price: i64::MIN, ..tick }, "A").contains("price"));
    assert!(refused(tick, "").contains("is empty"));
    assert!(refused(tick, &"A".repeat(257)).contains("longer"));
    assert!(refused(tick, "A\nB").contains("control character"));
    let written = writer.finish().unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), format!("{}\n", orchard_csv::HEADER));
}

fn any_tick() -> impl Strategy<Value = Tick> {
    let price = prop_oneof![3 => any::<i64>().prop_filter("has a text", |price| *price > -i64::MAX), 1 => Just(UNDEFINED_PRICE)];
    (any::<[u64; 2]>(), price, prop_oneof![any::<u64>(), Just(u64::MAX)], 1u8..=3, 0u8..=2, any::<u16>())
        .prop_map(|([ts_event, ts_recv], price, size, kind, side, flags)| Tick {
            ts_event,
            ts_recv,
            price,
            size,
            instrument: 0,
            kind: Kind(kind),
            side: Side(side),
            flags: Flags(flags),
        })
}

fn column_name() -> impl Strategy<Value = String> {
    "[a-z#][a-zé ,:=#\\\\\"'|;]{0,5}[a-z]"
}

proptest! {
    #[test]
    fn ticks_come_back_from_their_csv(rows in proptest::collection::vec((any_tick(), "[A-Zé,\" .-]{1,8}"), 0..20)) {
        let mut writer = orchard_csv::CsvTickWriter::new(Vec::new());
        for (tick, symbol) in &rows {
            writer.write(tick, symbol).unwrap();
        }
        let text = writer.finish().unwrap();
        let (_, mut parser) = open("x.csv", &text, &ReadOptions::default());
        let mut batch = Batch::default();
        feed(&mut *parser, &text, &mut batch).unwrap();
        prop_assert_eq!(batch.ticks.len(), rows.len());
        for (read, (written, symbol)) in batch.ticks.iter().zip(&rows) {
            prop_assert_eq!(&Tick { instrument: 0, ..*read }, written);
            prop_assert_eq!(&batch.new_symbols[read.instrument as usize].symbol, symbol);
        }
        prop_assert_eq!(batch.counts.saturated_sizes, 0);
    }

    #[test]
    fn mappings_come_back_from_their_text(
        names in proptest::array::uniform5(column_name()),
        numbers in proptest::array::uniform5(1usize..=4096),
        named in proptest::array::uniform5(any::<bool>()),
        pattern in "%Y[,: /\\\\=-]{0,3}%m",
        delimiter in prop_oneof![Just("tab".to_owned()), Just("space".to_owned()), "[;|:!]", Just("\\\\".to_owned())],
        header in any::<bool>(),
        quote in any::<bool>(),
    ) {
        let escape = |name: &str| name.chars().flat_map(|c| {
            let special = matches!(c, ',' | ':' | '\\' | '#');
            special.then_some('\\').into_iter().chain([c])
        }).collect::<String>();
        let column = |i: usize| if named[i] { escape(&names[i]) } else { format!("#{}", numbers[i]) };
        let rows = if quote {
            format!("bid={},ask={},ask_size={}", column(2), column(3), column(4))
        } else {
            format!("price={},maker={},size={}", column(2), column(3), column(4))
        };
        let text = format!(
            "time={}:{},recv={}:us,{rows},delimiter={delimiter},header={}",
            column(0), escape(&pattern), column(1), if header { "yes" } else { "no" },
        );
        let mapping: Mapping = text.parse().unwrap();
        prop_assert_eq!(mapping.layout.header, header);
        prop_assert_eq!(mapping.to_string().parse::<Mapping>().unwrap(), mapping);
    }

    #[test]
    fn any_text_is_a_mapping_or_an_error(text in "\\PC{0,60}|(time=ts:ms,)?([a-z_]{0,8}=[#a-z0-9\\\\:,]{0,6},?){0,4}") {
        if let Ok(mapping) = text.parse::<Mapping>() {
            prop_assert_eq!(mapping.to_string().parse::<Mapping>().unwrap(), mapping);
        }
    }

    #[test]
    fn any_bytes_are_detected_or_refused(head in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = csv::detect("x.csv", &head, &ReadOptions::default());
    }

    #[test]
    fn any_table_is_guessed_or_not(head in "([a-z0-9.:,; -]{0,30}\n){0,5}") {
        let _ = csv::detect("x.csv", head.as_bytes(), &ReadOptions::default());
    }

    /// Cut and flipped lines are refused, or become the ticks that the damaged text says: the same as
    /// those of a plain reading with the standard library.
    #[test]
    fn damaged_lines_are_errors_or_what_they_say(
        price in "-?[0-9]{1,5}(\\.[0-9]{1,9})?",
        size in "[0-9]{1,5}(\\.[0-9]{1,9})?",
        cut in 0usize..80,
        flip in proptest::option::of((0usize..80, 0u8..8)),
    ) {
        let mut line = format!("1723161258362104917,1723161258364104917,BTCUSDT,trade,buy,{price},{size},1").into_bytes();
        line.truncate(line.len().saturating_sub(cut.saturating_sub(40)));
        if let Some((at, bit)) = flip.filter(|(at, _)| *at < line.len()) {
            line[at] ^= 1 << bit;
        }
        let header = orchard_csv::HEADER.as_bytes();
        let (_, mut parser) = open("x.csv", header, &ReadOptions::default());
        let mut batch = Batch::default();
        match parser.line(&line, &mut batch) {
            Err(error) => prop_assert!(batch.ticks.is_empty() && !error.reason.is_empty()),
            Ok(()) => prop_assert_eq!(Some((batch.ticks[0], batch.new_symbols[0].symbol.clone())), plain_reading(&line)),
        }
    }
}

/// What an unquoted line of Orchard's CSV says, read in the plainest way.
fn plain_reading(line: &[u8]) -> Option<(Tick, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let [event, recv, symbol, kind, side, price, size, flags] =
        text.split(',').collect::<Vec<_>>().try_into().ok()?;
    let side = match side {
        "buy" => Side::BUY,
        "sell" => Side::SELL,
        _ => Side::NONE,
    };
    let units = |text: &str| -> Option<i128> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction:0<9}");
        digits.parse().ok()
    };
    let price = if price.is_empty() { UNDEFINED_PRICE } else { units(price)?.try_into().ok()? };
    let tick = Tick {
        ts_event: event.parse().ok()?,
        ts_recv: recv.parse().ok()?,
        price,
        size: units(size)?.try_into().ok()?,
        instrument: 0,
        kind: Kind::from_name(kind.as_bytes())?,
        side,
        flags: Flags(flags.parse().ok()?),
    };
    Some((tick, symbol.to_owned()))
}
