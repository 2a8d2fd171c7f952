//! Zip archives: which members one has, and the bytes of a member.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::DeflateDecoder;
use rawzip::{
    CompressionMethod, ErrorKind, FileReader, RECOMMENDED_BUFFER_SIZE, RangeReader, ReaderAt, ZipArchive,
    ZipArchiveEntryWayfinder, ZipFileHeaderRecord,
};

use super::Input;
use crate::ReadError;
use crate::sources::is_data;

/// A file in an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// As it is in the archive, with `/` between folders.
    pub(crate) name: String,
    /// What it takes there.
    pub(crate) packed_bytes: u64,
    /// What it holds.
    pub(crate) bytes: u64,
    /// The CRC-32 of its content.
    pub(crate) crc: u32,
    method: CompressionMethod,
    is_encrypted: bool,
    at: ZipArchiveEntryWayfinder,
}

/// How a zip archive begins, an empty one or one of several volumes included.
pub(crate) const fn is_zip(head: &[u8]) -> bool {
    matches!(head, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..])
}

/// The archive's files that may hold ticks, in order of name: no folders, nothing hidden, no checksums.
///
/// # Errors
/// It cannot be read, is damaged, or has no such file.
pub(crate) fn data_members(archive: &str) -> Result<Vec<Member>, ReadError> {
    let mut members = members(archive)?;
    let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    members.retain(|member| is_data(&member.name, &names));
    members.sort_by(|one, other| one.name.cmp(&other.name));
    if members.is_empty() {
        let reason = match names.len() {
            0 => "is a zip archive with nothing in it".to_owned(),
            n => format!("is a zip archive without a data file among its {n} files"),
        };
        return Err(format_error(archive, reason, "give an archive that holds a capture, CSV or DBN file"));
    }
    Ok(members)
}

/// The member of this name, whatever it holds.
///
/// # Errors
/// The archive cannot be read or is damaged, or has no member of this name.
pub(crate) fn member(archive: &str, name: &str) -> Result<Member, ReadError> {
    /// More names than this help nobody.
    const SHOWN: usize = 5;
    let mut members = members(archive)?;
    if let Some(place) = members.iter().position(|member| member.name == name) {
        return Ok(members.swap_remove(place));
    }
    let names: Vec<_> = members.iter().take(SHOWN).map(|member| member.name.as_str()).collect();
    let more = if members.len() > SHOWN { ", …" } else { "" };
    let advice = format!("it has: {}{more}", names.join(", "));
    Err(format_error(archive, format!("is a zip archive without a file {name}"), &advice))
}

/// The bytes of a member, whose length and checksum are compared at its end; what is read of the archive is
/// counted in `read_bytes`.
///
/// # Errors
/// It cannot be opened, is encrypted, or packed with what is not unpacked here.
pub(super) fn open(
    archive: &str,
    member: &Member,
    read_bytes: Arc<AtomicU64>,
) -> Result<Box<dyn Read + Send>, ReadError> {
    let whole = format!("{archive}/{}", member.name);
    if member.is_encrypted {
        let advice = "unpack it with its password first";
        return Err(format_error(&whole, "is encrypted".to_owned(), advice));
    }
    let located = locate(archive)?;
    let entry = located.get_entry(member.at).map_err(|error| failed(archive, error))?;
    let (start, end) = entry.compressed_data_range();
    let file = FileReader::from(super::open_file(archive)?);
    let packed = CountedRange { range: RangeReader::new(file, start..end), read_bytes };
    match member.method {
        CompressionMethod::STORE => Ok(Box::new(entry.verifying_reader(packed))),
        CompressionMethod::DEFLATE => {
            let packed = io::BufReader::with_capacity(Input::BUFFER / 2, packed);
            Ok(Box::new(entry.verifying_reader(DeflateDecoder::new(packed))))
        }
        method => {
            let method =
                method.name().map_or_else(|| format!("method {}", method.as_u16()), str::to_lowercase);
            let reason =
                format!("is packed with {method} within its archive; read are deflated and stored files");
            Err(format_error(&whole, reason, "unpack it first"))
        }
    }
}

fn members(archive: &str) -> Result<Vec<Member>, ReadError> {
    let located = locate(archive)?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut entries = located.entries(&mut buffer);
    let mut members = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|error| failed(archive, error))? {
        if members.len() == MOST_MEMBERS {
            let reason = format!("is a zip archive of more than {MOST_MEMBERS} files");
            return Err(format_error(archive, reason, "unpack it and name what is to be read"));
        }
        if !entry.is_dir() {
            members.push(described(&entry));
        }
    }
    Ok(members)
}

/// So many files may an archive have, as each is remembered.
const MOST_MEMBERS: usize = 1_000_000;

fn described(entry: &ZipFileHeaderRecord<'_>) -> Member {
    let path = entry.file_path();
    let text = String::from_utf8_lossy(path.as_bytes());
    // Some archives are made with the other slash; what a terminal would obey is no name.
    let shown = |c: char| match c {
        '\\' => '/',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    Member {
        name: text.chars().map(shown).collect::<String>().trim_start_matches('/').to_owned(),
        packed_bytes: entry.compressed_size_hint(),
        bytes: entry.uncompressed_size_hint(),
        crc: entry.crc32(),
        method: entry.compression_method(),
        is_encrypted: entry.flags().is_encrypted(),
        at: entry.wayfinder(),
    }
}

fn locate(archive: &str) -> Result<ZipArchive<FileReader>, ReadError> {
    let file: File = super::open_file(archive)?;
    ZipArchive::from_file(file, &mut vec![0; RECOMMENDED_BUFFER_SIZE]).map_err(|error| failed(archive, error))
}

fn failed(archive: &str, error: rawzip::Error) -> ReadError {
    let reason = match error.into_kind() {
        ErrorKind::IO(source) => {
            return ReadError::Io { file: archive.to_owned(), doing: "reading the zip archive", source };
        }
        ErrorKind::MissingEndOfCentralDirectory => {
            "is a zip archive without its directory, which stands at its end".to_owned()
        }
        kind => format!("is a damaged zip archive: {kind}"),
    };
    format_error(archive, reason, "it was cut or overwritten: fetch it again")
}

fn format_error(file: &str, reason: String, advice: &str) -> ReadError {
    ReadError::Format { file: file.to_owned(), reason, advice: advice.to_owned() }
}

/// A part of a file that counts what is read of it.
struct CountedRange<R> {
    range: RangeReader<R>,
    read_bytes: Arc<AtomicU64>,
}

impl<R: ReaderAt> Read for CountedRange<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.range.read(out)?;
        self.read_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
