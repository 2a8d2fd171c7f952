//! Keys of indexes: bytes that sort as the values they are made of.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A key of an index, made of parts: the first part decides, then the second, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// A key without parts, which is the smallest.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With a text as the next part. Texts sort by their bytes, and one that begins another comes first.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        // A zero byte ends the part, so a zero within the text is written as two bytes that sort after it.
        for &byte in text.as_bytes() {
            match byte {
                0 => self.0.extend([1, 1]),
                1 => self.0.extend([1, 2]),
                _ => self.0.push(byte),
            }
        }
        self.0.push(0);
        self
    }

    /// With a number as the next part.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// The smallest key that is greater than every key which begins with this one; `None` where there is none.
    pub fn after_all(&self) -> Option<Self> {
        let mut bytes = self.0.clone();
        while let Some(last) = bytes.pop() {
            if last < u8::MAX {
                bytes.push(last + 1);
                return Some(Self(bytes));
            }
        }
        None
    }
}

/// A page's end as text for a URL: the last document's key and id.
pub fn encode_cursor(key: &Key, id: &str) -> String {
    let mut bytes = Vec::with_capacity(2 + key.0.len() + id.len());
    bytes.extend((key.0.len() as u16).to_be_bytes());
    bytes.extend(&key.0);
    bytes.extend(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What [`encode_cursor`] made; `None` for any other text.
pub fn decode_cursor(text: &str) -> Option<(Key, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (key, id) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((Key(key.to_vec()), String::from_utf8(id.to_vec()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts() {
        let texts = ["", "\0", "\0a", "\u{1}", "a", "a\0", "a\u{1}", "ab", "b"];
        for (smaller, greater) in texts.iter().zip(&texts[1..]) {
            let key = |text: &str| Key::new().text(text).number(7);
            assert!(key(smaller) < key(greater), "{smaller:?} {greater:?}");
        }
        assert!(Key::new().number(255) < Key::new().number(256));
    }

    #[test]
    fn the_end_of_a_prefix_is_behind_all_that_begin_with_it() {
        let prefix = Key::new().text("a");
        let end = prefix.after_all().unwrap();
        assert!(prefix.clone().number(u64::MAX) < end);
        assert!(Key::new().text("a!") > end);
        assert_eq!(Key(vec![255, 255]).after_all(), None);
    }

    #[test]
    fn a_cursor_comes_back_and_another_text_does_not() {
        let key = Key::new().text("failed").number(3);
        assert_eq!(decode_cursor(&encode_cursor(&key, "é")), Some((key, "é".to_owned())));
        for text in ["", "?", "AA", "__8A"] {
            assert_eq!(decode_cursor(text), None, "{text}");
        }
    }
}
