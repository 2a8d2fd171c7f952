//! Texts in other encodings than UTF-8, and with other line breaks: read as they would be in UTF-8.

use std::io::{self, BufRead, Read};

use memchr::memchr;

use crate::ReadError;
use crate::input::{Compression, Input};

/// The source as UTF-8 text with line feeds, if it is UTF-16 or breaks lines by carriage returns alone; else as it
/// is, which costs nothing but the look at its head.
///
/// # Errors
/// Its first bytes cannot be read, or are UTF-32.
pub(crate) fn to_utf8_lines(mut input: Input) -> Result<Input, ReadError> {
    let (name, compression) = (input.name().to_owned(), input.compression());
    let head = input.head()?;
    if let Some(encoding) = utf32(head) {
        return Err(not_utf8(&name, "is", encoding, compression));
    }
    if let Some(order) = utf16(head) {
        input = input.adapted(|input| Utf16Reader::new(input, order));
    }
    // Nearly every text has a line feed at the end of its first line.
    let head = input.head()?;
    if memchr(b'\n', head).is_none() && memchr(b'\r', head).is_some() {
        input = input.adapted(|from| ReturnsAsFeeds { from, after_return: false });
    }
    Ok(input)
}

/// Refuses a text whose first line is in an encoding of its own, which is guessed for the line that converts it.
///
/// # Errors
/// The first line is not UTF-8.
pub(crate) fn expect_utf8(name: &str, head: &[u8], compression: Compression) -> Result<(), ReadError> {
    let line = &head[..memchr(b'\n', head).unwrap_or(head.len())];
    match std::str::from_utf8(line) {
        // The end of the head may cut a character in two.
        Err(error) if error.error_len().is_some() || line.len() < head.len() => {
            Err(not_utf8(name, "is not UTF-8 but probably", likely_encoding(line), compression))
        }
        _ => Ok(()),
    }
}

#[cold]
fn not_utf8(name: &str, is: &str, encoding: &str, compression: Compression) -> ReadError {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let file = quoted(name);
    let convert = format!("iconv -f {encoding} -t UTF-8");
    let line = match (compression, name.rsplit_once(".zip/")) {
        (Compression::Gzip, None) => format!("zcat {file} | {convert} > OUT.csv"),
        (Compression::Zstd, None) => format!("zstdcat {file} | {convert} > OUT.csv"),
        (Compression::Zip, Some((archive, member))) => {
            format!("unzip -p {} {} | {convert} > OUT.csv", quoted(&format!("{archive}.zip")), quoted(member))
        }
        (Compression::Plain, _) if name != crate::input::STANDARD_INPUT => {
            format!("{convert} {file} > OUT.csv")
        }
        _ => format!("{convert} < UNPACKED > OUT.csv"),
    };
    let doubt = if is == "is" { "" } else { " (or with the name of its own encoding)" };
    ReadError::Format {
        file: name.to_owned(),
        reason: format!("its text {is} {encoding}"),
        advice: format!("convert it, and read OUT.csv: {line}{doubt}"),
    }
}

/// What an encoding of single bytes or pairs of them is called by iconv, after the bytes above ASCII.
fn likely_encoding(line: &[u8]) -> &'static str {
    let is_high = |byte: &u8| !byte.is_ascii();
    let in_words = line.split(|byte| byte.is_ascii() && !byte.is_ascii_lowercase());
    let is_mixed = |word: &[u8]| word.iter().any(is_high) && word.iter().any(u8::is_ascii);
    let runs = || line.split(u8::is_ascii).filter(|run| !run.is_empty());
    // Accents stand among letters, alone, or beside one another; the other scripts fill whole words.
    if in_words.into_iter().any(is_mixed) || runs().all(|run| run.len() == 1) {
        return "WINDOWS-1252";
    }
    // Cyrillic letters lie at the end of the code page; of Chinese characters some always lie before.
    if runs().all(|run| run.iter().all(|byte| *byte >= 0xc0)) && runs().any(|run| run.len() > 2) {
        return "WINDOWS-1251";
    }
    let is_common = |pair: &[u8]| matches!(pair, [0xa1..=0xf7, 0xa1..=0xfe]);
    let in_pairs = runs().all(|run| run.len().is_multiple_of(2) && run.chunks(2).all(is_common));
    if in_pairs { "GBK" } else { "GB18030" }
}

fn utf32(head: &[u8]) -> Option<&'static str> {
    let has_mark = matches!(head, [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..]);
    has_mark.then_some("UTF-32")
}

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// Whether this is UTF-16: by its mark, or because most units are ASCII characters with a zero beside them.
fn utf16(head: &[u8]) -> Option<Order> {
    const LOOKED_AT: usize = 1024;
    match head {
        [0xff, 0xfe, ..] => return Some(Order::Little),
        [0xfe, 0xff, ..] => return Some(Order::Big),
        _ => {}
    }
    let sample = &head[..head.len().min(LOOKED_AT)];
    memchr(0, sample)?;
    let is_text = |unit: &u16| matches!(unit, 0x20..0x7f | 9 | 10 | 13);
    [Order::Little, Order::Big].into_iter().find(|order| {
        let units = || sample.chunks_exact(2).map(|unit| order.unit([unit[0], unit[1]]));
        let texts = units().filter(is_text).count();
        2 * texts > units().count() && units().all(|unit| unit != 0)
    })
}

/// UTF-16 as UTF-8.
struct Utf16Reader<R> {
    from: R,
    order: Order,
    /// The start of a character whose end is still to be read: at most three bytes.
    begun: Vec<u8>,
    /// Decoded, and from `at` on not yet handed out; at most three times a buffer of the source.
    decoded: Vec<u8>,
    at: usize,
    /// Bytes of the source that were decoded.
    offset: u64,
}

impl<R: BufRead> Utf16Reader<R> {
    fn new(from: R, order: Order) -> Self {
        Self { from, order, begun: Vec::new(), decoded: Vec::new(), at: 0, offset: 0 }
    }

    /// Decodes what comes next; nothing at the end.
    fn decode_more(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.at = 0;
        while self.decoded.is_empty() {
            let chunk = self.from.fill_buf()?;
            let read = chunk.len();
            if read == 0 {
                return if self.begun.is_empty() {
                    Ok(())
                } else {
                    Err(self.broken("ends within a character"))
                };
            }
            let mut bytes = std::mem::take(&mut self.begun);
            bytes.extend_from_slice(chunk);
            self.from.consume(read);
            self.decode(&bytes)?;
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8]) -> io::Result<()> {
        let unit = |bytes: &[u8]| self.order.unit([bytes[0], bytes[1]]);
        let mut whole = bytes.len() / 2 * 2;
        // The second half of a pair is in the next chunk.
        if whole > 0 && matches!(unit(&bytes[whole - 2..]), 0xd800..=0xdbff) {
            whole -= 2;
        }
        for character in char::decode_utf16(bytes[..whole].chunks_exact(2).map(unit)) {
            let Ok(character) = character else {
                return Err(self.broken("has a half of a character"));
            };
            let mut utf8 = [0; 4];
            self.decoded.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            self.offset += 2 * character.len_utf16() as u64;
        }
        self.begun.extend_from_slice(&bytes[whole..]);
        Ok(())
    }

    #[cold]
    fn broken(&self, what: &str) -> io::Error {
        let reason = format!("its UTF-16 {what}, behind byte {} of the text", self.offset);
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }
}

impl<R: BufRead> Read for Utf16Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.decoded.len() {
            self.decode_more()?;
        }
        let read = (&self.decoded[self.at..]).read(out)?;
        self.at += read;
        Ok(read)
    }
}

/// Carriage returns as line feeds; a line feed right behind one is not another line break.
struct ReturnsAsFeeds<R> {
    from: R,
    after_return: bool,
}

impl<R: Read> Read for ReturnsAsFeeds<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.from.read(out)?;
            let mut kept = 0;
            for place in 0..read {
                let byte = out[place];
                let is_second = byte == b'\n' && self.after_return;
                self.after_return = byte == b'\r';
                if !is_second {
                    out[kept] = if byte == b'\r' { b'\n' } else { byte };
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: Vec<u8>) -> String {
        let input = Input::from_reader("some.csv", Box::new(Cursor::new(bytes))).unwrap();
        let mut text = Vec::new();
        to_utf8_lines(input).unwrap().read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn utf16_of(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Characters of two and four bytes come to lie where buffers are cut.
        #[test]
        fn utf16_reads_as_the_same_text(row in "[a-z0-9,]{9,30}[é時🍎]{0,2}", rows in 1..5000usize) {
            let text = format!("{row}\r\n").repeat(rows);
            for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                prop_assert!(read(utf16_of(&text, to_bytes)) == text);
                let marked = format!("\u{feff}{text}");
                prop_assert!(read(utf16_of(&marked, to_bytes)) == marked);
            }
        }

        #[test]
        fn returns_break_lines(rows in prop::collection::vec("[a-z0-9,]{1,30}", 2..20)) {
            prop_assert_eq!(read(rows.join("\r").into_bytes()), rows.join("\n"));
            prop_assert_eq!(read(utf16_of(&rows.join("\r"), u16::to_le_bytes)), rows.join("\n"));
            prop_assert_eq!(read(rows.join("\r\n").into_bytes()), rows.join("\r\n"));
        }

        #[test]
        fn utf8_stays_as_it_is(text in "\\PC{0,300}") {
            prop_assert_eq!(&read(text.clone().into_bytes()), &text);
            prop_assert!(expect_utf8("some.csv", text.as_bytes(), Compression::Plain).is_ok());
        }
    }

    /// Behind the head lone returns go on, and a pair that a buffer cuts is one line break.
    #[test]
    fn a_pair_that_is_cut_is_one_line_break() {
        let mut reader = ReturnsAsFeeds { from: b"a\rb\r".chain(&b"\nc"[..]), after_return: false };
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\nc");
    }

    #[test]
    fn a_broken_character_is_an_error_with_its_place() {
        for (bytes, said) in [
            (&b"\xff\xfea\0b"[..], "ends within a character, behind byte 4"),
            (b"\xff\xfea\0\x00\xd8", "ends within a character, behind byte 4"),
            (b"\xff\xfea\0\x00\xdcb\0", "has a half of a character, behind byte 4"),
        ] {
            let input = Input::from_reader("some.csv", Box::new(Cursor::new(bytes))).unwrap();
            let error = to_utf8_lines(input).map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("some.csv: reading: ") && error.contains(said), "{error}");
        }
    }

    #[test]
    fn other_encodings_are_named_with_the_line_that_converts() {
        for (head, line) in [
            // 时间,最新价 and 日期 in GBK.
            (
                &b"\xca\xb1\xbc\xe4,\xd7\xee\xd0\xc2\xbc\xdb\n1,2"[..],
                "iconv -f GBK -t UTF-8 'a b.csv' > OUT.csv",
            ),
            (b"\xc8\xd5\xc6\xda;x\n", "iconv -f"),
            // Дата,Цена in Windows-1251.
            (b"\xc4\xe0\xf2\xe0,\xd6\xe5\xed\xe0\n", "iconv -f WINDOWS-1251 -t UTF-8 'a b.csv' > OUT.csv"),
            (b"Gr\xf6\xdfe,Preis\n", "iconv -f WINDOWS-1252"),
            (b"B\xf6rse,Preis\n", "iconv -f WINDOWS-1252 -t UTF-8 'a b.csv' > OUT.csv"),
        ] {
            let error = expect_utf8("a b.csv", head, Compression::Plain).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
        let error = expect_utf8("x/a.zip/b.csv", b"B\xf6rse\n", Compression::Zip).unwrap_err().to_string();
        assert!(error.contains("unzip -p 'x/a.zip' 'b.csv' | iconv -f WINDOWS-1252"), "{error}");
        let input = Input::from_reader("a", Box::new(&b"\xff\xfe\0\0a\0\0\0"[..])).unwrap();
        let error = to_utf8_lines(input).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("is UTF-32") && error.contains("iconv -f UTF-32 -t UTF-8 'a'"), "{error}");
    }
}
