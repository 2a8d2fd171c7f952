//! The strftime patterns that a time's text can be of, by its shape.

/// A pattern that a text fits by its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) pattern: String,
    pub(super) has_day: bool,
    pub(super) has_clock: bool,
    /// Whether the text says which zone its time is of.
    pub(super) has_zone: bool,
    /// Its day and its time of day are of two columns.
    pub(super) is_joined: bool,
}

impl Shape {
    /// Whether it is that of RFC 3339, which needs no pattern.
    pub(super) fn is_rfc3339(&self) -> bool {
        let clock = self.pattern.strip_prefix("%Y-%m-%d").and_then(|rest| rest.strip_prefix(['T', ' ']));
        let zone = clock.and_then(|clock| clock.strip_prefix("%H:%M:%S%.f"));
        !self.is_joined && zone.is_some_and(|zone| ["", "Z", "%:z"].contains(&zone))
    }
}

/// The shapes of `text`, more than one where day and month may be either; none where it is no time.
pub(super) fn shapes(text: &str) -> Vec<Shape> {
    let Some((days, rest)) = day(text) else { return clock_alone(text).into_iter().collect() };
    if rest.is_empty() {
        let of_day = |pattern: &String| shape(pattern.clone(), true, false, false);
        return days.iter().map(of_day).collect();
    }
    let Some((between, rest)) = separator(rest) else { return Vec::new() };
    let Some((clock, rest)) = clock(rest, between.is_empty()) else { return Vec::new() };
    let Some(zone) = zone(rest) else { return Vec::new() };
    let has_zone = !zone.is_empty();
    days.iter().map(|day| shape(format!("{day}{between}{clock}{zone}"), true, true, has_zone)).collect()
}

fn shape(pattern: String, has_day: bool, has_clock: bool, has_zone: bool) -> Shape {
    Shape { pattern, has_day, has_clock, has_zone, is_joined: false }
}

fn clock_alone(text: &str) -> Option<Shape> {
    let (clock, rest) = clock(text, false)?;
    rest.is_empty().then(|| shape(clock, false, true, false))
}

/// The patterns of the day at the start of `text`, the likelier first, and what stands behind it.
fn day(text: &str) -> Option<(Vec<String>, &str)> {
    let (first, rest) = digits(text);
    let with = |patterns: [&str; 1], rest| Some((patterns.map(str::to_owned).to_vec(), rest));
    if first.len() >= 8 && (is_year(&first[..4]) && first.len() != 10 && first.len() != 13) {
        return with(["%Y%m%d"], &text[8..]);
    }
    if first.is_empty() || first.len() > 4 {
        return None;
    }
    let mark = rest.chars().next().filter(|c| matches!(c, '-' | '.' | '/' | ' '))?;
    let rest = &rest[1..];
    let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 3 && first.len() <= 2 {
        let rest = rest[letters..].strip_prefix(mark)?;
        let (year, rest) = digits(rest);
        let year = if year.len() == 4 { "%Y" } else { "%y" };
        return Some((vec![format!("%d{mark}%b{mark}{year}")], rest));
    }
    let (second, rest) = digits(rest);
    let rest = rest.strip_prefix(mark).filter(|_| mark != ' ' && (1..=2).contains(&second.len()))?;
    let (third, rest) = digits(rest);
    match (first.len(), third.len()) {
        (4, 1..=2) => Some((vec![format!("%Y{mark}%m{mark}%d")], rest)),
        (1..=2, 4) => Some((day_and_month(mark, "%Y"), rest)),
        (2, 2) => {
            let mut patterns = day_and_month(mark, "%y");
            patterns.push(format!("%y{mark}%m{mark}%d"));
            Some((patterns, rest))
        }
        _ => None,
    }
}

/// With slashes the month usually comes first, with other marks the day.
fn day_and_month(mark: char, year: &str) -> Vec<String> {
    let day_first = format!("%d{mark}%m{mark}{year}");
    let month_first = format!("%m{mark}%d{mark}{year}");
    if mark == '/' { vec![month_first, day_first] } else { vec![day_first, month_first] }
}

fn is_year(digits: &str) -> bool {
    digits.starts_with("19") || digits.starts_with("20")
}

/// What stands between day and time of day.
fn separator(text: &str) -> Option<(&str, &str)> {
    let length = text.find(|c: char| c.is_ascii_digit())?;
    let (between, rest) = text.split_at(length);
    matches!(between, "" | " " | "T" | "t" | "D" | "-" | "_" | ":" | ", " | "," | ";")
        .then_some((between, rest))
}

/// The pattern of the time of day at the start of `text`; with its seconds unless it has none.
fn clock(text: &str, joined: bool) -> Option<(String, &str)> {
    let (first, rest) = digits(text);
    if first.len() >= 6 {
        return clock_of_digits(first, rest);
    }
    if joined || !(1..=2).contains(&first.len()) {
        return None;
    }
    let (minutes, rest) = digits(rest.strip_prefix(':')?);
    if minutes.len() != 2 {
        return None;
    }
    let mut pattern = "%H:%M".to_owned();
    let mut rest = rest;
    if let Some(seconds) = rest.strip_prefix(':') {
        let (seconds, behind) = digits(seconds);
        let (fraction, behind) = fraction(behind);
        if seconds.len() != 2 {
            return None;
        }
        pattern.push_str(":%S");
        pattern.push_str(fraction);
        rest = behind;
    }
    let blank = usize::from(rest.starts_with(' '));
    let half =
        rest.get(blank..blank + 2).filter(|half| ["am", "pm"].iter().any(|m| half.eq_ignore_ascii_case(m)));
    if half.is_some() {
        pattern = pattern.replace("%H", "%I") + &rest[..blank] + "%p";
        rest = &rest[blank + 2..];
    }
    Some((pattern, rest))
}

/// `093000`, `093000123`, `093000.123`.
fn clock_of_digits<'a>(digits: &str, rest: &'a str) -> Option<(String, &'a str)> {
    let part = |from: usize| digits[from..from + 2].parse::<u32>().unwrap_or(99);
    if part(0) > 23 || part(2) > 59 || part(4) > 59 {
        return None;
    }
    match digits.len() {
        6 => {
            let (fraction, rest) = fraction(rest);
            Some((format!("%H%M%S{fraction}"), rest))
        }
        9 | 12 | 15 => Some(("%H%M%S%f".to_owned(), rest)),
        _ => None,
    }
}

/// Decimals of a second, of which every number of digits is of one pattern.
fn fraction(text: &str) -> (&'static str, &str) {
    let behind = |mark: char| {
        let (digits, rest) = digits(text.strip_prefix(mark)?);
        (1..=9).contains(&digits.len()).then_some(rest)
    };
    if let Some(rest) = behind('.') {
        return ("%.f", rest);
    }
    let others = [(',', ",%f"), (':', ":%f"), (' ', " %f")];
    let other = others.into_iter().find_map(|(mark, pattern)| Some((pattern, behind(mark)?)));
    // Whole seconds: others of the column may have decimals.
    other.unwrap_or(("%.f", text))
}

/// The pattern of a zone or offset that is all of `text`.
fn zone(text: &str) -> Option<String> {
    let blanks = text.len() - text.trim_start().len();
    let (blank, name) = text.split_at(blanks.min(1));
    if name.is_empty() {
        return Some(String::new());
    }
    if ["Z", "UTC", "GMT"].contains(&name) {
        return Some(text.to_owned());
    }
    let offset = name.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let prefix = &name[..name.len() - offset.len()];
    let digits = offset.strip_prefix(['+', '-'])?;
    let is_offset = digits.chars().all(|c| c.is_ascii_digit() || c == ':');
    if !is_offset || !["", "GMT", "UTC"].contains(&prefix) {
        return None;
    }
    let pattern = match (digits.len(), digits.contains(':')) {
        (5, true) => "%:z",
        (4, false) => "%z",
        (2, false) => "%:::z",
        _ => return None,
    };
    Some(format!("{blank}{prefix}{pattern}"))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Vec<String> {
        shapes(text).into_iter().map(|shape| shape.pattern).collect()
    }

    #[test]
    fn every_usual_shape_has_its_pattern() {
        for (text, pattern) in [
            ("2020-03-01D00:00:03.145123000", "%Y-%m-%dD%H:%M:%S%.f"),
            ("2020-03-01 00:00:03.145 UTC", "%Y-%m-%d %H:%M:%S%.f UTC"),
            ("2024-06-01 09:30:00.123 -04:00", "%Y-%m-%d %H:%M:%S%.f %:z"),
            ("20240601-09:30:00.123", "%Y%m%d-%H:%M:%S%.f"),
            ("2024.06.01D09:30:00.123456789", "%Y.%m.%dD%H:%M:%S%.f"),
            ("20240601T093000.123Z", "%Y%m%dT%H%M%S%.fZ"),
            ("2024-06-01 09:30:00,123", "%Y-%m-%d %H:%M:%S,%f"),
            ("20240601093000123", "%Y%m%d%H%M%S%f"),
            ("20240601 093000123", "%Y%m%d %H%M%S%f"),
            ("20240601093000", "%Y%m%d%H%M%S%.f"),
            ("01.03.2013 00:00:00.605 GMT-0000", "%d.%m.%Y %H:%M:%S%.f GMT%z"),
            ("01-Mar-2024 09:30:00", "%d-%b-%Y %H:%M:%S%.f"),
            ("09:30:00.123", "%H:%M:%S%.f"),
            ("9:30", "%H:%M"),
            ("20240601 093000 1234567", "%Y%m%d %H%M%S %f"),
            ("20240601 093000", "%Y%m%d %H%M%S%.f"),
            ("20240601", "%Y%m%d"),
        ] {
            assert_eq!(patterns(text)[0], pattern, "{text}");
        }
    }

    #[test]
    fn day_and_month_may_be_either() {
        let am = ["%m/%d/%Y %I:%M:%S%.f %p", "%d/%m/%Y %I:%M:%S%.f %p"];
        assert_eq!(patterns("06/01/2024 09:30:00 AM"), am);
        assert_eq!(patterns("1.6.2024"), ["%d.%m.%Y", "%m.%d.%Y"]);
    }

    #[test]
    fn what_is_no_time_has_no_shape() {
        for text in
            ["", "1717200000", "1717200000123", "67510.1", "1.5", "abc", "2024-06", "99:99:9", "1-2", "1.2.3"]
        {
            assert_eq!(patterns(text), [""; 0], "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[0-9TDZGM:.,/ +-]{0,24}|.{0,12}") {
            shapes(&text);
        }
    }
}
