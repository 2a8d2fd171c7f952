//! What a file says of itself beside its columns: key-value pairs, some within Arrow's schema.
//!
//! Programs that write by way of Arrow put its schema, a flatbuffer in base64, under `ARROW:schema`; the
//! pairs that their user gave are in it, and with some programs nowhere else.

use std::collections::BTreeMap;

use ::parquet::file::metadata::KeyValue;

/// More pairs than any file has.
const MAX_PAIRS: usize = 4096;

/// The pairs by key; those of the file itself go before those within Arrow's schema.
pub(super) fn pairs(file: Option<&Vec<KeyValue>>) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for KeyValue { key, value } in file.into_iter().flatten().take(MAX_PAIRS) {
        let Some(value) = value else { continue };
        if key == "ARROW:schema" {
            within_schema(value, &mut pairs);
        } else {
            pairs.insert(key.clone(), value.clone());
        }
    }
    pairs
}

/// What cannot be read of it is left out: the columns say what the file holds.
fn within_schema(text: &str, pairs: &mut BTreeMap<String, String>) -> Option<()> {
    const CONTINUES: [u8; 4] = [0xff; 4];
    let bytes = decode_base64(text)?;
    let message = bytes.strip_prefix(&CONTINUES).unwrap_or(&bytes).get(4..)?;
    let buffer = Flatbuffer(message);
    // Of a message the third field is what it holds, of a schema the third are the pairs.
    let schema = buffer.field(buffer.follow(0)?, 2)?;
    let list = buffer.follow(buffer.field(buffer.follow(schema)?, 2)?)?;
    let length = buffer.u32(list)? as usize;
    for i in 0..length.min(MAX_PAIRS) {
        let pair = buffer.follow(list + 4 + 4 * i)?;
        let text = |field| buffer.text(buffer.follow(buffer.field(pair, field)?)?);
        if let (Some(key), Some(value)) = (text(0), text(1)) {
            pairs.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    Some(())
}

/// A buffer of tables that say where their fields are; nothing in it is believed without a look.
struct Flatbuffer<'a>(&'a [u8]);

impl<'a> Flatbuffer<'a> {
    fn u16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    /// Where the offset at this place leads.
    fn follow(&self, at: usize) -> Option<usize> {
        at.checked_add(self.u32(at)? as usize)
    }

    /// Where a table's field is, if it has it.
    fn field(&self, table: usize, field: usize) -> Option<usize> {
        let back = self.u32(table)?.cast_signed();
        let fields = usize::try_from(i64::try_from(table).ok()? - i64::from(back)).ok()?;
        let place = 4 + 2 * field;
        if place + 2 > self.u16(fields)?.into() {
            return None;
        }
        match self.u16(fields + place)? {
            0 => None,
            offset => Some(table + usize::from(offset)),
        }
    }

    fn text(&self, at: usize) -> Option<&'a str> {
        let length = self.u32(at)? as usize;
        std::str::from_utf8(self.0.get(at + 4..)?.get(..length)?).ok()
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut word = 0;
        for byte in group {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(digit);
        }
        // Each digit has 6 bits; the bits beyond whole bytes are none.
        let whole = group.len() * 6 / 8;
        let left = word << (32 - 6 * group.len());
        bytes.extend_from_slice(&left.to_be_bytes()[..whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base64_of_any_length() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("+/+/", &[0xfb, 0xff, 0xbf])]
        {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(decode_base64("Zm9v\n"), None);
    }

    /// As pyarrow writes a schema with two pairs.
    const SCHEMA: &str = "\
        //////AAAAAQAAAAAAAKAA4ABgAFAAgACgAAAAABBAAQAAAAAAAKAAwAAAAEAAgACgAAAHgAAAAEAAAAAgAAADgAAAAEAAAA2P//\
        /xAAAAAEAAAAAQAAADIAAAAPAAAAcHJpY2VfcHJlY2lzaW9uAAgADAAEAAgACAAAABwAAAAEAAAADwAAAEJUQ1VTRFQuQklOQU5D\
        RQANAAAAaW5zdHJ1bWVudF9pZAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQABAAAAAAAAEPEAAAABwAAAAEAAAAAAAAAAUAAABw\
        cmljZQAGAAgABAAGAAAACAAAAAAAAAA=";

    #[test]
    fn pairs_within_arrows_schema_are_found_and_those_of_the_file_go_before() {
        let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
        let within = vec![pair("ARROW:schema", SCHEMA)];
        let expected = [("instrument_id", "BTCUSDT.BINANCE"), ("price_precision", "2")];
        let expected = BTreeMap::from(expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(pairs(Some(&within)), expected);
        let both = vec![pair("ARROW:schema", SCHEMA), pair("price_precision", "3")];
        assert_eq!(pairs(Some(&both))["price_precision"], "3");
        assert_eq!(pairs(None), BTreeMap::new());
    }

    proptest! {
        #[test]
        fn any_schema_is_read_or_left_out(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..3) {
            const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            // Small offsets lead somewhere more often.
            let text: String = bytes.iter().map(|b| char::from(DIGITS[usize::from(b >> (2 + cut))])).collect();
            within_schema(&text, &mut BTreeMap::new());
        }
    }
}
