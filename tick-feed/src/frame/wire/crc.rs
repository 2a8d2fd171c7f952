//! CRC-32C, also of bytes whose own CRC is known already: those are not read again.

use std::sync::OnceLock;

use crc_fast::CrcAlgorithm::Crc32Iscsi;

use crate::ticks_file::BLOCK_TICKS;
use tick_sdk::Tick;

/// CRC-32C (Castagnoli) of `bytes`, by the processor's own instructions.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(Crc32Iscsi, bytes) as u32
}

/// CRC-32C of three parts that follow each other; that of the middle one may be known.
pub(super) fn around(head: &[u8], middle: &[u8], known: Option<u32>, tail: &[u8]) -> u32 {
    static BLOCK: OnceLock<Shift> = OnceLock::new();
    static ROOT: OnceLock<Shift> = OnceLock::new();
    match known {
        Some(known) if middle.len() == BLOCK_BYTES && tail.len() == ROOT_BYTES => {
            let block = BLOCK.get_or_init(|| Shift::by(BLOCK_BYTES));
            let root = ROOT.get_or_init(|| Shift::by(ROOT_BYTES));
            root.of(block.of(crc32c(head)) ^ known) ^ crc32c(tail)
        }
        _ => {
            let mut digest = crc_fast::Digest::new(Crc32Iscsi);
            [head, middle, tail].iter().for_each(|part| digest.update(part));
            digest.finalize() as u32
        }
    }
}

/// The ticks of a whole block of a `.ticks` file.
const BLOCK_BYTES: usize = BLOCK_TICKS * size_of::<Tick>();
/// What an archive has after its ticks.
const ROOT_BYTES: usize = 20;

/// What becomes of a CRC when so many bytes follow, but for their own CRC: a linear map, so that the
/// image of each bit says all.
struct Shift([u32; 32]);

impl Shift {
    fn by(bytes: usize) -> Self {
        let image = |bit: usize| crc_fast::checksum_combine(Crc32Iscsi, 1 << bit, 0, bytes as u64) as u32;
        Self(std::array::from_fn(image))
    }

    fn of(&self, crc: u32) -> u32 {
        let images = self.0.iter().enumerate();
        images.fold(0, |sum, (bit, image)| sum ^ if crc >> bit & 1 == 1 { *image } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_middle_changes_nothing() {
        for len in [0, 40, BLOCK_BYTES, BLOCK_BYTES + 40] {
            let middle: Vec<u8> = (0..len).map(|place| (place * 7 % 251) as u8).collect();
            let (head, tail) = (b"head of some length", [3; ROOT_BYTES]);
            let whole = crc32c(&[head, &middle[..], &tail].concat());
            assert_eq!(around(head, &middle, None, &tail), whole);
            assert_eq!(around(head, &middle, Some(crc32c(&middle)), &tail), whole);
        }
    }
}
