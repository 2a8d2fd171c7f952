//! Damaged files are refused with their name; nothing panics its way out.

use std::io::Write;

use tempfile::NamedTempFile;
use tick_ingest::ReadOptions;

use super::{data, options, read};

const FILES: [(&str, Option<&str>); 5] = [
    ("nautilus-trades-16", None),
    ("nautilus-quotes-decimals", None),
    ("pandas-trades", Some("time=timestamp:ns,symbol=symbol,price=price,size=amount")),
    ("spark-trades", Some("time=event_time:ns,symbol=ticker,price=price,size=size")),
    ("date-and-time", Some("time=date:rfc3339,symbol=symbol,price=price,size=volume")),
];

/// What is said of a file of these bytes, if anything.
fn said(bytes: &[u8], options: &ReadOptions) -> Option<String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let name = file.path().to_str().unwrap();
    let error = read(name, options).err()?.to_string();
    assert!(error.starts_with(name), "{error}");
    Some(error)
}

#[test]
fn a_file_that_is_cut_short_is_refused() {
    for (name, mapping) in FILES {
        let bytes = std::fs::read(data(name)).unwrap();
        let options = options(None, mapping);
        assert_eq!(said(&bytes, &options), None, "{name}");
        for length in (5..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
            let error = said(&bytes[..length], &options);
            assert!(error.is_some_and(|error| error.contains("cannot be decoded")), "{name} {length}");
        }
    }
}

#[test]
fn any_byte_may_be_wrong() {
    let mut refused = 0;
    for (name, mapping) in FILES {
        let bytes = std::fs::read(data(name)).unwrap();
        let options = options(None, mapping);
        for at in 4..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            refused += usize::from(said(&damaged, &options).is_some());
        }
    }
    assert!(refused > 500, "{refused}");
}
