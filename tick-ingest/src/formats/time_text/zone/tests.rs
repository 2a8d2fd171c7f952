//! Every zone of the database, and times in each.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::formats::time_text::TimeFormat;

fn zone(name: &str) -> Zone {
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parse(format: &str, text: &str, name: &str) -> Result<u64, TimeError> {
    format.parse::<TimeFormat>().unwrap().parse_in(text.as_bytes(), &zone(name))
}

fn ns(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_nanosecond().try_into().unwrap()
}

#[test]
fn times_without_zone_are_of_the_one_given() {
    for (format, text, name, instant) in [
        ("rfc3339", "2024-03-08 09:30:00.123", "America/New_York", "2024-03-08T14:30:00.123Z"),
        ("rfc3339", "2024-03-11 09:30:00.123", "America/New_York", "2024-03-11T13:30:00.123Z"),
        ("rfc3339", "2024-03-11 09:30:00.123", "america/new_york", "2024-03-11T13:30:00.123Z"),
        ("rfc3339", "2024-03-11", "Asia/Kolkata", "2024-03-10T18:30:00Z"),
        ("rfc3339", "2024-03-08 09:30:00", "-05:00", "2024-03-08T14:30:00Z"),
        ("rfc3339", "2024-03-08 09:30:00", "-0530", "2024-03-08T15:00:00Z"),
        ("rfc3339", "2024-03-08 09:30:00", "+09", "2024-03-08T00:30:00Z"),
        ("rfc3339", "2024-03-08 09:30:00", "UTC", "2024-03-08T09:30:00Z"),
        ("rfc3339", "2024-03-08 09:30:00", "z", "2024-03-08T09:30:00Z"),
        // The text's own zone decides.
        ("rfc3339", "2024-03-08T09:30:00Z", "America/New_York", "2024-03-08T09:30:00Z"),
        ("rfc3339", "2024-03-08T09:30:00+01:00", "America/New_York", "2024-03-08T08:30:00Z"),
        ("%FT%TZ", "2024-03-08T09:30:00Z", "America/New_York", "2024-03-08T09:30:00Z"),
        ("%F %T UTC", "2024-03-08 09:30:00 UTC", "America/New_York", "2024-03-08T09:30:00Z"),
        ("%F %T GMT%z", "2024-03-08 09:30:00 GMT+0200", "America/New_York", "2024-03-08T07:30:00Z"),
        ("s", "1709890200", "America/New_York", "2024-03-08T09:30:00Z"),
        ("auto", "1709890200000", "America/New_York", "2024-03-08T09:30:00Z"),
        ("%s", "1709890200", "America/New_York", "2024-03-08T09:30:00Z"),
        // A time of day is what the clock showed, also on days of 23 hours.
        ("%Y%m%d+ms", "20240310 34200000", "America/New_York", "2024-03-10T13:30:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "03/11/2024 09:30:00 AM", "America/New_York", "2024-03-11T13:30:00Z"),
        // Rules go on beyond those that are written down.
        ("rfc3339", "2299-07-01 09:30:00", "America/New_York", "2299-07-01T13:30:00Z"),
        ("rfc3339", "1970-01-01 05:00:00", "Asia/Kolkata", "1969-12-31T23:30:00Z"),
    ] {
        let expected = if instant.starts_with("1969") { Err(TimeError::Before1970) } else { Ok(ns(instant)) };
        assert_eq!(parse(format, text, name), expected, "{format} {text} {name}");
    }
}

#[test]
fn a_time_that_clocks_showed_twice_or_never_is_an_error_with_both_instants() {
    let said = |text, name| parse("rfc3339", text, name).unwrap_err().to_string();
    let twice = said("2024-11-03 01:30:00", "America/New_York");
    for part in ["twice", "2024-11-03T05:30:00Z by -04:00", "2024-11-03T06:30:00Z by -05:00", "--tz -04:00"] {
        assert!(twice.contains(part), "{twice}");
    }
    let never = said("2024-03-10 02:30:00", "America/New_York");
    for part in
        ["does not exist", "2024-03-10T07:30:00Z by -05:00", "2024-03-10T06:30:00Z by -04:00", "--tz -05:00"]
    {
        assert!(never.contains(part), "{never}");
    }
    // To the second.
    for (text, is_good) in [
        ("2024-11-03 00:59:59.999999999", true),
        ("2024-11-03 01:00:00", false),
        ("2024-11-03 01:59:59.999999999", false),
        ("2024-11-03 02:00:00", true),
        ("2024-03-10 01:59:59.999999999", true),
        ("2024-03-10 02:00:00", false),
        ("2024-03-10 02:59:59.999999999", false),
        ("2024-03-10 03:00:00", true),
    ] {
        assert_eq!(parse("rfc3339", text, "America/New_York").is_ok(), is_good, "{text}");
        // An offset is never in doubt.
        assert!(parse("rfc3339", text, "-05:00").is_ok());
    }
}

#[test]
fn zones_come_back_from_their_text() {
    for (text, name) in [
        ("UTC", "UTC"),
        ("Z", "UTC"),
        ("europe/berlin", "Europe/Berlin"),
        ("-0500", "-05:00"),
        ("+05:30", "+05:30"),
        ("CET", "CET"),
    ] {
        assert_eq!(zone(text).to_string(), name);
        assert_eq!(zone(name), zone(text));
    }
    assert_ne!(zone("UTC"), Zone::default());
    assert!(zone("+00:00").is_utc() && zone("UTC").is_given() && !Zone::default().is_given());
}

#[test]
fn what_is_no_zone_is_refused_with_near_names() {
    for (text, part) in [
        ("America/NewYork", "America/New_York"),
        ("New York", "America/New_York"),
        ("london", "Europe/London"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Chigaco", "America/Chicago"),
        ("EST", "America/New_York"),
        ("edt", "America/New_York"),
        ("BST", "Europe/London"),
        ("here", "America/New_York"),
        ("local", "-05:00"),
        ("", "America/New_York"),
        ("+5", "-05:00"),
        ("+24:00", "-05:00"),
        ("+05:60", "-05:00"),
        ("UTC+1", "-05:00"),
        ("Etc/Unknown", "-05:00"),
    ] {
        let error = text.parse::<Zone>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// What the offsets of instants say, of which jiff has the right ones: its own search by local time takes
/// America/Godthab's clocks for set back in October 2023.
fn by_offsets(zone: &TimeZone, local: DateTime) -> Result<u64, TimeError> {
    let utc = TimeZone::UTC.to_timestamp(local).unwrap();
    let near = (-13..=13).map(|hours| zone.to_offset(utc + SignedDuration::from_hours(2 * hours)));
    let mut offsets: Vec<jiff::tz::Offset> = Vec::new();
    for offset in near {
        if !offsets.contains(&offset) {
            offsets.push(offset);
        }
    }
    let instant = |offset: &jiff::tz::Offset| offset.to_timestamp(local).unwrap();
    let seconds = utc.as_second();
    let shows = |offset: &&jiff::tz::Offset| zone.to_offset(instant(offset)) == **offset;
    let shown: Vec<_> = offsets.iter().filter(shows).collect();
    match shown[..] {
        [offset] => {
            let ns = instant(offset).as_nanosecond();
            u64::try_from(ns).map_err(|_| if ns < 0 { TimeError::Before1970 } else { TimeError::After2554 })
        }
        [before, after] => {
            Err(TimeError::Twice { seconds, before: Offset::of(*before), after: Offset::of(*after) })
        }
        [] => {
            let after = zone.to_offset(instant(&offsets[0]) + SignedDuration::from_secs(1));
            let before = offsets.iter().find(|offset| **offset != after).unwrap();
            Err(TimeError::Never { seconds, before: Offset::of(*before), after: Offset::of(after) })
        }
        _ => panic!("{local} is shown {} times", shown.len()),
    }
}

fn names() -> Vec<String> {
    let names = jiff::tz::db().available().map(|name| name.to_string());
    names.filter(|name| name.parse::<Zone>().is_ok()).collect()
}

#[test]
fn around_every_change_of_every_zone_the_offsets_of_instants_agree() {
    let names = names();
    assert!(names.len() > 500, "{}", names.len());
    for name in &names {
        let (ours, theirs) = (zone(name), TimeZone::get(name).unwrap());
        if !theirs.is_primary() {
            continue;
        }
        let start = Timestamp::UNIX_EPOCH;
        let changes =
            theirs.following(start).take_while(|change| change.timestamp().as_second() < 2_000_000_000);
        for change in changes {
            for seconds in [-7_201, -3_600, -1_800, -1, 0, 1_799, 3_600, 7_200] {
                let local = theirs.to_datetime(change.timestamp()) + SignedDuration::from_secs(seconds);
                let written = LocalTime::of(local).unwrap();
                assert_eq!(ours.instant(written), by_offsets(&theirs, local), "{name} {local}");
            }
        }
    }
}

/// A few zones of every kind, made once.
static SOME_ZONES: LazyLock<Vec<(Zone, TimeZone)>> = LazyLock::new(|| {
    let names = [
        "America/New_York",
        "Europe/London",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Europe/Dublin",
        "Asia/Tokyo",
        "America/Sao_Paulo",
        "Antarctica/Troll",
    ];
    names.map(|name| (zone(name), TimeZone::get(name).unwrap())).into()
});

proptest! {
    /// In no order, so that the stretch of the time before is of no use.
    #[test]
    fn any_local_time_is_as_the_offsets_of_instants_say(
        seconds in proptest::collection::vec(-100_000i64..18_500_000_000, 20),
        nanoseconds in 0i32..1_000_000_000,
    ) {
        for (ours, theirs) in &*SOME_ZONES {
            for seconds in &seconds {
                let local = TimeZone::UTC.to_datetime(Timestamp::new(*seconds, nanoseconds).unwrap());
                let expected = by_offsets(theirs, local);
                prop_assert_eq!(ours.instant(LocalTime::of(local).unwrap()), expected, "{} {}", ours, local);
            }
        }
    }

    /// What a clock in the zone shows is read back, unless it shows it twice.
    #[test]
    fn what_clocks_show_comes_back(ns in 100_000_000_000_000..18_446_000_000_000_000_000u64, change in any::<bool>()) {
        for (ours, theirs) in &*SOME_ZONES {
            let mut time = Timestamp::from_nanosecond(ns.into()).unwrap();
            if change && let Some(change) = theirs.following(time).next() {
                // Within three hours of a change.
                let near = i128::from(ns % 21_600_000_000_000) - 10_800_000_000_000;
                let near = change.timestamp().as_nanosecond() + near;
                time = Timestamp::from_nanosecond(near.clamp(1 << 47, (1 << 64) - 1)).unwrap();
            }
            let shown = time.to_zoned(theirs.clone());
            for (written, read) in [
                ("%Y-%m-%d %H:%M:%S%.9f", "rfc3339"),
                ("%d.%m.%Y %H:%M:%S%.9f", "%d.%m.%Y %H:%M:%S%.f"),
                ("%b %-d, %Y %I:%M:%S%.9f%p", "%b %d, %Y %I:%M:%S%.f%p"),
                ("%Y%m%d%H%M%S%9f", "%Y%m%d%H%M%S%f"),
            ] {
                let text = shown.strftime(written).to_string();
                let format: TimeFormat = read.parse().unwrap();
                match format.parse_in(text.as_bytes(), ours) {
                    Ok(read) => prop_assert_eq!(i128::from(read), time.as_nanosecond(), "{} {}", text, ours),
                    Err(TimeError::Twice { before, after, .. }) => {
                        let offset = Offset::of(shown.offset());
                        prop_assert!(offset == before || offset == after);
                    }
                    Err(error) => prop_assert!(false, "{} {}: {}", text, ours, error),
                }
            }
        }
    }
}
