//! Mappings as text, and back.

use proptest::option;
use proptest::prelude::*;
use tick_ingest::formats::mapped_csv::{
    Aggressor, Column, EmptySide, Mapping, NumberColumn, NumberStyle, RowFilter, Rows, TableLayout,
    TimeColumn,
};
use tick_ingest::formats::time_text::TimeFormat;

#[test]
fn every_item_has_a_text() {
    let text = "time=<DATE>\\+x+<TIME>:%Y.%m.%d %H:%M:%S%.f,recv=#3:ns,symbol=sym,price=px:1e-4,size=lots:1e2,\
                side=side,only=type:TRADE|fill\\|x|,date=2024-06-01,delimiter=tab,header=no,skip=2,comment=#,\
                trailer=END,ragged=yes,decimal=comma,thousands=point,empty=unchanged";
    let mapping: Mapping = text.parse().unwrap();
    let layout = &mapping.layout;
    assert_eq!(mapping.time.column, Column::Name("<DATE>+x".to_owned()));
    assert_eq!(mapping.time.clock, Some(Column::Name("<TIME>".to_owned())));
    assert_eq!(mapping.only.as_ref().unwrap().texts, ["TRADE", "fill|x", ""]);
    assert_eq!((layout.skip, layout.ragged, layout.header, layout.delimiter), (2, true, false, b'\t'));
    assert_eq!(layout.numbers, NumberStyle { decimal_comma: true, thousands: Some(b'.') });
    assert_eq!((layout.comment.as_deref(), layout.trailer.as_deref()), (Some("#"), Some("END")));
    assert_eq!(layout.empty, EmptySide::Unchanged);
    let Rows::Trades { price, size: Some(size), .. } = &mapping.rows else { panic!("{mapping:?}") };
    assert_eq!((price.scale, size.scale), (-4, 2));
    assert_eq!(mapping.to_string(), text);
}

#[test]
fn scales_are_powers_of_ten_in_any_spelling() {
    for (text, scale) in
        [("1e-9", -9), ("0.01", -2), ("1", 0), ("100", 2), ("1E-12", -12), ("0.000000001", -9), ("1e0", 0)]
    {
        let mapping: Mapping = format!("time=t:ns,price=p:{text}").parse().unwrap();
        assert!(matches!(mapping.rows, Rows::Trades { price, .. } if price.scale == scale), "{text}");
    }
    for text in ["", "2", "0.02", "1e", "1e19", "1e-19", "e-9", "0.1e-2", "ms", "01", "0.", "10.", "1e-9:x"] {
        let error = format!("time=t:ns,price=p:{text}").parse::<Mapping>().unwrap_err().to_string();
        assert!(error.contains("power of ten"), "{text}: {error}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (items, said) in [
        ("bid=b:1e-12,ask=a", "bid and ask have scales of different units"),
        ("bid=b,bid_size=bs,ask=a,ask_size=as:1e-10", "bid_size and ask_size have scales"),
        ("price=p,decimal=comma,thousands=comma", "cannot go together"),
        ("price=p,thousands=point", "cannot go together"),
        ("price=p,thousands=dash", "comma, point, space or apostrophe"),
        ("price=p,decimal=both", "decimal=point or decimal=comma"),
        ("price=p,empty=zero", "empty=absent or empty=unchanged"),
        ("price=p,skip=two", "skip=2"),
        ("price=p,ragged=1", "yes or no"),
        ("price=p,only=x", "a column and the texts"),
        ("price=p,date=June", "a day, as in"),
    ] {
        let error = format!("time=t:ns,{items}").parse::<Mapping>().unwrap_err().to_string();
        assert!(error.contains(said), "{items}: {error}");
    }
    assert!("time=t:ns,bid=b:1e-4,ask=a".parse::<Mapping>().is_ok());
}

fn column() -> impl Strategy<Value = Column> {
    let name = "\\PC{1,8}|[a-z#,:+|\\\\<>() ]{1,6}";
    let name =
        name.prop_map(|name| name.trim().to_owned()).prop_filter("has a name", |name| !name.is_empty());
    prop_oneof![name.prop_map(Column::Name), (1usize..=4096).prop_map(Column::Number)]
}

fn number(scale: impl Strategy<Value = i8>) -> impl Strategy<Value = NumberColumn> {
    (column(), scale).prop_map(|(column, scale)| NumberColumn { column, scale })
}

fn time() -> impl Strategy<Value = TimeColumn> {
    let format = prop_oneof![
        prop_oneof![Just("s"), Just("ms"), Just("us"), Just("ns"), Just("rfc3339")].prop_map(str::to_owned),
        "%Y[,: /\\\\=+-]{0,3}%m[.,:]%d %H:%M:%S",
    ];
    (column(), option::of(column()), format).prop_map(|(column, clock, format)| TimeColumn {
        column,
        clock,
        format: format.parse::<TimeFormat>().unwrap(),
    })
}

fn rows() -> impl Strategy<Value = Rows> {
    let aggressor = prop_oneof![
        Just(Aggressor::Unknown),
        column().prop_map(Aggressor::Side),
        column().prop_map(Aggressor::BuyerIsMaker),
    ];
    let trades = (number(-18i8..=18), option::of(number(-18i8..=18)), aggressor)
        .prop_map(|(price, size, aggressor)| Rows::Trades { price, size, aggressor });
    // Both sides are in one unit.
    let sides = (-18i8..=18, -18i8..=18).prop_flat_map(|(price, size)| {
        let sized = move || option::of(number(Just(size)));
        (number(Just(price)), sized(), number(Just(price)), sized())
    });
    let quotes =
        sides.prop_map(|(bid, bid_size, ask, ask_size)| Rows::Quotes { bid, bid_size, ask, ask_size });
    prop_oneof![trades, quotes]
}

fn style() -> impl Strategy<Value = NumberStyle> {
    let thousands = prop_oneof![Just(None), Just(Some(b' ')), Just(Some(b'\'')), Just(Some(b'_'))];
    (any::<bool>(), thousands).prop_map(|(decimal_comma, thousands)| {
        // The other mark is what remains for thousands.
        let other = if decimal_comma { b'.' } else { b',' };
        NumberStyle {
            decimal_comma,
            thousands: thousands.map(|byte| if byte == b'_' { other } else { byte }),
        }
    })
}

fn layout() -> impl Strategy<Value = TableLayout> {
    let delimiter = (b'!'..=b'~')
        .prop_filter("may delimit", |byte| byte.is_ascii_punctuation() && !br#""'+-.#"#.contains(byte));
    let delimiter = prop_oneof![delimiter, Just(b'\t'), Just(b' ')];
    let mark = || option::of("\\PC{1,6}|[#,\\\\=:]{1,3}");
    (delimiter, any::<[bool; 3]>(), any::<u32>(), mark(), mark(), style()).prop_map(
        |(delimiter, [header, ragged, unchanged], skip, comment, trailer, numbers)| TableLayout {
            delimiter,
            header,
            skip,
            comment,
            trailer,
            ragged,
            numbers,
            empty: if unchanged { EmptySide::Unchanged } else { EmptySide::Absent },
        },
    )
}

fn filter() -> impl Strategy<Value = RowFilter> {
    (column(), proptest::collection::vec("\\PC{0,6}|[|,:\\\\=]{0,3}", 1..4))
        .prop_map(|(column, texts)| RowFilter { column, texts })
}

fn mapping() -> impl Strategy<Value = Mapping> {
    let day = option::of((1970i16..2500, 1i8..=12, 1i8..=28));
    (time(), option::of(time()), day, option::of(column()), rows(), option::of(filter()), layout()).prop_map(
        |(time, recv, day, symbol, rows, only, layout)| Mapping {
            time,
            recv,
            date: day.map(|(year, month, day)| jiff::civil::date(year, month, day)),
            symbol,
            rows,
            only,
            layout,
        },
    )
}

proptest! {
    #[test]
    fn every_mapping_comes_back_from_its_text(mapping in mapping()) {
        let text = mapping.to_string();
        prop_assert_eq!(text.parse::<Mapping>().map_err(|error| error.to_string()), Ok(mapping), "{}", text);
    }

    #[test]
    fn any_items_are_a_mapping_or_an_error(
        items in proptest::collection::vec(
            "(date|only|empty|delimiter|header|skip|comment|trailer|ragged|decimal|thousands|price|bid|ask)=[a-z0-9:|,#\\\\ +.e-]{0,8}",
            0..5,
        ),
    ) {
        let text = format!("time=t:ms,{}", items.join(","));
        if let Ok(mapping) = text.parse::<Mapping>() {
            prop_assert_eq!(mapping.to_string().parse::<Mapping>().unwrap(), mapping);
        }
    }
}
