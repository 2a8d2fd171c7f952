//! Text formats: one line at a time, sans I/O, and the driver which cuts lines out of an input.

use std::io::BufRead;

use crate::format::Format;
use crate::input::Input;
use crate::{BadField, BadLines, Batch, ReadError, ReadOptions, Reader};

/// A text format found, and the parser of its lines.
pub type TextFormat = (Format, Box<dyn LineParser>);

/// A text format: turns one line into ticks, and knows nothing of files.
pub trait LineParser: Send {
    /// Appends the ticks of `line` (without its line break) to `out`; on an error it has appended
    /// none.
    ///
    /// # Errors
    /// The first field that is not what the format says.
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField>;

    /// How many lines at the source's start are none of the format's; empty ones count.
    fn lines_before(&self) -> u64 {
        0
    }
}

impl<P: LineParser + ?Sized> LineParser for Box<P> {
    #[inline]
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        (**self).line(line, out)
    }

    fn lines_before(&self) -> u64 {
        (**self).lines_before()
    }
}

/// Reads a text format: lines end with `\n` or `\r\n`, the last one needs neither, empty ones and a
/// byte order mark at a line's start mean nothing.
pub struct TextReader<P> {
    input: Input,
    lines: Lines<P>,
}

/// The longest line that is held in memory.
pub const LONGEST_LINE: usize = 16 * 1024 * 1024;

impl<P: LineParser> TextReader<P> {
    /// Reads `input` with `parser`; of the options only the bad-line policy matters here.
    pub fn new(input: Input, parser: P, options: &ReadOptions) -> Self {
        let lines = Lines::new(input.name(), parser, options);
        Self { input, lines }
    }
}

impl<P: LineParser> Reader for TextReader<P> {
    /// Reads at most one buffer of the input, so that a slow pipe's ticks are not held back.
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        let chunk = match self.input.fill_buf() {
            Ok(chunk) => chunk,
            Err(source) => return Err(self.input.error(source)),
        };
        if chunk.is_empty() {
            self.lines.end(out)?;
            return Ok(false);
        }
        let (taken, result) = self.lines.cut(chunk, out);
        out.counts.bytes += taken as u64;
        self.input.consume(taken);
        result.map(|()| true)
    }
}

/// What lies between the bytes of a chunk and the parser.
pub(crate) struct Lines<P> {
    file: String,
    /// So many lines at the start are passed over.
    before: u64,
    /// So many lines at the start are looked at more closely.
    start: u64,
    parser: P,
    bad_lines: BadLines,
    /// Of the line read last, counted from 1.
    number: u64,
    /// The start of a line whose end is in a later chunk; at most [`LONGEST_LINE`].
    partial: Vec<u8>,
    /// The line that goes on is too long and was already reported: nothing of it is kept.
    discarding: bool,
}

impl<P: LineParser> Lines<P> {
    /// For the source called `file`, from its first line on.
    pub(crate) fn new(file: &str, parser: P, options: &ReadOptions) -> Self {
        Self {
            file: file.to_owned(),
            before: parser.lines_before(),
            start: parser.lines_before().max(1),
            parser,
            bad_lines: options.bad_lines,
            number: 0,
            partial: Vec::new(),
            discarding: false,
        }
    }

    /// Parses lines to the end of the chunk or until the batch is full; says how many bytes it took.
    fn cut(&mut self, chunk: &[u8], out: &mut Batch) -> (usize, Result<(), ReadError>) {
        let mut at = 0;
        while at < chunk.len() && !out.is_full() {
            let rest = &chunk[at..];
            let Some(length) = memchr::memchr(b'\n', rest) else {
                return (chunk.len(), self.carry(rest, out));
            };
            at += length + 1;
            let result = if self.partial.is_empty() && !self.discarding {
                self.line(&rest[..length], out)
            } else {
                self.carry(&rest[..length], out).and_then(|()| self.end(out))
            };
            if result.is_err() {
                return (at, result);
            }
        }
        (at, Ok(()))
    }

    /// Keeps the start of a line, as long as the whole is not too long.
    fn carry(&mut self, part: &[u8], out: &mut Batch) -> Result<(), ReadError> {
        if self.discarding {
            return Ok(());
        }
        if self.partial.len() + part.len() <= LONGEST_LINE {
            self.partial.extend_from_slice(part);
            return Ok(());
        }
        self.discarding = true;
        self.number += 1;
        out.counts.lines += 1;
        let start = std::mem::take(&mut self.partial);
        let start = if start.is_empty() { part } else { &start };
        self.refuse(start, &BadField::new("line", "is longer than 16 MiB"), out)
    }

    /// Ends the line that was carried from chunk to chunk, if there is one.
    fn end(&mut self, out: &mut Batch) -> Result<(), ReadError> {
        if std::mem::take(&mut self.discarding) || self.partial.is_empty() {
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.partial);
        let result = self.line(&whole, out);
        // One huge line must not hold its memory for the rest of the file.
        if whole.capacity() <= Input::BUFFER {
            whole.clear();
            self.partial = whole;
        }
        result
    }

    /// Parses a line without its line break, or a row that was made one.
    #[inline]
    pub(crate) fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), ReadError> {
        self.number += 1;
        out.counts.lines += 1;
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        // Of files that were joined, each may have had a byte order mark.
        if self.number <= self.start || line.first() == BYTE_ORDER_MARK.first() {
            line = self.start_of(line);
        }
        if line.is_empty() {
            return Ok(());
        }
        out.at_line(self.number);
        let ticks = out.ticks.len();
        match self.parser.line(line, out) {
            Ok(()) => Ok(()),
            Err(bad) => {
                out.ticks.truncate(ticks);
                out.late.retain(|late| late.index < ticks);
                self.refuse(line, &bad, out)
            }
        }
    }

    /// What counts of a line that may have a mark, or is one of the first: nothing of those that are passed over.
    #[cold]
    fn start_of<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match self.number {
            number if number <= self.before => b"",
            _ => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
        }
    }

    #[cold]
    fn refuse(&self, line: &[u8], bad: &BadField, out: &mut Batch) -> Result<(), ReadError> {
        /// As many as a batch's counts keep anyway.
        const EXAMPLES: usize = 5;
        match self.bad_lines {
            BadLines::Stop => Err(ReadError::BadLine {
                file: self.file.clone(),
                line: self.number,
                field: bad.field.clone(),
                reason: bad.reason.clone(),
                text: excerpt(line),
            }),
            BadLines::Skip => {
                out.counts.bad_lines += 1;
                if out.counts.bad_line_examples.len() < EXAMPLES {
                    let (file, number, text) = (&self.file, self.number, excerpt(line));
                    let example = format!("{file}:{number}: {} {}, in: {text}", bad.field, bad.reason);
                    out.counts.bad_line_examples.push(example);
                }
                Ok(())
            }
        }
    }
}

/// What some editors put in front of UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of a line as text that a terminal can show: about 120 characters.
pub(crate) fn excerpt(line: &[u8]) -> String {
    const LENGTH: usize = 120;
    let mut text = String::new();
    let start = String::from_utf8_lossy(&line[..line.len().min(4 * LENGTH)]);
    for (i, c) in start.chars().enumerate() {
        if i == LENGTH || text.len() > 3 * LENGTH {
            text.push('…');
            return text;
        }
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if line.len() > 4 * LENGTH {
        text.push('…');
    }
    text
}
