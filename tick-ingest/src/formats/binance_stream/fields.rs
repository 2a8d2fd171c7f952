//! Finds the values that matter in the JSON of one line, whatever the order of its keys.

use std::borrow::Cow;

use super::json::{Broken, Kind, Scanner, Value, unescape};
use super::received;
use crate::BadField;

/// The events that yield ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    Trade,
    AggTrade,
    BookTicker,
}

/// Their names.
const TICKS: [(&str, EventKind); 3] =
    [("bookTicker", EventKind::BookTicker), ("trade", EventKind::Trade), ("aggTrade", EventKind::AggTrade)];

/// What the JSON of a line is.
pub(super) enum Found<'a> {
    Event(EventKind),
    /// The name of an event that is not a tick.
    Skipped(Cow<'a, str>),
    /// A list of events, or a text that is JSON again.
    Payload(Value),
}

/// The keys that matter, as places in [`Fields::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    /// All other keys: their values are checked and forgotten.
    Other,
    Event,
    EventTime,
    TransactTime,
    Symbol,
    Price,
    Quantity,
    BuyerIsMaker,
    Bid,
    BidQuantity,
    Ask,
    AskQuantity,
    /// `X`, which trades of futures have.
    ExecutionType,
    /// `M`, which trades and aggregate trades of spot have.
    BestMatch,
    /// `ps`, which futures have.
    Pair,
    /// `stream` of the wrapper.
    Stream,
    /// When it was received, beside the event or in a wrapper of one's own.
    Received,
    /// What a wrapper holds, where that is no object.
    Payload,
}

/// Every field beside [`Field::Other`] with its key.
const KEYS: [(Field, &str); 17] = [
    (Field::Event, "e"),
    (Field::EventTime, "E"),
    (Field::TransactTime, "T"),
    (Field::Symbol, "s"),
    (Field::Price, "p"),
    (Field::Quantity, "q"),
    (Field::BuyerIsMaker, "m"),
    (Field::Bid, "b"),
    (Field::BidQuantity, "B"),
    (Field::Ask, "a"),
    (Field::AskQuantity, "A"),
    (Field::ExecutionType, "X"),
    (Field::BestMatch, "M"),
    (Field::Pair, "ps"),
    (Field::Stream, "stream"),
    (Field::Received, "receive time"),
    (Field::Payload, "payload"),
];

/// The fields of keys of one letter.
const LETTERS: [Field; 256] = {
    let mut letters = [Field::Other; 256];
    let mut i = 0;
    while i < KEYS.len() {
        let (field, key) = KEYS[i];
        if key.len() == 1 {
            letters[key.as_bytes()[0] as usize] = field;
        }
        i += 1;
    }
    letters
};

impl Field {
    pub(super) fn key(self) -> &'static str {
        KEYS.iter().find(|(field, _)| *field == self).map_or("key", |(_, key)| key)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Where the values that are read lie in one line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: [Value; KEYS.len() + 1],
    /// A bit for each field whose place holds this line's value, not an earlier line's.
    seen: u32,
    event: Option<EventKind>,
}

/// Why the scan of an object ended before its closing brace; two words, for what is seldom must not
/// make the usual result large, and what is skipped comes so often that it must allocate nothing.
enum Stop {
    Skip(Unwanted),
    Bad(Box<BadField>),
    Broken(Broken),
}

/// An event that is not a tick, by where its name is.
#[derive(Clone, Copy)]
enum Unwanted {
    Snapshot,
    Response,
    /// A wrapped list of events, known by its stream.
    List,
    /// One that has a name itself.
    Named(Value),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Of these alone a wrapper may have some.
const WRAPPER: u32 = Field::Stream.bit() | Field::Received.bit() | Field::Payload.bit();

/// How many objects may lie around an event: a wrapper of one's own, and Binance's.
const WRAPPERS: u8 = 2;

/// Of these an object without `e` must have one to be taken for spot's book ticker.
const BOOK: u32 = Field::Bid.bit() | Field::BidQuantity.bit() | Field::Ask.bit() | Field::AskQuantity.bit();

impl Fields {
    #[inline]
    pub(super) fn has(&self, field: Field) -> bool {
        self.seen & field.bit() != 0
    }

    #[inline]
    pub(super) fn get(&self, field: Field) -> Option<Value> {
        self.has(field).then(|| self.values[field as usize])
    }

    /// Scans the JSON that begins at `start`: the whole line, unless its event is to be skipped.
    #[inline(always)]
    pub(super) fn find<'a>(&mut self, line: &'a [u8], start: usize) -> Result<Found<'a>, BadField> {
        (self.seen, self.event) = (0, None);
        let mut scan = Scanner::new(line, start);
        match self.object(line, &mut scan, 0).and_then(|()| Ok(scan.end()?)) {
            Ok(()) => {}
            Err(Stop::Skip(event)) => return skipped(line, self.name_of(event, line)),
            Err(Stop::Bad(bad)) => return Err(*bad),
            Err(Stop::Broken(Broken::NoBrace)) if scan.peek() == b'[' => return list(&mut scan),
            Err(Stop::Broken(broken)) => return Err(broken_at(scan.at, broken.message())),
        }
        if let Some(payload) = self.get(Field::Payload) {
            return if self.seen & !WRAPPER == 0 { Ok(Found::Payload(payload)) } else { Err(beside_data()) };
        }
        match self.event {
            Some(event) => Ok(Found::Event(event)),
            None if self.seen & BOOK != 0 => Ok(Found::Event(EventKind::BookTicker)),
            None => Ok(Found::Skipped(Cow::Borrowed("unnamed event"))),
        }
    }

    /// Scans an object from its opening brace, which is due, to its closing one; `depth` wrappers lie around it.
    fn object<'a>(&mut self, line: &'a [u8], scan: &mut Scanner<'a>, depth: u8) -> Result<(), Stop> {
        scan.expect(b'{', Broken::NoBrace)?;
        if scan.peek() == b'}' {
            scan.at += 1;
            return Ok(());
        }
        loop {
            scan.peek();
            match scan.letter_key() {
                Some(letter) => self.value(LETTERS[usize::from(letter)], line, scan)?,
                // The wrapper's keys as Binance writes them.
                None if depth < WRAPPERS && scan.took(b"\"stream\":") => {
                    self.value(Field::Stream, line, scan)?
                }
                None if depth < WRAPPERS && scan.took(b"\"data\":") => self.wrapped(line, scan, depth)?,
                None => self.other_key(line, scan, depth)?,
            }
            if !scan.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// Remembers where the value of `field` lies; `e` decides whether the event is a tick.
    #[inline(always)]
    fn value<'a>(&mut self, field: Field, line: &'a [u8], scan: &mut Scanner<'a>) -> Result<(), Stop> {
        let value = scan.value()?;
        if field == Field::Other {
            return Ok(());
        }
        if self.has(field) {
            return Err(twice(field));
        }
        self.values[field as usize] = value;
        self.seen |= field.bit();
        if field == Field::Event {
            self.event = Some(match value.text(line) {
                b"bookTicker" => EventKind::BookTicker,
                b"trade" => EventKind::Trade,
                b"aggTrade" => EventKind::AggTrade,
                _ => unusual_event(value, line)?,
            });
        }
        Ok(())
    }

    /// A key that is longer than a letter or is written in an unusual way, and its value.
    #[inline(never)]
    fn other_key<'a>(&mut self, line: &'a [u8], scan: &mut Scanner<'a>, depth: u8) -> Result<(), Stop> {
        let key = scan.key()?;
        let resolved;
        let key = if key.kind() == Kind::EscapedText {
            resolved = unescape(key.text(line))?;
            &*resolved
        } else {
            key.text(line)
        };
        let no_event = self.event.is_none();
        let around = depth < WRAPPERS;
        match key {
            [letter] => self.value(LETTERS[usize::from(*letter)], line, scan),
            b"ps" => self.value(Field::Pair, line, scan),
            b"stream" if around => self.value(Field::Stream, line, scan),
            b"data" | b"msg" | b"message" | b"payload" | b"raw" | b"json" if around => {
                self.wrapped(line, scan, depth)
            }
            b"lastUpdateId" if no_event => Err(Stop::Skip(Unwanted::Snapshot)),
            b"result" if around && no_event => Err(Stop::Skip(Unwanted::Response)),
            _ if depth == 0 && received::is_key(key) => self.value(Field::Received, line, scan),
            _ => Ok(scan.value().map(drop)?),
        }
    }

    /// What a wrapper holds; it has no keys of an event itself.
    fn wrapped<'a>(&mut self, line: &'a [u8], scan: &mut Scanner<'a>, depth: u8) -> Result<(), Stop> {
        match scan.peek() {
            b'{' => {}
            b'[' | b'"' => return self.payload(line, scan),
            _ => return Ok(scan.value().map(drop)?),
        }
        self.alone()?;
        self.object(line, scan, depth + 1)?;
        let inside = self.seen & !WRAPPER;
        while scan.another(b'}')? {
            self.seen &= WRAPPER;
            scan.peek();
            self.other_key(line, scan, depth)?;
            self.alone()?;
        }
        // The closing brace is the caller's to find.
        scan.at -= 1;
        self.seen |= inside;
        Ok(())
    }

    /// A wrapper's list or text, to be read once the wrapper is known to its end.
    #[cold]
    fn payload<'a>(&mut self, line: &'a [u8], scan: &mut Scanner<'a>) -> Result<(), Stop> {
        // Binance's own lists are of one kind of event, nearly always of one that is not read.
        if scan.peek() == b'[' && self.has(Field::Stream) && begins_without_ticks(&line[scan.at..]) {
            return Err(Stop::Skip(Unwanted::List));
        }
        let value = scan.value()?;
        // A text that is not JSON is what it says: `"msg":"too many requests"`.
        if !matches!(value.text(line).trim_ascii_start(), [b'[' | b'{', ..]) {
            return Ok(());
        }
        self.alone()?;
        if self.has(Field::Payload) {
            return Err(twice(Field::Payload));
        }
        self.values[Field::Payload as usize] = value;
        self.seen |= Field::Payload.bit();
        Ok(())
    }

    /// An error where the keys of an event were seen already.
    fn alone(&self) -> Result<(), Stop> {
        if self.seen & !WRAPPER == 0 { Ok(()) } else { Err(Stop::Bad(Box::new(beside_data()))) }
    }

    fn name_of<'a>(&self, event: Unwanted, line: &'a [u8]) -> Cow<'a, str> {
        let name = match event {
            Unwanted::Snapshot => return "depthSnapshot".into(),
            Unwanted::Response => return "response".into(),
            Unwanted::List => self.get(Field::Stream).filter(|name| name.kind() == Kind::Text),
            Unwanted::Named(name) => Some(name),
        };
        let Some(name) = name else { return "list of events".into() };
        let text = name.text(line);
        match name.kind() {
            // That it can be unescaped was seen before.
            Kind::EscapedText => match unescape(text) {
                Ok(text) => String::from_utf8_lossy(&text).into_owned().into(),
                Err(_) => String::from_utf8_lossy(text),
            },
            _ => String::from_utf8_lossy(text),
        }
    }
}

#[cold]
fn bad(field: &'static str, reason: &'static str) -> Stop {
    Stop::Bad(Box::new(BadField::new(field, reason)))
}

#[cold]
fn beside_data() -> BadField {
    BadField::new("data", "stands beside the keys of an event")
}

/// A line that is a list.
#[cold]
fn list<'a>(scan: &mut Scanner<'_>) -> Result<Found<'a>, BadField> {
    let value = scan.value().and_then(|value| scan.end().map(|()| value));
    value.map(Found::Payload).map_err(|broken| broken_at(scan.at, broken.message()))
}

/// Whether the first event of a list is known by its first key, and yields no ticks.
fn begins_without_ticks(list: &[u8]) -> bool {
    let Some(name) = list.strip_prefix(b"[{\"e\":\"") else { return false };
    !TICKS
        .iter()
        .any(|(event, _)| name.strip_prefix(event.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"')))
}

#[cold]
fn twice(field: Field) -> Stop {
    bad(field.key(), "stands twice in the line")
}

/// A name with escapes, or of an event that is not a tick.
#[cold]
fn unusual_event(value: Value, line: &[u8]) -> Result<EventKind, Stop> {
    let text = value.text(line);
    let name = match value.kind() {
        Kind::Text => Cow::Borrowed(text),
        Kind::EscapedText => unescape(text).map_err(|broken| bad("e", broken.message()))?,
        _ => return Err(bad("e", "is not a string")),
    };
    let known = TICKS.iter().find(|(event, _)| event.as_bytes() == &*name);
    known.map(|(_, kind)| *kind).ok_or(Stop::Skip(Unwanted::Named(value)))
}

/// An event that is not a tick is looked at only as far as to notice a line that was cut off.
fn skipped<'a>(line: &[u8], name: Cow<'a, str>) -> Result<Found<'a>, BadField> {
    match line.trim_ascii_end().last() {
        Some(b'}') => Ok(Found::Skipped(name)),
        _ => Err(broken_at(line.len(), "it does not end with a closing brace")),
    }
}

#[cold]
fn broken_at(at: usize, broken: &str) -> BadField {
    BadField::new("JSON", format!("is broken at byte {} of the line: {broken}", at + 1))
}
