//! Reads the times of rows.

use jiff::Timestamp;

use super::mapping::{Column, Mapping, TimeColumn};
use crate::formats::csv::fields::Fields;
use crate::formats::time_text::{TimeError, TimeFormat, Zone};
use crate::{BadField, Batch, ReadError};

/// Reads the times of rows, of one or two columns each.
pub(super) struct Times {
    event: Clock,
    recv: Option<Clock>,
    zone: Zone,
    /// A time without zone is taken as one of UTC, and nothing has said so yet.
    may_assume_utc: bool,
}

/// Reads one of a row's times.
struct Clock {
    /// Its name in the mapping.
    key: &'static str,
    place: usize,
    /// Where the time of day is, if it has a column of its own.
    time_of_day: Option<usize>,
    format: TimeFormat,
    /// Where texts are joined; it begins with what stands before all of them.
    joined: Vec<u8>,
    /// How long that is.
    day: usize,
    /// The column's name says that its times are of UTC.
    says_utc: bool,
    before: Option<Before>,
}

/// The time of a row before.
#[derive(Clone, Copy)]
struct Before {
    ns: u64,
    line: u64,
}

/// No capture has a gap as long: it is a unit that changes.
const LONGEST_GAP_NS: u64 = 10 * 366 * 86_400 * 1_000_000_000;

impl Times {
    /// For the file `file`, whose columns are where `place` says.
    ///
    /// # Errors
    /// A column is not there, or its format does not fit the mapping.
    pub(super) fn new(
        file: &str,
        mapping: &Mapping,
        zone: &Zone,
        place: impl Fn(&Column) -> Result<usize, ReadError>,
    ) -> Result<Self, ReadError> {
        let clock = |key, column| Clock::new(file, key, column, mapping, &place);
        let event = clock("time", &mapping.time)?;
        let recv = mapping.recv.as_ref().map(|column| clock("recv", column)).transpose()?;
        if mapping.date.is_some() && event.day == 0 && recv.as_ref().is_none_or(|recv| recv.day == 0) {
            let reason = "--map gives a date, and its time columns have a day of their own".to_owned();
            let advice = "leave date= out, or say how the time of day is written, as in %H:%M:%S or ms";
            return Err(unfit(file, reason, advice));
        }
        Ok(Self { event, recv, zone: zone.clone(), may_assume_utc: !zone.is_given() })
    }

    /// The venue's time and when the row was received.
    #[inline]
    pub(super) fn read(&mut self, fields: &Fields<'_>, out: &mut Batch) -> Result<(u64, u64), BadField> {
        let (event, event_local) = self.event.read(fields, &self.zone, out)?;
        let (recv, recv_local) = match &mut self.recv {
            Some(recv) => recv.read(fields, &self.zone, out)?,
            None => (event, false),
        };
        if self.may_assume_utc && (event_local | recv_local) {
            self.note(out);
        }
        Ok((event, recv))
    }

    #[cold]
    fn note(&mut self, out: &mut Batch) {
        self.may_assume_utc = false;
        out.counts.note(Zone::UTC_ASSUMED);
    }
}

impl Clock {
    fn new(
        file: &str,
        key: &'static str,
        column: &TimeColumn,
        mapping: &Mapping,
        place: impl Fn(&Column) -> Result<usize, ReadError>,
    ) -> Result<Self, ReadError> {
        let TimeColumn { column, clock, format } = column;
        let is_number = format.unit().is_some() || *format == TimeFormat::Auto;
        if clock.is_some() && is_number {
            let reason = format!("--map joins two columns to {key}, and {format} is the unit of one");
            return Err(unfit(
                file,
                reason,
                "say how both are written with a blank between, as in %Y-%m-%d %H:%M:%S%.f; or how the day is, \
                 and the unit of the time since midnight, as in %Y%m%d+ms",
            ));
        }
        let dated = match (mapping.date, format) {
            (Some(_), TimeFormat::Pattern(pattern)) if !pattern.holds_day() => {
                pattern.behind_day().ok().map(TimeFormat::Pattern)
            }
            (None, TimeFormat::Pattern(pattern)) if !pattern.holds_day() => {
                let reason = format!("{format}, the pattern of {key}, says no day");
                return Err(unfit(
                    file,
                    reason,
                    "join the column that has the day, as in time=Date+Time:%Y-%m-%d %H:%M:%S, or give it \
                     as in date=2024-06-01",
                ));
            }
            (Some(_), _) => {
                format.unit().and_then(|unit| format!("%Y-%m-%d+{}", TimeFormat::from(unit)).parse().ok())
            }
            _ => None,
        };
        let joined = match (&dated, mapping.date) {
            (Some(_), Some(day)) => format!("{day} ").into_bytes(),
            _ => Vec::new(),
        };
        Ok(Self {
            key,
            place: place(column)?,
            time_of_day: clock.as_ref().map(place).transpose()?,
            format: dated.unwrap_or_else(|| format.clone()),
            day: joined.len(),
            joined,
            says_utc: matches!(column, Column::Name(name) if says_utc(name)),
            before: None,
        })
    }

    /// The time, and whether its text left its zone open.
    #[inline]
    fn read(&mut self, fields: &Fields<'_>, zone: &Zone, out: &Batch) -> Result<(u64, bool), BadField> {
        let text = fields.trimmed(self.place);
        let is_joined = self.day > 0 || self.time_of_day.is_some();
        if is_joined {
            self.join(text, fields).map_err(|error| self.bad(error))?;
        }
        let text = if is_joined { &self.joined } else { text };
        let mut is_local = false;
        let time = self.format.resolve(text, |local| {
            is_local = true;
            zone.instant(local)
        });
        let ns = time.map_err(|error| self.bad(error))?;
        let line = out.line();
        if let Some(before) = self.before
            && ns.abs_diff(before.ns) > LONGEST_GAP_NS
        {
            return Err(self.jump(ns, before));
        }
        self.before = Some(Before { ns, line });
        Ok((ns, is_local && !self.says_utc))
    }

    /// Joins the day that is given, the text of the first column, and that of the second.
    fn join(&mut self, text: &[u8], fields: &Fields<'_>) -> Result<(), TimeError> {
        /// No time is longer.
        const LONGEST: usize = 128;
        let time_of_day = self.time_of_day.map(|place| fields.trimmed(place));
        if text.is_empty() || time_of_day.is_some_and(<[u8]>::is_empty) {
            return Err(TimeError::Empty);
        }
        if text.len() + time_of_day.map_or(0, <[u8]>::len) > LONGEST {
            return Err(TimeError::NotOfPattern);
        }
        self.joined.truncate(self.day);
        self.joined.extend_from_slice(text);
        if let Some(time_of_day) = time_of_day {
            self.joined.push(b' ');
            self.joined.extend_from_slice(time_of_day);
        }
        Ok(())
    }

    #[cold]
    fn bad(&self, error: TimeError) -> BadField {
        let reason = match (error, self.format.unit()) {
            (TimeError::After2554, Some(unit)) => format!(
                "{error}, if it is a number of {unit}; name the column's unit, or auto where it changes within \
                 the column"
            ),
            _ => error.to_string(),
        };
        BadField::new(self.key, reason)
    }

    #[cold]
    fn jump(&self, ns: u64, before: Before) -> BadField {
        let text = |ns: u64| {
            let time = Timestamp::from_nanosecond(ns.into()).map(|time| time.to_string());
            time.unwrap_or_else(|_| format!("{ns} ns"))
        };
        let (time, before, line) = (text(ns), text(before.ns), before.line);
        let advice = match self.format.unit() {
            Some(_) => "if the unit changes within the column, give auto instead of it",
            None => "leave one of the two lines out, or read the parts as two files",
        };
        let reason = format!("is {time}, more than ten years from line {line}, which has {before}; {advice}");
        BadField::new(self.key, reason)
    }
}

/// Whether a column is called such as `Time (UTC)`.
fn says_utc(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().any(|word| word.eq_ignore_ascii_case("utc") || word.eq_ignore_ascii_case("gmt"))
}

fn unfit(file: &str, reason: String, advice: &str) -> ReadError {
    ReadError::Format { file: file.to_owned(), reason, advice: advice.to_owned() }
}
