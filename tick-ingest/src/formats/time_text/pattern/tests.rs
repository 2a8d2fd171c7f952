//! The fast path and jiff agree, whatever the text.

use proptest::prelude::*;

use super::*;

/// Patterns whose texts are read by the places of their digits; each writes all nine decimals, or none.
const PLAIN: [&str; 20] = [
    "%d.%m.%Y %H:%M:%S%.9f",
    "%Y%m%d %H%M%S",
    "%FT%T%.9f",
    "%m/%d/%Y  %H-%M-%S",
    "%Y-%m-%dD%H:%M:%S%.9f",
    "%Y.%m.%dD%H:%M:%S%.9f",
    "%Y%m%d-%H:%M:%S%.9f",
    "%Y%m%dT%H%M%S%.9fZ",
    "%F %T%.9f UTC",
    "%F %T,%9f",
    "%F %T:%9f",
    "%Y%m%d%H%M%S%9f",
    "%Y%m%d %H%M%S%9f",
    "%F %T%.9f%z",
    "%F %T%.9f %:z",
    "%d.%m.%Y %T%.9f GMT%z",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S%.9f %p",
    "%d/%m/%Y %H:%M",
    "%Y%m%d",
];

/// With nine decimals jiff writes them all; how many are read does not depend on it.
fn plain(pattern: &str) -> Pattern {
    pattern.replace("9f", "f").parse().unwrap()
}

fn is_plain(pattern: &str) -> bool {
    pattern.parse::<Pattern>().unwrap().layout.is_some()
}

#[test]
fn only_plain_patterns_are_read_without_jiff() {
    for pattern in PLAIN {
        assert!(plain(pattern).layout.is_some(), "{pattern}");
    }
    for pattern in [
        "%s",
        "%-d.%m.%Y %T",
        "%.f%F %T",
        "%F %T %Y",
        "%F %H",
        "%F %I:%M",
        "%F %T %p",
        "%p %F %I:%M",
        "%F %H %S",
        "%F %M",
        "%F%.f",
        "%F %T %Q",
        "%F %T %p %z",
        "%y%m%d",
        "%T",
    ] {
        let expected = pattern == "%F %H";
        assert_eq!(is_plain(pattern), expected, "{pattern}");
    }
}

#[test]
fn knows_what_a_pattern_holds() {
    for (pattern, day, clock, zone) in [
        ("%Y%m%d", true, false, false),
        ("%H:%M:%S%.f", false, true, false),
        ("%F %T", true, true, false),
        ("%s", true, true, true),
        ("%F %T %z", true, true, true),
        ("%F %T%:z", true, true, true),
        ("%F %T %Q", true, true, true),
        ("%FT%TZ", true, true, true),
        ("%F %T UTC", true, true, true),
        ("%F %TGMT", true, true, true),
        ("%F ZULU %T", true, true, false),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        let holds = (pattern.holds_day(), pattern.holds_clock(), pattern.names_zone());
        assert_eq!(holds, (day, clock, zone), "{}", pattern.text());
    }
}

#[test]
fn a_zone_in_the_text_is_the_zone() {
    for (pattern, text, seconds) in [
        ("%F %T %Q", "2024-07-01 09:30:00 America/New_York", 1_719_840_600),
        ("%F %T UTC", "2024-07-01 13:30:00 UTC", 1_719_840_600),
        ("%FT%TZ", "2024-07-01T13:30:00Z", 1_719_840_600),
        ("%F %T GMT%z", "2024-07-01 15:30:00 GMT+0200", 1_719_840_600),
        ("%F %T GMT%z", "2024-07-01 13:30:00 GMT-0000", 1_719_840_600),
        ("%F %T %:z", "2024-07-01 09:30:00 -04:00", 1_719_840_600),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        assert_eq!(pattern.read(text.as_bytes()), Ok(Written::Instant(seconds * 1_000_000_000)), "{text}");
    }
    let named: Pattern = "%F %T %Q".parse().unwrap();
    let read = |text: &str| named.read(text.as_bytes()).unwrap_err();
    assert!(matches!(read("2024-11-03 01:30:00 America/New_York"), TimeError::Twice { .. }));
    assert!(matches!(read("2024-03-10 02:30:00 America/New_York"), TimeError::Never { .. }));
    assert_eq!(read("2024-03-10 02:30:00 America/Gotham"), TimeError::NotOfPattern);
}

fn agree(pattern: &Pattern, text: &str) -> Result<(), TestCaseError> {
    if let Some(fast) = pattern.layout.as_ref().and_then(|layout| layout.read(text.as_bytes())) {
        prop_assert_eq!(Ok(fast), pattern.read_any(text.as_bytes()), "{} {:?}", pattern.text(), text);
    }
    Ok(())
}

proptest! {
    #[test]
    fn both_paths_agree(
        ns in 0..18_429_897_600_000_000_000u64,
        at in 0usize..PLAIN.len(),
        cut in 0usize..12,
        offset in -86_340i32..86_340,
    ) {
        let written = PLAIN[at];
        let pattern = plain(written);
        let offset = jiff::tz::Offset::from_seconds(offset / 60 * 60).unwrap();
        let time = Timestamp::from_nanosecond(ns.into()).unwrap().to_zoned(TimeZone::fixed(offset));
        let text = time.strftime(written).to_string();
        if time.datetime().year() >= 1970 && time.datetime().year() < 2554 && ns > 100_000_000_000_000 {
            // Whatever it writes is read, and by the fast path, but for jiff's +0000.
            let fast = pattern.layout.as_ref().unwrap().read(text.as_bytes());
            prop_assert_eq!(fast.map(Ok), Some(pattern.read_any(text.as_bytes())), "{} {}", written, text);
        }
        let short = &text[..text.len().saturating_sub(cut)];
        agree(&pattern, short)?;
        agree(&pattern, &(text + "0"))?;
    }

    #[test]
    fn odd_texts_agree(
        text in "[0-3][0-9]\\.[01][0-9]\\.(19|20)[0-9]{2} {1,2}[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?.?",
    ) {
        agree(&plain(PLAIN[0]), &text)?;
    }

    #[test]
    fn odd_ends_agree(
        clock in "2024-06-0[0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
        end in "[.,:]?[0-9]{0,10} ?(Z|UTC|GMT)?([+-][0-2][0-9]:?[0-7][0-9])?",
    ) {
        let text = clock + &end;
        for pattern in ["%F %T%.fZ", "%F %T%.f UTC", "%F %T,%f", "%F %T:%f", "%F %T%.f%z", "%F %T%.f %:z", "%F %T%.f GMT%z"] {
            agree(&plain(pattern), &text)?;
        }
    }

    #[test]
    fn halves_of_the_day_agree(text in "0[0-9]/[0-3][0-9]/2024 [01][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})? ([AaPpXx][Mm])?") {
        agree(&plain("%m/%d/%Y %I:%M:%S %p"), &text)?;
        agree(&plain("%m/%d/%Y %I:%M:%S%.f %p"), &text)?;
    }
}
