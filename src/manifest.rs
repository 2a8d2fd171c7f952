//! What a run's ticks follow from: what is compared on resume.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use tick_feed::run::Manifest;
use tick_ingest::feed::SourceSpec;

use crate::ended::UsageError;
use crate::sources::{SelectionArgs, SourceArgs};

/// What decides a run's ticks.
pub(crate) struct Described<'a> {
    pub(crate) sources: &'a SourceArgs,
    pub(crate) selection: &'a SelectionArgs,
    pub(crate) specs: &'a [SourceSpec],
    pub(crate) shards: u16,
    /// The groups file's text, empty for none.
    pub(crate) groups: &'a str,
    /// The sources cannot be read twice, and are kept in a log: what they hold is not known before.
    pub(crate) is_logged: bool,
}

/// Describes the sources, each with size and hash, and every option that decides which ticks there
/// are and in which shard.
pub(crate) fn describe(described: &Described<'_>) -> Result<Manifest> {
    let Described { sources, selection, specs, shards, groups, is_logged } = described;
    let mut entries = sources.manifest();
    entries.extend(selection.manifest());
    entries.push(("--shards".to_owned(), shards.to_string()));
    entries.push(("--groups".to_owned(), (*groups).to_owned()));
    entries.push(("wire version".to_owned(), tick_feed::frame::wire::WIRE_VERSION.to_string()));
    for (place, source) in specs.iter().enumerate() {
        let description = match source {
            SourceSpec::File { name, .. } if *is_logged => name.clone(),
            SourceSpec::File { name, .. } if name == "-" => {
                let reason = "standard input cannot be read twice, so a run of it cannot be resumed: \
                    convert it to a .ticks file first, or leave --state out";
                return Err(UsageError(reason.to_owned()).into());
            }
            SourceSpec::File { name, .. } => fingerprint(name).with_context(|| name.clone())?,
            SourceSpec::Generated(options) => format!("{options:?}"),
        };
        entries.push((format!("source {}", place + 1), description));
    }
    Ok(Manifest::new(entries))
}

/// A file's name, size and hash; not its folder, so that a capture may be moved.
fn fingerprint(name: &str) -> std::io::Result<String> {
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
