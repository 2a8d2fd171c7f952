//! Zstandard of any number of frames.

use std::io::{self, BufRead, Read};

use zstd::stream::read::Decoder;

use super::counted::{Counted, at_byte};

/// The content of all frames, one after the other.
pub(super) struct ZstdFrames<R: BufRead> {
    frames: Decoder<'static, Counted<R>>,
}

impl<R: BufRead> ZstdFrames<R> {
    /// Of a source that begins with a frame.
    pub(super) fn new(packed: R) -> io::Result<Self> {
        Ok(Self { frames: Decoder::with_buffer(Counted::new(packed))? })
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.frames.read(out).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => at_byte(self.frames.get_ref().consumed, &error),
        })
    }
}
