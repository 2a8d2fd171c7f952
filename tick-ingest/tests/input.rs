//! The bytes of a source come out whole, or an error names it; its thread ends with it.

use std::io::{self, BufRead, Cursor, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use tick_ingest::ReadError;
use tick_ingest::input::{Compression, Input};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Bytes that no compressor makes small.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

fn input(bytes: Vec<u8>) -> Input {
    Input::from_reader("some.file", Box::new(Cursor::new(bytes))).unwrap()
}

fn read_all(mut input: Input) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    input.read_to_end(&mut out).map(|_| out)
}

#[test]
fn plain_gzip_and_zstd_give_the_same_bytes() {
    for len in [0, 1, Input::BUFFER - 1, Input::BUFFER, Input::BUFFER * 7 + 11] {
        let bytes = noise(len);
        let (first, second) = bytes.split_at(len / 3);
        let mut skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
        skippable.extend(zstd_frame(&bytes));
        for (packed, compression) in [
            (bytes.clone(), Compression::Plain),
            (gzip(&bytes), Compression::Gzip),
            ([gzip(first), gzip(second)].concat(), Compression::Gzip),
            (zstd_frame(&bytes), Compression::Zstd),
            ([zstd_frame(first), zstd_frame(second)].concat(), Compression::Zstd),
            (skippable, Compression::Zstd),
        ] {
            let mut source = input(packed);
            assert_eq!(source.compression(), compression);
            let head = &bytes[..len.min(Input::HEAD)];
            assert!(source.head().unwrap() == head, "{len} {compression:?}");
            assert!(read_all(source).unwrap() == bytes, "{len} {compression:?}, after a look at its head");
        }
    }
}

/// Gives one byte at a time, as a slow pipe may.
struct Dribble(Cursor<Vec<u8>>);

impl Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let one = out.len().min(1);
        self.0.read(&mut out[..one])
    }
}

#[test]
fn the_head_does_not_depend_on_how_the_bytes_arrive() {
    let bytes = noise(100_000);
    for packed in [bytes.clone(), gzip(&bytes), zstd_frame(&bytes)] {
        let mut source = Input::from_reader("pipe", Box::new(Dribble(Cursor::new(packed)))).unwrap();
        assert!(source.head().unwrap() == &bytes[..Input::HEAD]);
        source.consume(1000);
        assert!(source.head().unwrap() == &bytes[1000..1000 + Input::HEAD]);
        assert!(read_all(source).unwrap() == bytes[1000..]);
    }
}

#[test]
fn damaged_compression_is_an_error() {
    let bytes = noise(3 * Input::BUFFER);
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&bytes).unwrap();
    let summed = encoder.finish().unwrap();
    let cases = [
        (gzip(&bytes), "decompressing gzip"),
        (zstd_frame(&bytes), "decompressing zstd"),
        (summed.clone(), "decompressing zstd"),
    ];
    for (packed, doing) in cases {
        for cut in [packed.len() - 1, packed.len() / 2] {
            let out = failing(packed[..cut].to_vec(), doing);
            assert!(bytes.starts_with(&out), "bytes that were not in the file");
            let said = read_all(input(packed[..cut].to_vec())).unwrap_err().to_string();
            assert!(said.contains(&format!("at byte {cut} of the file: it is cut off")), "{said}");
        }
    }
    for (mut packed, doing) in [(gzip(&bytes), "decompressing gzip"), (summed, "decompressing zstd")] {
        let middle = packed.len() / 2;
        packed[middle] ^= 0x40;
        failing(packed, doing);
    }
}

#[test]
fn zeros_behind_a_gzip_member_are_no_data() {
    let bytes = noise(2 * Input::BUFFER);
    for zeros in [1, 511, 3 * Input::BUFFER] {
        let padded = [gzip(&bytes), vec![0; zeros]].concat();
        assert!(read_all(input(padded.clone())).unwrap() == bytes);
        let source = Input::from_reader("pipe", Box::new(Dribble(Cursor::new(padded.clone())))).unwrap();
        assert!(read_all(source).unwrap() == bytes);
        // Two padded files that were joined.
        assert!(read_all(input([padded.clone(), padded].concat())).unwrap() == bytes.repeat(2));
    }
}

#[test]
fn what_else_follows_a_gzip_member_is_an_error_with_its_place() {
    let bytes = noise(1000);
    let member = gzip(&bytes);
    for (zeros, garbage) in
        [(0, &b"garbage"[..]), (10, b"\x01"), (0, b"\x1f\x8c more"), (0, b"\x1f\x8b\x07 no method")]
    {
        let packed = [&member[..], &vec![0; zeros], garbage].concat();
        let mut out = Vec::new();
        let error = input(packed).read_to_end(&mut out).unwrap_err().to_string();
        assert!(out == bytes, "what was whole comes out");
        let at = member.len() + zeros;
        assert!(error.contains(&format!("at byte {at}, is not gzip")), "{garbage:?}: {error}");
    }
    for cut in [2, 9, member.len() - 1] {
        let packed = [&member[..], &member[..cut]].concat();
        let mut out = Vec::new();
        let error = input(packed).read_to_end(&mut out).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}: {error}");
    }
}

#[test]
fn the_given_padded_file_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/readers/32/trailing-zeros.csv.gz");
    let text = String::from_utf8(read_all(Input::open(path).unwrap()).unwrap()).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() > 10, "{text}");
}

/// What comes before the error of a damaged source.
fn failing(packed: Vec<u8>, doing: &str) -> Vec<u8> {
    let mut source = input(packed);
    let mut out = Vec::new();
    let error = source.read_to_end(&mut out).expect_err("damage went unseen");
    assert!(source.fill_buf().is_err(), "an error must not look like the end when asked again");
    match source.error(error) {
        ReadError::Io { file, doing: during, .. } => assert_eq!((&*file, during), ("some.file", doing)),
        other => panic!("{other}"),
    }
    out
}

#[test]
fn a_missing_file_is_named() {
    let error = Input::open("no/such/file.gz").map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/file.gz: opening the file: "), "{error}");
}

/// Endless, and shows when it is dropped, which is when the thread that owns it has ended.
struct Endless(Cursor<Vec<u8>>, mpsc::Sender<()>);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.position() == self.0.get_ref().len() as u64 {
            self.0.set_position(0);
        }
        self.0.read(out)
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.1.send(());
    }
}

#[test]
fn dropping_an_input_early_ends_its_thread() {
    for packed in [gzip(&noise(1000)), zstd_frame(&noise(1000))] {
        for buffers in [0, 1, 9] {
            let (ended, end) = mpsc::channel();
            let endless = Endless(Cursor::new(packed.clone()), ended);
            let mut source = Input::from_reader("endless", Box::new(endless)).unwrap();
            for _ in 0..buffers {
                let length = source.fill_buf().unwrap().len();
                source.consume(length);
            }
            drop(source);
            end.recv_timeout(Duration::from_secs(60)).expect("the thread goes on after the drop");
        }
    }
}
