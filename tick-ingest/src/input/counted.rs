//! How far a decompressor has come, for errors to say where the damage is.

use std::io::{self, BufRead, Read};

/// Counts what was consumed.
pub(super) struct Counted<R> {
    packed: R,
    pub(super) consumed: u64,
}

impl<R> Counted<R> {
    /// Nothing has been consumed yet.
    pub(super) const fn new(packed: R) -> Self {
        Self { packed, consumed: 0 }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.packed.read(out)?;
        self.consumed += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.packed.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.consumed += amount as u64;
        self.packed.consume(amount);
    }
}

/// The decompressor's error with the place, in packed bytes, that it had come to.
#[cold]
pub(super) fn at_byte(consumed: u64, error: &io::Error) -> io::Error {
    let advice = if error.kind() == io::ErrorKind::UnexpectedEof {
        "it is cut off: fetch it again, or wait until it is whole"
    } else {
        "it is damaged: fetch it again"
    };
    io::Error::new(error.kind(), format!("{error}, at byte {consumed} of the file: {advice}"))
}
