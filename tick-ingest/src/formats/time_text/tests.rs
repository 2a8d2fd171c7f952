//! Every unit, pattern and zone: what is written is read back, or refused by name.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn format(text: &str) -> TimeFormat {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse(name: &str, text: &str) -> Result<u64, TimeError> {
    format(name).parse(text.as_bytes())
}

fn ns(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_nanosecond().try_into().unwrap()
}

#[test]
fn units_are_exact() {
    for (format, text, ns) in [
        ("s", "1723161258", 1_723_161_258_000_000_000),
        ("s", "1723161258.362000001", 1_723_161_258_362_000_001),
        ("s", "0.5", 500_000_000),
        ("s", "5.", 5_000_000_000),
        ("s", "1723161258.36200000000000", 1_723_161_258_362_000_000),
        ("s", "1e9", 1_000_000_000_000_000_000),
        ("s", "7E-9", 7),
        ("ms", "1723161258362", 1_723_161_258_362_000_000),
        ("ms", "1723161258362.5", 1_723_161_258_362_500_000),
        ("us", "1723161258362001", 1_723_161_258_362_001_000),
        ("ns", "18446744073709551615", u64::MAX),
        ("ns", "7", 7),
        ("ns", "1.609459200123e+18", 1_609_459_200_123_000_000),
        ("ns", "1.6094592E18", 1_609_459_200_000_000_000),
        ("ns", "16094592000000000000e-1", 1_609_459_200_000_000_000),
        ("ns", "1.8446744073709551615e19", u64::MAX),
        ("ns", "0e9999", 0),
        ("auto", "1723161258", 1_723_161_258_000_000_000),
        ("auto", "1723161258.362000001", 1_723_161_258_362_000_001),
        ("auto", "1723161258362", 1_723_161_258_362_000_000),
        ("auto", "1723161258362.000001", 1_723_161_258_362_000_001),
        ("auto", "1723161258362001", 1_723_161_258_362_001_000),
        ("auto", "1723161258362001002", 1_723_161_258_362_001_002),
        ("auto", "1.723161258362001002e18", 1_723_161_258_362_001_002),
        ("auto", "1.723161258e9", 1_723_161_258_000_000_000),
        ("auto", "00000001723161258.5", 1_723_161_258_500_000_000),
        ("auto", "100000000", 100_000_000_000_000_000),
        ("auto", "18446744073709551615", u64::MAX),
    ] {
        assert_eq!(parse(format, text), Ok(ns), "{format} {text}");
    }
}

#[test]
fn texts_are_exact() {
    for (format, text, instant) in [
        ("rfc3339", "2024-08-08T23:54:18.362Z", "2024-08-08T23:54:18.362Z"),
        ("rfc3339", "2024-08-09 01:54:18.362+02:00", "2024-08-08T23:54:18.362Z"),
        ("rfc3339", "2024-08-08 23:54:18", "2024-08-08T23:54:18Z"),
        ("rfc3339", "2024-08-08", "2024-08-08T00:00:00Z"),
        ("rfc3339", "2024-06-01T09:30:00.1234567Z", "2024-06-01T09:30:00.1234567Z"),
        ("rfc3339", "2262-04-12T00:00:00Z", "2262-04-12T00:00:00Z"),
        ("rfc3339", "2554-07-21T23:34:33.709551615Z", "2554-07-21T23:34:33.709551615Z"),
        ("%d.%m.%Y %H:%M:%S%.f", "08.08.2024 23:54:18.362", "2024-08-08T23:54:18.362Z"),
        ("%Y%m%d %H%M%S %z", "20240809 015418 +0200", "2024-08-08T23:54:18Z"),
        ("%s", "1723161258", "2024-08-08T23:54:18Z"),
        ("%Y-%m-%d %H:%M:%S%.f %Q", "2024-07-01 09:30:00.5 America/New_York", "2024-07-01T13:30:00.5Z"),
        ("%Y%m%d+s", "20240308 34200.017459617", "2024-03-08T09:30:00.017459617Z"),
        ("%Y%m%d+ms", "20240308 34200123", "2024-03-08T09:30:00.123Z"),
        ("%d/%m/%Y+us", "08/03/2024  34200123456", "2024-03-08T09:30:00.123456Z"),
        ("%Y-%m-%d+ns", "2024-03-08 86399999999999", "2024-03-08T23:59:59.999999999Z"),
        ("%Y-%m-%d+s", "2024-03-08 0", "2024-03-08T00:00:00Z"),
    ] {
        assert_eq!(parse(format, text), Ok(ns(instant)), "{format} {text}");
    }
}

/// As exchanges, brokers and vendors write them.
#[test]
fn times_in_the_wild_are_read() {
    for (format, text, instant) in [
        ("auto", "1717234200", "2024-06-01T09:30:00Z"),
        ("auto", "1717234200.123", "2024-06-01T09:30:00.123Z"),
        ("auto", "1717234200123", "2024-06-01T09:30:00.123Z"),
        ("auto", "1717234200123456", "2024-06-01T09:30:00.123456Z"),
        ("auto", "1717234200123456789", "2024-06-01T09:30:00.123456789Z"),
        ("auto", "1.609459200123e+18", "2021-01-01T00:00:00.123Z"),
        ("rfc3339", "2024-06-01T09:30:00.1234567Z", "2024-06-01T09:30:00.1234567Z"),
        ("rfc3339", "2024-06-01 09:30:00", "2024-06-01T09:30:00Z"),
        ("rfc3339", "2024-06-01T09:30:00.123456789-04:00", "2024-06-01T13:30:00.123456789Z"),
        ("%Y-%m-%dD%H:%M:%S%.f", "2020-03-01D00:00:03.145123000", "2020-03-01T00:00:03.145123Z"),
        ("%Y-%m-%d %H:%M:%S%.f UTC", "2020-03-01 00:00:03.145 UTC", "2020-03-01T00:00:03.145Z"),
        ("%Y-%m-%d %H:%M:%S%.f %:z", "2024-06-01 09:30:00.123 -04:00", "2024-06-01T13:30:00.123Z"),
        ("%Y%m%d-%H:%M:%S%.f", "20240601-09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%Y.%m.%dD%H:%M:%S%.f", "2024.06.01D09:30:00.123456789", "2024-06-01T09:30:00.123456789Z"),
        ("%Y%m%dT%H%M%S%.fZ", "20240601T093000.123Z", "2024-06-01T09:30:00.123Z"),
        ("%Y%m%dT%H%M%S%.fZ", "20240601T093000Z", "2024-06-01T09:30:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "06/01/2024 09:30:00 AM", "2024-06-01T09:30:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "06/13/2024 9:30:00 pm", "2024-06-13T21:30:00Z"),
        ("%m/%d/%Y %I:%M %p", "6/13/2024 9:30 PM", "2024-06-13T21:30:00Z"),
        ("%Y-%m-%d %H:%M:%S,%f", "2024-06-01 09:30:00,123", "2024-06-01T09:30:00.123Z"),
        ("%Y-%m-%d %H:%M:%S:%f", "2024-06-01 09:30:00:123", "2024-06-01T09:30:00.123Z"),
        ("%Y%m%d%H%M%S%f", "20240601093000123", "2024-06-01T09:30:00.123Z"),
        ("%Y%m%d%H%M%S%.f", "20240601093000", "2024-06-01T09:30:00Z"),
        ("%Y%m%d %H%M%S%f", "20240601 093000123", "2024-06-01T09:30:00.123Z"),
        ("%Y%m%d %H%M%S", "20240601 093000", "2024-06-01T09:30:00Z"),
        ("%Y%m%d %H:%M:%S%.f", "20240601 09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%Y/%m/%d %H:%M:%S%.f", "2024/06/01 09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%Y.%m.%d %H:%M:%S%.f", "2024.06.01 09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%d.%m.%Y %H:%M:%S%.f", "13.06.2024 09:30:00.123", "2024-06-13T09:30:00.123Z"),
        ("%d.%m.%Y %H:%M", "13.06.2024 09:30", "2024-06-13T09:30:00Z"),
        ("%d/%m/%Y %H:%M:%S%.f", "13/06/2024 09:30:00.123", "2024-06-13T09:30:00.123Z"),
        ("%m/%d/%Y %H:%M:%S%.f", "06/13/2024 09:30:00.123", "2024-06-13T09:30:00.123Z"),
        ("%m/%d/%y %H:%M:%S%.f", "06/13/24 09:30:00.123", "2024-06-13T09:30:00.123Z"),
        ("%d-%m-%Y %H:%M:%S%.f", "13-06-2024 09:30:00.123", "2024-06-13T09:30:00.123Z"),
        ("%d.%m.%Y %H:%M:%S%.f GMT%z", "01.07.2013 02:00:01.476 GMT+0200", "2013-07-01T00:00:01.476Z"),
        ("%d.%m.%Y %H:%M:%S%.f GMT%z", "01.03.2013 00:00:00.605 GMT-0000", "2013-03-01T00:00:00.605Z"),
        ("%Y-%m-%d %H:%M:%S%.f%z", "2024-06-01 09:30:00.123+0000", "2024-06-01T09:30:00.123Z"),
        ("%Y-%m-%d %H:%M:%S%.f %Q", "2024-06-01 09:30:00.123 America/New_York", "2024-06-01T13:30:00.123Z"),
        ("%d-%b-%Y %H:%M:%S%.f", "01-Jun-2024 09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%d%b%Y:%H:%M:%S%.f", "01JUN2024:09:30:00.123", "2024-06-01T09:30:00.123Z"),
        ("%b %d, %Y %I:%M:%S %p", "Jun 1, 2024 9:30:00 AM", "2024-06-01T09:30:00Z"),
        ("%d %b %Y %H:%M:%S", "1 Jun 2024 09:30:00", "2024-06-01T09:30:00Z"),
        ("%Y-%b-%d %H:%M:%S%.f", "2024-Jun-01 09:30:00.123456", "2024-06-01T09:30:00.123456Z"),
    ] {
        assert_eq!(parse(format, text), Ok(ns(instant)), "{format} {text}");
    }
}

#[test]
fn says_what_a_tick_cannot_hold() {
    use TimeError::*;
    for (format, text, error) in [
        ("s", "", Empty),
        ("s", "abc", NotANumber(Unit::Seconds)),
        ("s", ".5", NotANumber(Unit::Seconds)),
        ("s", "1e", NotANumber(Unit::Seconds)),
        ("s", "1e+", NotANumber(Unit::Seconds)),
        ("s", "1e1.5", NotANumber(Unit::Seconds)),
        ("s", "e9", NotANumber(Unit::Seconds)),
        ("s", "1e99999", NotANumber(Unit::Seconds)),
        ("s", "1.5.5", NotANumber(Unit::Seconds)),
        ("ms", "NaN", NotANumber(Unit::Millis)),
        ("s", "-1", Before1970),
        ("s", "-1e3", Before1970),
        ("s", "0.0000000001", TooFine),
        ("s", "1.7E-9", TooFine),
        ("ns", "1.5", TooFine),
        ("ns", "1e-1", TooFine),
        ("ns", "1.6094592001234567891e+18", TooFine),
        ("s", "18446744074", After2554),
        ("s", "1e11", After2554),
        ("s", "1e9999", After2554),
        ("ms", "123456789012345678901234567890", After2554),
        ("ms", "1234567890123456789012345678901234567890123", After2554),
        ("s", "0.1234567890123456789012345678901234567890123", TooFine),
        ("auto", "99999999", UnitUnclear),
        ("auto", "34200.017", UnitUnclear),
        ("auto", "0", UnitUnclear),
        ("auto", "0.0", UnitUnclear),
        ("auto", "20240601", UnitUnclear),
        ("auto", "99999999999", After2554),
        ("auto", "20240601093000123", After2554),
        ("auto", "1723161258362001002.5", TooFine),
        ("auto", "2024-06-01", NotANumber(Unit::Seconds)),
        ("rfc3339", "1969-12-31T23:59:59Z", Before1970),
        ("rfc3339", "1969-12-31T23:59:59", Before1970),
        ("rfc3339", "1970-01-01T00:00:00+00:01", Before1970),
        ("rfc3339", "2554-07-21T23:34:33.709551616Z", After2554),
        ("rfc3339", "2554-07-21T23:34:33.709551616", After2554),
        ("rfc3339", "2023-02-29T00:00:00Z", NotRfc3339),
        ("rfc3339", "2024-08-08T23:54:18.362+99:99", NotRfc3339),
        ("rfc3339", "2024-08-08T24:54:18Z", NotRfc3339),
        ("rfc3339", "NaN", NotRfc3339),
        ("rfc3339", "", Empty),
        ("%Y-%m-%d", "08.08.2024", NotOfPattern),
        ("%Y-%m-%d", "1969-12-31", Before1970),
        ("%Y%m%d+ms", "", Empty),
        ("%Y%m%d+ms", "20240308", NotOfPattern),
        ("%Y%m%d+ms", "2024 34200123", NotOfPattern),
        ("%Y%m%d+ms", "20240308 86400000", NotOfDay),
        ("%Y%m%d+ms", "20240308 x", NotANumber(Unit::Millis)),
    ] {
        assert_eq!(parse(format, text), Err(error), "{format} {text}");
    }
}

#[test]
fn what_is_no_format_is_refused_with_those_that_are() {
    assert!("min".parse::<TimeFormat>().unwrap_err().contains("rfc3339"));
    assert!("%E".parse::<TimeFormat>().is_err());
    let letters = "%Y-%m-%d %H:%M:%S %Z".parse::<TimeFormat>().unwrap_err();
    assert!(letters.contains("--tz"), "{letters}");
    for text in ["%H:%M:%S+ms", "%Y-%m-%d %H+ms", "%s+ms", "%Y+ms"] {
        let error = text.parse::<TimeFormat>().unwrap_err();
        assert!(error.contains("a day alone"), "{text}: {error}");
    }
    // An offset is none of a unit's.
    assert_eq!(parse("%Y-%m-%d+%H", "2024-03-08+09"), Ok(ns("2024-03-08T09:00:00Z")));
}

#[test]
fn formats_come_back_from_their_text() {
    for text in ["s", "ms", "us", "ns", "auto", "rfc3339", "%Y%m%d+ms", "%d.%m.%Y+s", "%H:%M:%S%.f"] {
        assert_eq!(format(text).to_string(), text);
    }
    assert_eq!(format("µs"), TimeFormat::Micros);
}

/// The text of a unit that says exactly `ns`.
fn written_as(unit: Unit, ns: u64) -> String {
    let one: u64 = match unit {
        Unit::Seconds => 1_000_000_000,
        Unit::Millis => 1_000_000,
        Unit::Micros => 1_000,
        Unit::Nanos => return ns.to_string(),
    };
    let decimals = one.ilog10() as usize;
    format!("{}.{:0decimals$}", ns / one, ns % one)
}

proptest! {
    #[test]
    fn numbers_of_every_unit_come_back(ns in any::<u64>(), unit in 0usize..4) {
        let unit = Unit::ALL[unit];
        let format = TimeFormat::from(unit);
        let text = written_as(unit, ns);
        prop_assert_eq!(format.parse(text.as_bytes()), Ok(ns), "{} {}", format, text);
        if ns >= 100_000_000_000_000_000 {
            prop_assert_eq!(TimeFormat::Auto.parse(text.as_bytes()), Ok(ns), "{}", text);
        }
        let scientific = format!("{}.{}e{}", &ns.to_string()[..1], &format!("{ns}0")[1..], ns.to_string().len() - 1);
        prop_assert_eq!(TimeFormat::Nanos.parse(scientific.as_bytes()), Ok(ns), "{}", scientific);
    }

    /// Whole numbers, decimals and exponents of the same value are the same time.
    #[test]
    fn every_way_to_write_a_number_agrees(digits in 1u64..10_000_000_000, shift in 0usize..9, unit in 0usize..4) {
        let format = TimeFormat::from(Unit::ALL[unit]);
        let whole = format!("{digits}{}", "0".repeat(shift));
        let exponent = format!("{digits}e{shift}");
        let point = format!("{}.{}", whole, "0".repeat(shift));
        let expected = format.parse(whole.as_bytes());
        prop_assert_eq!(format.parse(exponent.as_bytes()), expected);
        prop_assert_eq!(format.parse(point.as_bytes()), expected);
        let auto = TimeFormat::Auto.parse(whole.as_bytes());
        prop_assert_eq!(TimeFormat::Auto.parse(exponent.as_bytes()), auto);
        prop_assert_eq!(TimeFormat::Auto.parse(point.as_bytes()), auto);
    }

    #[test]
    fn days_and_units_come_back(day in 0u64..213_000, clock in 0u64..86_400_000_000_000, unit in 0usize..4) {
        let unit = Unit::ALL[unit];
        let ns = day * 86_400_000_000_000 + clock;
        let date = Timestamp::from_nanosecond(i128::from(ns)).unwrap();
        for pattern in ["%Y%m%d", "%d.%m.%Y", "%Y-%m-%d", "%b %d, %Y"] {
            let format = format(&format!("{pattern}+{}", unit.short()));
            let text = format!("{} {}", date.strftime(pattern), written_as(unit, clock));
            prop_assert_eq!(format.parse(text.as_bytes()), Ok(ns), "{} {}", format, text);
        }
    }

    #[test]
    fn never_panics(text in "\\PC{0,40}|[-0-9.:TZe+ ]{0,40}") {
        let formats = ["s", "ns", "auto", "rfc3339", "%Y-%m-%d %H:%M:%S%.f %z", "%Y%m%d+ms", "%I:%M%f%p %F", "%F %T%.fZ"];
        for format in formats {
            let _ = parse(format, &text);
        }
    }

    #[test]
    fn any_text_is_a_format_or_an_error(text in "\\PC{0,20}|(%[-:.0-9]?[a-zA-Z%])?[ a-z+%]{0,8}") {
        if let Ok(format) = text.parse::<TimeFormat>() {
            prop_assert_eq!(format.to_string().parse::<TimeFormat>(), Ok(format));
        }
    }
}
