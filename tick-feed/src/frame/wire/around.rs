//! An archive with a hole: everything but one slice, which is left where it is.

use rkyv::rancor::Panic;
use rkyv::ser::sharing::Share;
use rkyv::ser::{Positional, Serializer, Writer};
use rkyv::util::{AlignedVec, with_arena};

use super::Body;

/// Writes what comes before the bytes of `hole` behind what `head` holds, and what comes after them
/// to `tail`.
pub(super) fn serialize(body: &Body<'_>, hole: &[u8], head: &mut AlignedVec, tail: &mut Vec<u8>) {
    with_arena(|arena| {
        let writer = Around { hole, left_out: 0, head, tail };
        let mut serializer = Serializer::new(writer, arena.acquire(), Share::new());
        rkyv::api::serialize_using::<_, Panic>(body, &mut serializer).expect("writing to memory cannot fail");
    });
}

struct Around<'a> {
    hole: &'a [u8],
    left_out: usize,
    head: &'a mut AlignedVec,
    tail: &'a mut Vec<u8>,
}

impl Positional for Around<'_> {
    fn pos(&self) -> usize {
        self.head.len() + self.left_out + self.tail.len()
    }
}

impl<E> Writer<E> for Around<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        if self.left_out > 0 {
            self.tail.extend_from_slice(bytes);
        } else if !bytes.is_empty() && std::ptr::eq(bytes, self.hole) {
            self.left_out = bytes.len();
        } else {
            self.head.extend_from_slice(bytes);
        }
        Ok(())
    }
}
