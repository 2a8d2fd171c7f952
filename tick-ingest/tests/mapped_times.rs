//! Times of mapped CSV: joined columns, days given apart, zones, units that change.

use std::io::Cursor;
use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use tick_ingest::formats::mapped_csv::Mapping;
use tick_ingest::formats::time_text::Zone;
use tick_ingest::{BadLines, Batch, Counts, ReadError, ReadOptions, detect};

fn options(mapping: &str, zone: Option<&str>) -> ReadOptions {
    let mapping: Mapping = mapping.parse().unwrap_or_else(|error| panic!("{mapping}: {error}"));
    let symbol = mapping.symbol.is_none().then(|| "A".to_owned());
    let zone = zone.map(|zone| zone.parse().unwrap()).unwrap_or_default();
    ReadOptions { symbol, mapping: Some(mapping), zone, ..ReadOptions::default() }
}

/// The venue's times of the rows, when they were received, and what was counted.
type Times = (Vec<u64>, Vec<u64>, Counts);

fn read_text(text: &str, options: &ReadOptions) -> Result<Times, ReadError> {
    let input = Box::new(Cursor::new(text.to_owned().into_bytes()));
    let mut reader = detect::open_reader("x.csv", input, options)?.reader;
    let (mut events, mut received, mut counts) = (Vec::new(), Vec::new(), Counts::default());
    let mut batch = Batch::default();
    loop {
        batch.clear();
        let goes_on = reader.read(&mut batch)?;
        // Of a quote's two ticks only one ends its row.
        let rows = batch.ticks.iter().filter(|tick| tick.is_last());
        rows.for_each(|tick| {
            events.push(tick.ts_event);
            received.push(tick.ts_recv);
        });
        counts.add(&batch.counts);
        if !goes_on {
            return Ok((events, received, counts));
        }
    }
}

fn read_file(file: &str, options: &ReadOptions) -> Times {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/readers").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    read_text(&text, options).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn error_of(text: &str, mapping: &str, zone: Option<&str>) -> String {
    match read_text(text, &options(mapping, zone)) {
        Err(error) => error.to_string(),
        Ok((events, ..)) => panic!("{text} was read: {events:?}"),
    }
}

fn ns(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_nanosecond().try_into().unwrap()
}

#[test]
fn files_of_users_have_the_times_that_they_say() {
    let new_york = Some("America/New_York");
    for (file, mapping, zone, times) in [
        (
            "56-date-and-time-columns.csv",
            "time=Date+Time:%Y-%m-%d %H:%M:%S%.f,price=Price,size=Volume",
            new_york,
            &[
                "2024-03-08T14:30:00.123Z",
                "2024-03-08T14:30:00.456Z",
                "2024-03-08T20:59:59.9Z",
                "2024-03-11T13:30:00.001Z",
            ][..],
        ),
        (
            "56-date-and-time-columns.csv",
            "time=Date+Time:rfc3339,price=Price,size=Volume",
            None,
            &[
                "2024-03-08T09:30:00.123Z",
                "2024-03-08T09:30:00.456Z",
                "2024-03-08T15:59:59.9Z",
                "2024-03-11T09:30:00.001Z",
            ],
        ),
        (
            "11-mt5-ticks.csv",
            "time=<DATE>+<TIME>:%Y.%m.%d %H:%M:%S%.f,bid=<BID>,ask=<ASK>,delimiter=tab,empty=unchanged",
            Some("+02:00"),
            &[
                "2024-03-08T13:30:00.101Z",
                "2024-03-08T13:30:00.356Z",
                "2024-03-08T13:30:00.502Z",
                "2024-03-08T13:30:01Z",
            ],
        ),
        (
            "14-firstrate.txt",
            "time=#1:rfc3339,price=#2,size=#3",
            new_york,
            &["2024-03-08T14:30:00.123Z", "2024-03-08T14:30:00.456Z", "2024-03-11T13:30:00.123Z"],
        ),
        (
            "08-pandas-float-times.csv",
            "time=timestamp:ns,price=price,size=volume",
            None,
            &["2021-01-01T00:00:00Z", "2021-01-01T00:00:00.123Z", "2021-01-01T00:00:01Z"],
        ),
        (
            "35d-bitmex-trade.csv",
            "time=timestamp:%Y-%m-%dD%H:%M:%S%.f,symbol=symbol,price=price,size=size,side=side",
            None,
            &["2020-03-01T00:00:03.145123Z", "2020-03-01T00:00:03.3Z"],
        ),
        (
            "38-cryptodatadownload.csv",
            "time=unix:ms,symbol=symbol,price=price,size=amount,side=side,skip=2",
            new_york,
            &["2024-06-01T00:00:00.123Z", "2024-06-01T00:00:00.456Z"],
        ),
        (
            "40b-ddmm.csv",
            "time=DateTime:%d/%m/%Y %H:%M:%S%.f,bid=Bid,ask=Ask",
            None,
            &["2024-04-03T21:00:09.417Z", "2024-04-04T21:00:11.02Z", "2024-04-13T01:00:00Z"],
        ),
        (
            "51-mixed-s-ms.csv",
            "time=unix:auto,symbol=symbol,price=price,size=amount",
            None,
            &[
                "2020-04-01T00:00:00Z",
                "2020-04-01T00:00:01Z",
                "2020-04-01T00:00:02.5Z",
                "2020-04-01T00:00:03Z",
            ],
        ),
        (
            "02-dukascopy-local-time.csv",
            "time=Local time:%d.%m.%Y %H:%M:%S%.f GMT%z,bid=Bid,ask=Ask,bid_size=BidVolume,ask_size=AskVolume",
            new_york,
            &[
                "2013-03-01T00:00:00.605Z",
                "2013-03-01T00:00:00.665Z",
                "2013-03-01T00:00:01.407Z",
                "2013-07-01T00:00:01.476Z",
            ],
        ),
    ] {
        let (events, received, _) = read_file(file, &options(mapping, zone));
        assert_eq!(events, times.iter().map(|time| ns(time)).collect::<Vec<_>>(), "{file}");
        assert_eq!(events, received, "{file}");
    }
}

#[test]
fn times_may_be_in_two_columns_or_of_a_given_day() {
    for (text, mapping, event, recv) in [
        // Milliseconds since midnight, as in LEAN's files, whose day is in their name.
        (
            "34200123,171.25,100\n",
            "time=#1:ms,price=#2,size=#3,date=2024-03-08",
            "2024-03-08T14:30:00.123Z",
            None,
        ),
        // Seconds with nine decimals, as in LOBSTER's.
        (
            "34200.017459617,171.25\n",
            "time=#1:s,price=#2,date=2024-03-08",
            "2024-03-08T14:30:00.017459617Z",
            None,
        ),
        // A clock of digits, as in TAQ.
        (
            "093000123456789|171.25\n",
            "time=#1:%H%M%S%f,price=#2,date=2024-03-08,delimiter=|",
            "2024-03-08T14:30:00.123456789Z",
            None,
        ),
        (
            "9:30:00.5 AM;171.25\n",
            "time=#1:%I:%M:%S%.f %p,price=#2,date=2024-03-08,delimiter=;",
            "2024-03-08T14:30:00.5Z",
            None,
        ),
        // A day, and a number since midnight; of summer the offset is another.
        ("d,t,p\n20240311,34200123,1\n", "time=d+t:%Y%m%d+ms,price=p", "2024-03-11T13:30:00.123Z", None),
        (
            "d,t,p\n2024-03-11, 34200123456789 ,1\n",
            "time=d+t:%Y-%m-%d+ns,price=p",
            "2024-03-11T13:30:00.123456789Z",
            None,
        ),
        ("d,t,p\n\"03/11/2024\",09:30,1\n", "time=d+t:%m/%d/%Y %H:%M,price=p", "2024-03-11T13:30:00Z", None),
        (
            "d,t,p\n20240308,093000123,1\n",
            "time=d+t:%Y%m%d %H%M%S%f,price=p",
            "2024-03-08T14:30:00.123Z",
            None,
        ),
        // The received time has a column, or a zone, of its own.
        (
            "d,t,r,p\n20240308,34200,1709908200500,1\n",
            "time=d+t:%Y%m%d+s,recv=r:auto,price=p",
            "2024-03-08T14:30:00Z",
            Some("2024-03-08T14:30:00.5Z"),
        ),
        (
            "t,r,p\n34200,34200.25,1\n",
            "time=t:s,recv=r:s,price=p,date=2024-03-08",
            "2024-03-08T14:30:00Z",
            Some("2024-03-08T14:30:00.25Z"),
        ),
        (
            "t,r,p\n09:30:00,2024-03-08T14:30:01Z,1\n",
            "time=t:%H:%M:%S,recv=r:rfc3339,price=p,date=2024-03-08",
            "2024-03-08T14:30:00Z",
            Some("2024-03-08T14:30:01Z"),
        ),
    ] {
        let (events, received, counts) =
            read_text(text, &options(mapping, Some("America/New_York"))).unwrap();
        assert_eq!(events, [ns(event)], "{text}");
        assert_eq!(received, [ns(recv.unwrap_or(event))], "{text}");
        assert!(!counts.notes.iter().any(|note| note == Zone::UTC_ASSUMED), "{text}");
    }
}

#[test]
fn what_was_taken_as_utc_is_said_once() {
    let said = |text: &str, mapping: &str, zone: Option<&str>| {
        let (_, _, counts) = read_text(text, &options(mapping, zone)).unwrap();
        counts.notes.iter().filter(|note| *note == Zone::UTC_ASSUMED).count()
    };
    for (text, mapping, zone, times) in [
        ("t,p\n2024-03-08 09:30:00,1\n2024-03-08 09:30:01,1\n", "time=t:rfc3339,price=p", None, 1),
        ("t,p\n2024-03-08 09:30:00,1\n", "time=t:rfc3339,price=p", Some("UTC"), 0),
        ("t,p\n2024-03-08 09:30:00,1\n", "time=t:rfc3339,price=p", Some("-05:00"), 0),
        ("t,p\n2024-03-08T09:30:00Z,1\n", "time=t:rfc3339,price=p", None, 0),
        // Only a later row, and only the received time.
        ("t,p\n2024-03-08T09:30:00Z,1\n2024-03-08T09:30:01,1\n", "time=t:rfc3339,price=p", None, 1),
        ("t,r,p\n1709890200,2024-03-08T09:30:00,1\n", "time=t:s,recv=r:rfc3339,price=p", None, 1),
        ("t,p\n1709890200,1\n", "time=t:s,price=p", None, 0),
        ("t,p\n2024-03-08 09:30:00 UTC,1\n", "time=t:%Y-%m-%d %H:%M:%S UTC,price=p", None, 0),
        ("t,p\n20240308 34200,1\n", "time=t:%Y%m%d+s,price=p", None, 1),
        // The column's own name says it.
        ("Time (UTC),p\n2024-03-08 09:30:00,1\n", "time=Time (UTC):rfc3339,price=p", None, 0),
        ("gmt_time,p\n2024-03-08 09:30:00,1\n", "time=gmt_time:rfc3339,price=p", None, 0),
    ] {
        assert_eq!(said(text, mapping, zone), times, "{text} {mapping} {zone:?}");
    }
}

#[test]
fn a_time_of_two_instants_or_none_stops_at_its_line() {
    let map = "time=t:rfc3339,price=p";
    let twice =
        error_of("t,p\n2024-11-03 00:30:00,1\n2024-11-03 01:30:00,1\n", map, Some("America/New_York"));
    for part in ["x.csv:3", "time (column t)", "2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z", "--tz -04:00"]
    {
        assert!(twice.contains(part), "{twice}");
    }
    let never = error_of("t,p\n2024-03-31 02:30:00,1\n", map, Some("Europe/Berlin"));
    for part in ["x.csv:2", "does not exist", "2024-03-31T01:30:00Z", "2024-03-31T00:30:00Z", "--tz +01:00"] {
        assert!(never.contains(part), "{never}");
    }
}

#[test]
fn a_jump_of_more_than_ten_years_is_refused_with_both_lines() {
    let text = "t,p\n1585699200,1\n\n1585699201,1\n15856992,1\n";
    let jump = error_of(text, "time=t:s,price=p", None);
    for part in ["x.csv:5", "line 4", "1970-07-03T12:43:12Z", "2020-04-01T00:00:01Z", "auto"] {
        assert!(jump.contains(part), "{jump}");
    }
    // Milliseconds behind seconds are beyond any time that a tick can hold.
    let beyond = error_of("t,p\n1585699200,1\n1585699202500,1\n", "time=t:s,price=p", None);
    assert!(beyond.contains("x.csv:3") && beyond.contains("2554") && beyond.contains("auto"), "{beyond}");
    // Seconds behind milliseconds are a jump back; text times have no unit to change.
    assert!(error_of("t,p\n1585699202500,1\n1585699203,1\n", "time=t:ms,price=p", None).contains("line 2"));
    let text = "t,p\n2024-03-08T09:30:00Z,1\n2042-03-08T09:30:00Z,1\n";
    assert!(error_of(text, "time=t:rfc3339,price=p", None).contains("line 2"));
    // Nine years are a long file, and a line that is left out is not what later ones are compared with.
    read_text(
        "t,p\n2015-03-08T09:30:00Z,1\n2024-03-08T09:30:00Z,1\n",
        &options("time=t:rfc3339,price=p", None),
    )
    .unwrap();
    let skipping = ReadOptions { bad_lines: BadLines::Skip, ..options("time=t:s,price=p", None) };
    let (events, _, counts) = read_text("t,p\n1585699200,1\n1585699,1\n1585699201,1\n", &skipping).unwrap();
    assert_eq!((events.len(), counts.bad_lines), (2, 1));
}

#[test]
fn a_mapping_whose_times_cannot_be_says_what_would() {
    let text = "d,t,p\n2024-03-08,09:30:00,1\n";
    for (mapping, part) in [
        ("time=d+t:ms,price=p", "%Y%m%d+ms"),
        ("time=d+t:auto,price=p", "%Y%m%d+ms"),
        ("time=t:%H:%M:%S,price=p", "date=2024-06-01"),
        ("time=d:rfc3339,price=p,date=2024-03-08", "leave date= out"),
        ("time=d:%Y-%m-%d,price=p,date=2024-03-08", "leave date= out"),
        ("time=d+x:%Y-%m-%d %H:%M:%S,price=p", "no column x"),
    ] {
        let error = error_of(text, mapping, None);
        assert!(error.contains("x.csv") && error.contains(part), "{mapping}: {error}");
    }
    for (text, part) in [
        ("d,t,p\n2024-03-08,,1\n", "time (column d) is empty"),
        ("d,t,p\n,09:30:00,1\n", "time (column d) is empty"),
        ("d,t,p\n2024-03-08,9h30,1\n", "is not a time of the pattern"),
        ("d,t,p\n2024-03-08,24:00:00,1\n", "is not a time of the pattern"),
    ] {
        let error = error_of(text, "time=d+t:%Y-%m-%d %H:%M:%S,price=p", None);
        assert!(error.contains("x.csv:2") && error.contains(part), "{text}: {error}");
    }
    let late = error_of("t,p\n86400,1\n", "time=t:s,price=p,date=2024-03-08", None);
    assert!(late.contains("24 hours"), "{late}");
    let long = format!("d,t,p\n{},1,1\n", "2".repeat(1_000_000));
    assert!(error_of(&long, "time=d+t:%Y%m%d+s,price=p", None).contains("is not a time"));
}

proptest! {
    /// Whatever a clock in a zone shows, in one column or in two, is read back, but for what it shows twice.
    #[test]
    fn times_come_back_through_a_table(
        start in 631_152_000u64..4_000_000_000,
        steps in proptest::collection::vec(0u64..40_000_000_000_000, 1..20),
        zone in proptest::sample::select(vec!["America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Sydney", "-03:30"]),
        form in proptest::sample::select(vec![
            ("%d.%m.%Y", "%H:%M:%S%.9f", "%d.%m.%Y %H:%M:%S%.f"),
            ("%Y%m%d", "%H%M%S%9f", "%Y%m%d %H%M%S%f"),
            ("%m/%d/%Y", "%I:%M:%S%.9f %p", "%m/%d/%Y %I:%M:%S%.f %p"),
            ("%Y-%m-%d", "%H:%M:%S%.9f", "rfc3339"),
        ]),
    ) {
        let (day, clock, format) = form;
        let named = zone.parse::<Zone>().unwrap();
        let jiff_zone = jiff::tz::TimeZone::get(zone).unwrap_or_else(|_| {
            jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap())
        });
        let mut at = start * 1_000_000_000;
        let (mut joined, mut apart, mut times) = (String::from("t,p\n"), String::from("d,t,p\n"), Vec::new());
        for step in steps {
            at += step;
            let shown = Timestamp::from_nanosecond(at.into()).unwrap().to_zoned(jiff_zone.clone());
            if jiff_zone.to_ambiguous_timestamp(shown.datetime()).is_ambiguous() {
                continue;
            }
            let (day, clock) = (shown.strftime(day), shown.strftime(clock));
            joined += &format!("{day} {clock},1\n");
            apart += &format!("{day},{clock},1\n");
            times.push(at);
        }
        let escaped = format.replace(',', "\\,");
        for (text, columns) in [(&joined, "t"), (&apart, "d+t")] {
            let options = options(&format!("time={columns}:{escaped},price=p"), Some(zone));
            let (events, _, _) = read_text(text, &options).unwrap();
            prop_assert_eq!(&events, &times, "{} {}", text, named);
        }
    }
}
