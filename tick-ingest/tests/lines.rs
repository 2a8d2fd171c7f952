//! Lines are cut the same however their bytes arrive, and a bad one is named or counted.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tick_ingest::input::Input;
use tick_ingest::lines::{LONGEST_LINE, LineParser, TextReader};
use tick_ingest::{BadField, BadLines, Batch, ReadError, ReadOptions, Reader};
use tick_sdk::{Side, Tick};

/// Keeps its lines, gives a tick for each, and refuses those with an `x`, leaving a tick behind.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Vec<u8>>>>);

impl LineParser for Keep {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        out.push(Tick::trade(0, 0, line.len() as i64, 0, Side::NONE));
        if line.contains(&b'x') {
            return Err(BadField::new("letter", "is an x"));
        }
        self.0.lock().unwrap().push(line.to_vec());
        Ok(())
    }
}

/// Gives its bytes in pieces of the lengths given, over and over.
struct Pieces(Cursor<Vec<u8>>, Vec<usize>, usize);

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.2 = (self.2 + 1) % self.1.len();
        let most = out.len().min(self.1[self.2]);
        self.0.read(&mut out[..most])
    }
}

struct Outcome {
    lines: Vec<Vec<u8>>,
    batch: Batch,
    result: Result<(), ReadError>,
}

fn read(bytes: &[u8], pieces: Vec<usize>, bad_lines: BadLines) -> Outcome {
    let reader = Pieces(Cursor::new(bytes.to_vec()), pieces, 0);
    let input = Input::from_reader("lines.txt", Box::new(reader)).unwrap();
    let keep = Keep::default();
    let options = ReadOptions { bad_lines, ..ReadOptions::default() };
    let parser: Box<dyn LineParser> = Box::new(keep.clone());
    let mut reader = TextReader::new(input, parser, &options);
    let (mut whole, mut batch) = (Batch::default(), Batch::default());
    let result = loop {
        batch.clear();
        let more = reader.read(&mut batch);
        assert!(batch.ticks.len() <= Batch::TICKS);
        whole.ticks.append(&mut batch.ticks);
        whole.counts.add(&batch.counts);
        match more {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let lines = keep.0.lock().unwrap().clone();
    Outcome { lines, batch: whole, result }
}

const WHOLE: usize = usize::MAX;

#[test]
fn line_ends_byte_order_marks_and_empty_lines() {
    let text = b"\xef\xbb\xbfone\r\n\n\r\ntwo\nlast";
    let outcome = read(text, vec![WHOLE], BadLines::Stop);
    assert_eq!(outcome.lines, [&b"one"[..], b"two", b"last"]);
    assert_eq!(outcome.batch.counts.lines, 5);
    assert_eq!(outcome.batch.counts.bytes, text.len() as u64);
}

#[test]
fn a_bad_line_stops_with_its_place_and_a_printable_excerpt() {
    let text = format!("good\n\n\x1b[31mx{}\ngood\n", "é".repeat(1000));
    let outcome = read(text.as_bytes(), vec![WHOLE], BadLines::Stop);
    assert_eq!((outcome.lines.len(), outcome.batch.ticks.len()), (1, 1));
    match outcome.result.unwrap_err() {
        ReadError::BadLine { file, line, field, reason, text } => {
            assert_eq!((&*file, line, &*field, &*reason), ("lines.txt", 3, "letter", "is an x"));
            assert!(text.starts_with("\\u{1b}[31mxé") && text.ends_with('…'), "{text}");
            assert!(text.chars().count() < 140, "{text}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn bad_lines_are_skipped_and_counted_on_request() {
    let outcome = read("x1\nok\nx2\n".repeat(10).as_bytes(), vec![WHOLE], BadLines::Skip);
    assert!(outcome.result.is_ok());
    assert_eq!((outcome.lines.len(), outcome.batch.ticks.len()), (10, 10));
    assert_eq!(outcome.batch.counts.bad_lines, 20);
    let examples = &outcome.batch.counts.bad_line_examples;
    assert_eq!(examples.len(), 5);
    assert_eq!(examples[1], "lines.txt:3: letter is an x, in: x2");
}

#[test]
fn a_line_beyond_the_bound_is_refused_without_being_held() {
    let long = LONGEST_LINE * 3 + 5;
    let mut text = b"one\n".to_vec();
    text.extend(std::iter::repeat_n(b'7', long));
    text.extend(b"\ntwo\n");
    let outcome = read(&text, vec![WHOLE], BadLines::Skip);
    assert_eq!(outcome.lines, [&b"one"[..], b"two"]);
    assert_eq!((outcome.batch.counts.bad_lines, outcome.batch.counts.lines), (1, 3));
    let example = &outcome.batch.counts.bad_line_examples[0];
    assert!(example.starts_with("lines.txt:2: line is longer than 16 MiB, in: 777"), "{example}");
    let stopped = read(&text, vec![WHOLE], BadLines::Stop).result.unwrap_err();
    assert!(matches!(stopped, ReadError::BadLine { line: 2, .. }), "{stopped}");

    // Exactly as long as allowed, and without a line break behind it.
    let longest = vec![b'7'; LONGEST_LINE];
    assert_eq!(read(&longest, vec![WHOLE], BadLines::Stop).lines, [longest]);
}

#[test]
fn batches_end_when_they_are_full() {
    let outcome = read("a\n".repeat(3 * Batch::TICKS + 7).as_bytes(), vec![WHOLE], BadLines::Stop);
    assert_eq!(outcome.batch.ticks.len(), 3 * Batch::TICKS + 7);
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        text in "(a|b|\r|\n|x){0,200}",
        pieces in proptest::collection::vec(1usize..9, 1..5),
    ) {
        let cut = |line: &str| line.strip_suffix('\r').unwrap_or(line).as_bytes().to_vec();
        let all: Vec<_> = text.split('\n').map(cut).filter(|line| !line.is_empty()).collect();
        let good: Vec<_> = all.iter().filter(|line| !line.contains(&b'x')).cloned().collect();
        let outcome = read(text.as_bytes(), pieces, BadLines::Skip);
        prop_assert!(outcome.result.is_ok());
        prop_assert_eq!(&outcome.lines, &good);
        prop_assert_eq!(outcome.batch.ticks.len(), good.len());
        prop_assert_eq!(outcome.batch.counts.bad_lines as usize, all.len() - good.len());
        prop_assert_eq!(outcome.batch.counts.lines as usize, text.split_inclusive('\n').count());
        prop_assert_eq!(outcome.batch.counts.bytes as usize, text.len());
    }
}
