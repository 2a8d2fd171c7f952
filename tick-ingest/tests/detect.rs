//! A source is known by its content, and what is not known is described.

use std::io::Cursor;

use tick_ingest::Format;
use tick_ingest::detect::open_reader;
use tick_ingest::input::Compression;
use tick_ingest::{Batch, ReadError, ReadOptions};

fn open(bytes: &[u8]) -> Result<(Format, Compression), ReadError> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    open_reader("some.file", source, &ReadOptions::default())
        .map(|opened| (opened.format, opened.compression))
}

fn refused(bytes: &[u8]) -> String {
    match open(bytes).unwrap_err() {
        ReadError::Format { file, reason, advice } => {
            assert_eq!(file, "some.file");
            assert!(!advice.is_empty());
            reason
        }
        other => panic!("{other}"),
    }
}

#[test]
fn binance_streams_are_known_by_their_first_line() {
    for line in [
        r#"1723161255088176367 {"stream":"btcusdt@trade","data":{}}"#,
        r#"{"e":"trade"}"#,
        "\u{feff}\r\n\n{ \"E\" : 1, \"e\" : \"trade\" }",
        r#"{"u":1,"s":"S","b":"1","B":"1","a":"1","A":"1"}"#,
        r#"17 {"lastUpdateId":1,"bids":[]}"#,
        r#"-5 {"e":"trade"}"#,
        r#"{"e":"tra"#,
        r#"1717200000.123456 {"e":"trade"}"#,
        r#"2024-06-01T00:00:00.123Z {"e":"trade"}"#,
        r#"2024-06-01 00:00:00.123456,{"e":"trade"}"#,
        "1717200000123\t{\"e\":\"trade\"}",
        r#"[1717200000123] {"e":"trade"}"#,
        r#"{"ts":1717200000123,"msg":{"e":"trade"}}"#,
        r#"{"ts":1717200000123,"msg":"{\"e\":\"trade\"}"}"#,
        r#"[{"e":"trade"}]"#,
    ] {
        assert_eq!(open(line.as_bytes()).unwrap(), (Format::BinanceStream, Compression::Plain), "{line}");
        let packed = zstd::encode_all(line.as_bytes(), 1).unwrap();
        assert_eq!(open(&packed).unwrap(), (Format::BinanceStream, Compression::Zstd), "{line}");
    }
}

#[test]
fn what_is_unknown_is_described() {
    assert_eq!(refused(b""), "is empty");
    assert_eq!(refused(&zstd::encode_all(&b""[..], 1).unwrap()), "is empty behind its compression");
    assert_eq!(refused(b"\r\n \n"), "holds only blanks");
    assert!(refused(b"PK\x03\x04rest").starts_with("is a zip archive"));
    let other = refused(b"{\"price\":1}\n{\"price\":2}");
    assert_eq!(other, "is JSON, but none of Binance's streams; it begins with: {\"price\":1}");
    assert!(refused(b"\x7fELF\x00").ends_with("it begins with: \\u{7f}ELF\\u{0}"));
    assert!(refused(b"123{\"e\":1}").starts_with("is of no known format"));
}

#[test]
fn damage_behind_the_head_is_an_error_of_the_reader_with_the_files_name() {
    let lines = r#"{"e":"trade","T":1,"s":"S","p":"1","q":"1","m":true}"#.to_owned() + "\n";
    let whole = zstd::encode_all(lines.repeat(20_000).as_bytes(), 1).unwrap();
    let source = Box::new(Cursor::new(whole[..whole.len() - 5].to_vec()));
    let mut reader = open_reader("cut.zst", source, &ReadOptions::default()).unwrap().reader;
    let mut batch = Batch::default();
    let error = loop {
        match reader.read(&mut batch) {
            Ok(more) => assert!(more, "damage looked like the file's end"),
            Err(error) => break error.to_string(),
        }
        batch.clear();
    };
    assert!(error.starts_with("cut.zst: decompressing zstd: "), "{error}");
}
