//! What a plan says of its ticks, in the words of `orchard replay`.

use jiff::Timestamp;
use thiserror::Error;
use tick_sdk::contracts::ticks::StartReplay;
use tick_sdk::groups::Groups;
use tick_sdk::quantity::parse_duration_ns;

use super::{CaptureError, Captures, InvalidStrategy};
use crate::feed::{self, Pace, SelectionError, SourceSpec, Speed, TickSelection};
use crate::formats::mapped_csv::Mapping;
use crate::formats::time_text::Zone;
use crate::{BadLines, ReadOptions};

/// The most often that a replay plays its files.
const MOST_REPEATS: u32 = 1_000_000;
/// The most symbols that it selects.
const MOST_SYMBOLS: usize = 100_000;

/// A plan that cannot be carried out; the text names the field, its value, and what to write instead.
#[derive(Debug, Error)]
pub enum InvalidReplay {
    /// A file that cannot be played.
    #[error(transparent)]
    File(#[from] CaptureError),
    /// A field that cannot be understood.
    #[error("{field} {value}: {reason}")]
    Field {
        /// The field, as the contract has it.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Files and selection do not fit.
    #[error("{0}")]
    Selection(String),
    /// A strategy that is not there, or not so.
    #[error(transparent)]
    Strategy(#[from] InvalidStrategy),
    /// The account's rules.
    #[error("{0}")]
    Account(String),
}

/// What is read, which of it is taken, and how fast: all of a plan but its strategies and their account.
#[derive(Clone, Debug)]
pub struct ReplaySources {
    /// The files, in the order in which equal times are taken.
    pub sources: Vec<SourceSpec>,
    /// How they are read.
    pub read: ReadOptions,
    /// Which ticks are taken.
    pub selection: TickSelection,
    /// How fast.
    pub pace: Pace,
    /// The groups' text; empty for none.
    pub groups_text: String,
    /// The same, read.
    pub groups: Groups,
}

impl ReplaySources {
    /// Reads a plan whose files [`Captures::expand`] has given.
    ///
    /// # Errors
    /// A file is not there, or a field cannot be understood.
    pub fn of(plan: &StartReplay, captures: &Captures) -> Result<Self, InvalidReplay> {
        let groups_text = plan.groups.clone().unwrap_or_default();
        let groups = groups_text.parse::<Groups>().map_err(|error| field("groups", "", error))?;
        let paths = plan.files.iter().map(|file| captures.path_of(file));
        let sources = paths.map(|path| path.map(SourceSpec::file)).collect::<Result<Vec<_>, _>>()?;
        let selection = selection(plan)?;
        feed::check(&sources, &selection)
            .map_err(|error| InvalidReplay::Selection(words(&error, captures)))?;
        Ok(Self {
            read: read(plan, sources.len())?,
            pace: Pace { speed: speed(plan.speed)?, max_gap_ns: None },
            sources,
            selection,
            groups_text,
            groups,
        })
    }
}

fn field(field: &'static str, value: impl ToString, reason: impl ToString) -> InvalidReplay {
    InvalidReplay::Field { field, value: format!("{:?}", value.to_string()), reason: reason.to_string() }
}

fn selection(plan: &StartReplay) -> Result<TickSelection, InvalidReplay> {
    let repeats = plan.repeats.unwrap_or(1);
    if !(1..=MOST_REPEATS).contains(&repeats) {
        return Err(field("loop", repeats, format!("give 1 to {MOST_REPEATS}")));
    }
    if plan.symbols.len() > MOST_SYMBOLS {
        return Err(field("symbols", plan.symbols.len(), format!("select at most {MOST_SYMBOLS}")));
    }
    let reorder = plan.reorder.as_deref().unwrap_or("0s");
    Ok(TickSelection {
        symbols: (!plan.symbols.is_empty()).then(|| plan.symbols.iter().cloned().collect()),
        from: time("from", plan.from.as_deref())?,
        to: time("to", plan.to.as_deref())?,
        repeats: repeats.into(),
        reorder_ns: parse_duration_ns(reorder).map_err(|error| field("reorder", reorder, error))?,
    })
}

fn read(plan: &StartReplay, files: usize) -> Result<ReadOptions, InvalidReplay> {
    let mapping = match plan.map.as_deref() {
        None | Some("" | "none") => None,
        Some(text) => Some(text.parse::<Mapping>().map_err(|error| field("map", text, error))?),
    };
    let zone = plan.time_zone.as_deref().map(|text| {
        let zone: Result<Zone, _> = text.parse();
        zone.map_err(|error| field("timeZone", text, error))
    });
    // Who says it of one file alone means that file; as with `orchard replay --map`.
    let (mapping, mapping_of_unknown) = if files == 1 { (mapping, None) } else { (None, mapping) };
    let zone = zone.transpose()?.unwrap_or_default();
    let bad_lines = plan.on_bad_line.as_deref().map(|text| {
        let bad_lines: Result<BadLines, _> = text.parse();
        bad_lines.map_err(|error| field("onBadLine", text, error))
    });
    let bad_lines = bad_lines.transpose()?.unwrap_or_default();
    Ok(ReadOptions { mapping, mapping_of_unknown, zone, bad_lines, ..ReadOptions::default() })
}

fn speed(times: Option<f64>) -> Result<Speed, InvalidReplay> {
    match times {
        None => Ok(Speed::Max),
        Some(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        Some(times) => {
            let reason = "give how many times as fast as it was received, above 0, or leave it out";
            Err(field("speed", times, reason))
        }
    }
}

fn time(name: &'static str, text: Option<&str>) -> Result<Option<u64>, InvalidReplay> {
    text.map(|text| parse_time(text).map_err(|reason| field(name, text, reason))).transpose()
}

/// A time in ns since the UNIX epoch, of RFC 3339 with its zone.
///
/// # Errors
/// It has no zone, is before 1970, or is no time at all; in words.
pub fn parse_time(text: &str) -> Result<u64, &'static str> {
    let time: Timestamp = text.parse().map_err(|_| {
        "is not a time of RFC 3339 with its zone: write 2024-08-08T23:54:18Z or 2024-08-08T23:54:18+02:00"
    })?;
    u64::try_from(time.as_nanosecond()).map_err(|_| "is outside of 1970 to 2554")
}

/// In the contract's words, where the command line's are others.
fn words(error: &SelectionError, captures: &Captures) -> String {
    let shown = |text: &String| captures.shown(text);
    match error {
        SelectionError::SameFileTwice { first, second } => {
            let (first, second) = (shown(first), shown(second));
            format!("files: {first:?} and {second:?} are the same file, whose ticks would all come twice")
        }
        SelectionError::EmptySpan { .. } => "from is not before to: no tick can be between them".to_owned(),
        other => shown(&other.to_string()),
    }
}
