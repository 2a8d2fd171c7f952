//! Ticks of 100 ns since the year 1, as .NET counts time, and the calendar's days.

pub(super) const TICKS_A_SECOND: i64 = 10_000_000;
pub(super) const TICKS_A_MINUTE: i64 = 60 * TICKS_A_SECOND;
pub(super) const TICKS_A_DAY: i64 = 86_400 * TICKS_A_SECOND;
/// From the year 1 to 1970.
pub(super) const EPOCH_DAYS: i64 = 719_162;

/// A calendar day, from the days since the year 1.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years that begin in March, so that the leap day is the last of its year.
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The days since the year 1 of a calendar day.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 306
}

/// `2026-11-29T10:30:15.25`, without zeros at the end.
pub(super) fn print(ticks: i64) -> String {
    let (year, month, day) = date(ticks.div_euclid(TICKS_A_DAY));
    let in_day = ticks.rem_euclid(TICKS_A_DAY);
    let seconds = in_day / TICKS_A_SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match in_day % TICKS_A_SECOND {
        0 => text,
        fraction => format!("{text}.{fraction:07}").trim_end_matches('0').to_owned(),
    }
}

/// Reads what [`print`] writes; gives what follows.
pub(super) fn parse(text: &str) -> Option<(i64, &str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, mut rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
    let mut time = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let is_valid =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    let mut ticks =
        days(year, month, day) * TICKS_A_DAY + (hour * 3600 + minute * 60 + second) * TICKS_A_SECOND;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        ticks += format!("{:0<7.7}", &fraction[..length]).parse::<i64>().ok()?;
        rest = &fraction[length..];
    }
    is_valid.then_some((ticks, rest))
}

/// `+02:00`
pub(super) fn print_offset(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

pub(super) fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let total = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    match sign {
        "+" => Some(total),
        "-" => Some(-total),
        _ => None,
    }
}
