//! Gzip of any number of members, with what may stand behind the last one.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::counted::{Counted, at_byte};

/// The content of all members, one after the other.
///
/// Zeros behind a member mean nothing: tapes and block devices pad with them. Anything else behind one is
/// another member, or an error that says where it stands.
pub(super) struct GzipMembers<R> {
    /// `None` only after an error.
    member: Option<GzDecoder<Counted<R>>>,
    /// Where the member begins, in bytes of the file.
    begins: u64,
    /// Whether anything of it came out.
    gave: bool,
    ended: bool,
}

impl<R: BufRead> GzipMembers<R> {
    /// Of a source that begins with a member.
    pub(super) fn new(packed: R) -> Self {
        let member = Some(GzDecoder::new(Counted::new(packed)));
        Self { member, begins: 0, gave: false, ended: false }
    }

    /// Goes past zeros to the next member; `false` at the end.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut packed = member.into_inner();
        loop {
            let chunk = match packed.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(false);
            }
            match chunk.iter().position(|byte| *byte != 0) {
                // One byte at the end of a buffer is left to the decoder.
                Some(0) if chunk[0] == 0x1f && chunk.get(1).is_none_or(|byte| *byte == 0x8b) => break,
                Some(0) => return Err(no_member(packed.consumed)),
                Some(zeros) => packed.consume(zeros),
                None => {
                    let zeros = chunk.len();
                    packed.consume(zeros);
                }
            }
        }
        self.begins = packed.consumed;
        self.gave = false;
        self.member = Some(GzDecoder::new(packed));
        Ok(true)
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !out.is_empty() {
            let Some(member) = &mut self.member else { break };
            match member.read(out) {
                Ok(0) => self.ended = !self.next_member()?,
                Ok(n) => {
                    self.gave = true;
                    return Ok(n);
                }
                // Its header is none, or not whole.
                Err(error)
                    if self.begins > 0 && !self.gave && error.kind() == io::ErrorKind::InvalidInput =>
                {
                    return Err(no_member(self.begins));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => return Err(at_byte(member.get_ref().consumed, &error)),
            }
        }
        Ok(0)
    }
}

#[cold]
fn no_member(at: u64) -> io::Error {
    let reason = format!(
        "what follows its last member, at byte {at}, is not gzip: the file may have been overwritten or joined; \
         `head -c {at} FILE > OUT` keeps what is"
    );
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
