//! What this program keeps in a store, as bytes that begin with their version.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Raised when what was kept by a version before could not be read.
const VERSION: u8 = 1;

/// Bytes of a store that this program did not write, or another version of it.
#[derive(Debug, Error)]
pub enum InvalidBytes {
    /// Of another version.
    #[error(
        "{what} is kept in version {found}, and this program reads {VERSION}: let the version that wrote it finish first"
    )]
    Version {
        /// What was to be read.
        what: &'static str,
        /// Its version; `None` where there is not one byte.
        found: u8,
    },
    /// Damaged.
    #[error("{what} cannot be read: {source}; the row is damaged")]
    Damaged {
        /// What was to be read.
        what: &'static str,
        /// Why.
        source: postcard::Error,
    },
}

/// `room` is about how many bytes it will be.
pub(super) fn write(value: &impl Serialize, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room);
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).expect("memory is the only bound of what is written")
}

pub(super) fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, InvalidBytes> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|source| InvalidBytes::Damaged { what, source })
        }
        first => Err(InvalidBytes::Version { what, found: first.map_or(0, |(version, _)| *version) }),
    }
}
