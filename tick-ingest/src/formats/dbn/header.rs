//! What a DBN file says before its first record.

use std::io::{self, ErrorKind, Read};

use ::dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use ::dbn::{Metadata, RecordHeader, VersionUpgradePolicy};

use crate::ReadError;

/// Magic, version and length of what follows.
const PRELUDE: usize = 8;

/// The largest header that is read: all options of a day, some three million, have their symbols in it.
const HEADER: usize = 512 << 20;

/// The versions that are read; the fourth is still being designed.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;

const FETCH_AGAIN: &str = "it is damaged or was cut: fetch it again";

/// The header, and how many bytes it took.
pub(super) fn read(file: &str, input: &mut dyn Read) -> Result<(Metadata, u64), ReadError> {
    let io = |source: io::Error| match source.kind() {
        ErrorKind::UnexpectedEof => format_error(file, "ends within its DBN header", FETCH_AGAIN),
        _ => ReadError::Io { file: file.to_owned(), doing: "reading the header of DBN", source },
    };
    let mut prelude = [0; PRELUDE];
    input.read_exact(&mut prelude).map_err(io)?;
    let [b'D', b'B', b'N', version, length @ ..] = prelude else {
        return Err(format_error(file, "is not DBN", "give it as what it is"));
    };
    if !VERSIONS.contains(&version) {
        let advice = "versions 1 to 3 are read: ask for one of them, or convert it with the dbn program";
        return Err(format_error(file, &format!("is DBN of version {version}"), advice));
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > HEADER {
        let reason = format!("has a header of {length} bytes, and {HEADER} are allowed");
        return Err(format_error(file, &reason, "it is damaged, or has to be split by symbols"));
    }
    let mut decoder = DbnFsm::builder()
        .upgrade_policy(VersionUpgradePolicy::AsIs)
        .build()
        .map_err(|error| damaged(file, &error))?;
    decoder.write_all(&prelude);
    copy(input, length, &mut decoder).map_err(io)?;
    match decoder.process() {
        ProcessResult::Metadata(metadata) => Ok((metadata, (PRELUDE + length) as u64)),
        ProcessResult::Err(error) => Err(damaged(file, &error)),
        ProcessResult::ReadMore(_) | ProcessResult::Record(()) => Err(damaged(file, &"it is not whole")),
    }
}

/// Hands over `length` bytes as they come, so that a length without bytes behind it takes no memory.
fn copy(input: &mut dyn Read, length: usize, decoder: &mut DbnFsm) -> io::Result<()> {
    let mut chunk = vec![0; length.min(64 << 10)];
    let mut left = length;
    while left > 0 {
        let part = &mut chunk[..left.min(64 << 10)];
        input.read_exact(part)?;
        decoder.write_all(part);
        left -= part.len();
    }
    Ok(())
}

/// Whether what was taken for a record is the beginning of another file: its magic and version.
#[cold]
pub(super) fn begins_file(record: &RecordHeader) -> bool {
    let [n, version] = record.publisher_id.to_le_bytes();
    record.record_size() == usize::from(b'D') * RecordHeader::LENGTH_MULTIPLIER
        && [record.rtype, n] == *b"BN"
        && version < b' '
}

/// A header that cannot be understood.
pub(super) fn damaged(file: &str, error: &dyn std::fmt::Display) -> ReadError {
    format_error(file, &format!("has a DBN header that cannot be read: {error}"), FETCH_AGAIN)
}

/// An error about the file as a whole.
pub(super) fn format_error(file: &str, reason: &str, advice: &str) -> ReadError {
    ReadError::Format { file: file.to_owned(), reason: reason.to_owned(), advice: advice.to_owned() }
}
