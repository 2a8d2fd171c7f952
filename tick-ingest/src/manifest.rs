//! What a run's ticks follow from: what is compared when the run is resumed.

use std::fs::File;
use std::io::{self, Read};

use thiserror::Error;
use tick_feed::run::Manifest;

use crate::ReadOptions;
use crate::feed::{SourceSpec, TickSelection};
use crate::input::zip;
use crate::sources::Place;

/// What decides a run's ticks.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// In the order in which equal times are taken.
    pub sources: &'a [SourceSpec],
    /// How each is read.
    pub read: &'a ReadOptions,
    /// Which ticks are taken.
    pub selection: &'a TickSelection,
    /// How many shards.
    pub shards: u16,
    /// The groups file's text, empty for none.
    pub groups: &'a str,
    /// The sources cannot be read twice, and are kept in a log: what they hold is not known before.
    pub is_logged: bool,
}

/// Sources that cannot be described.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// Standard input is gone once it was read.
    #[error(
        "standard input cannot be read twice, so a run of it cannot be resumed: convert it to a .ticks file \
         first, or leave --state out"
    )]
    StandardInput,
    /// A file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// The file as the user named it.
        file: String,
        /// The system's error.
        source: io::Error,
    },
}

/// Describes the sources, each with size and hash, and every option that decides which ticks there
/// are and in which shard. Each file is read once, from beginning to end.
///
/// # Errors
/// A source cannot be read, or cannot be read a second time.
pub fn describe(described: &Described<'_>) -> Result<Manifest, DescribeError> {
    let Described { sources, read, selection, shards, groups, is_logged } = described;
    let mut entries = reading(read);
    entries.extend(own_options(sources));
    entries.extend(selecting(selection));
    entries.push(("--shards".to_owned(), shards.to_string()));
    entries.push(("--groups".to_owned(), (*groups).to_owned()));
    entries.push(("wire version".to_owned(), tick_feed::frame::wire::WIRE_VERSION.to_string()));
    for (place, source) in sources.iter().enumerate() {
        let description = match source {
            SourceSpec::File { name, .. } if *is_logged => name.clone(),
            SourceSpec::File { name, .. } if name == "-" => return Err(DescribeError::StandardInput),
            SourceSpec::File { name, .. } => {
                let failed = |source| DescribeError::Read { file: name.clone(), source };
                fingerprint(name).map_err(failed)?
            }
            SourceSpec::Generated(options) => format!("{options:?}"),
        };
        entries.push((format!("source {}", place + 1), description));
    }
    Ok(Manifest::new(entries))
}

/// The time zone only where it is not UTC, so that earlier runs may be resumed.
fn reading(read: &ReadOptions) -> Vec<(String, String)> {
    let zone = (!read.zone.is_utc()).then(|| ("--tz".to_owned(), read.zone.to_string()));
    let others = [
        ("--symbol".to_owned(), read.symbol.clone().unwrap_or_default()),
        ("--map".to_owned(), text(read.mapping.as_ref().or(read.mapping_of_unknown.as_ref()))),
        ("--on-bad-line".to_owned(), format!("{:?}", read.bad_lines).to_lowercase()),
    ];
    others.into_iter().chain(zone).collect()
}

/// What is given once a file: nothing of an option that no file has.
fn own_options(sources: &[SourceSpec]) -> Vec<(String, String)> {
    let of_file = |source: &SourceSpec| match source {
        SourceSpec::File { prefix, own, .. } => [
            ("--prefix", prefix.clone()),
            ("--symbol", text(own.symbol.as_ref())),
            ("--map", text(own.mapping.as_ref())),
            ("--tz", text(own.zone.as_ref())),
        ],
        SourceSpec::Generated(_) => {
            ["--prefix", "--symbol", "--map", "--tz"].map(|option| (option, String::new()))
        }
    };
    let options: Vec<_> = sources.iter().map(of_file).collect();
    let is_given = |place: usize| options.iter().any(|of_file| !of_file[place].1.is_empty());
    let given = (0..4).filter(|place| is_given(*place));
    given
        .flat_map(|place| {
            let numbered = options.iter().enumerate();
            numbered.map(move |(file, of_file)| {
                let (option, value) = &of_file[place];
                (format!("{option} {}", file + 1), value.clone())
            })
        })
        .collect()
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn selecting(selection: &TickSelection) -> Vec<(String, String)> {
    let mut symbols: Vec<_> = selection.symbols.iter().flatten().map(String::as_str).collect();
    symbols.sort_unstable();
    let time = |time: Option<u64>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
    [
        ("--symbols", symbols.join(",")),
        ("--from", time(selection.from)),
        ("--to", time(selection.to)),
        ("--loop", selection.repeats.max(1).to_string()),
        ("--reorder", format!("{} ns", selection.reorder_ns)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A file's name, size and hash; not its folder, so that a capture may be moved. An archive has the hash of a file
/// in it, which reading compares.
fn fingerprint(name: &str) -> io::Result<String> {
    if let Place::Member { archive, member } = Place::of(name) {
        let member = zip::member(archive, member).map_err(io::Error::other)?;
        return Ok(format!("{}, {} bytes, crc32 {:08x}", member.name, member.bytes, member.crc));
    }
    let mut file = File::open(name)?;
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
    let base = std::path::Path::new(name).file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{base}, {bytes} bytes, crc64 {:016x}", digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_part_of_the_reading_unless_it_is_utc() {
        let of = |zone: &str| {
            let zone = zone.parse().unwrap();
            reading(&ReadOptions { zone, ..ReadOptions::default() })
        };
        assert_eq!(of("utc"), reading(&ReadOptions::default()));
        assert_eq!(of("+00:00"), of("UTC"));
        let tz = |name: &str| ("--tz".to_owned(), name.to_owned());
        assert_eq!(of("america/new_york").last(), Some(&tz("America/New_York")));
        assert_eq!(of("-0500").last(), Some(&tz("-05:00")));
    }
}
