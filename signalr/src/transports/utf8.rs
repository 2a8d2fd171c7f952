//! Whether text that comes in pieces is UTF-8.

/// Remembers the start of a character that a piece cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Utf8 {
    begun: [u8; 4],
    begun_len: u8,
}

impl Utf8 {
    /// Whether the text up to the end of this piece can still be UTF-8.
    pub(super) fn accepts(&mut self, mut piece: &[u8]) -> bool {
        while self.begun_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return true };
            piece = rest;
            self.begun[usize::from(self.begun_len)] = byte;
            self.begun_len += 1;
            match std::str::from_utf8(&self.begun[..usize::from(self.begun_len)]) {
                Ok(_) => self.begun_len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let begun = &piece[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.begun_len = begun.len() as u8;
                true
            }
        }
    }

    /// Whether no character is cut where the text ends; the next text begins.
    pub(super) fn ends_here(&mut self) -> bool {
        std::mem::take(&mut self.begun_len) == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Utf8;

    fn accepts(pieces: &[&[u8]]) -> bool {
        let mut text = Utf8::default();
        pieces.iter().all(|piece| text.accepts(piece)) && text.ends_here()
    }

    #[test]
    fn a_surrogate_is_refused_wherever_it_is_cut() {
        let surrogate = [0xed, 0xa0, 0x80];
        for cut in 0..=3 {
            assert!(!accepts(&[&surrogate[..cut], &surrogate[cut..]]));
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_any_bytes_decides_like_the_whole(
            mut bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            for (at, byte) in flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(accepts(&pieces), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
