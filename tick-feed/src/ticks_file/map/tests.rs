use proptest::prelude::*;

use super::*;
use crate::ticks_file::TicksWriter;
use tick_sdk::test_kit::check_golden;
use tick_sdk::Side;

fn ticks(count: u64) -> Vec<Tick> {
    (0..count).map(|i| Tick::trade(i, i / 2, i as i64 * 1000, 1, Side::SELL).of((i % 2) as u32)).collect()
}

fn file_of(ticks: &[Tick]) -> Vec<u8> {
    let mut writer = TicksWriter::new(Vec::new()).unwrap();
    writer.add_symbol("BTCUSDT").unwrap();
    writer.add_symbol("ETHUSDT").unwrap();
    for part in ticks.chunks(1000) {
        writer.write(part).unwrap();
    }
    writer.finish().unwrap()
}

fn open(bytes: &[u8]) -> Result<TicksFile, TicksFileError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    TicksFile::open(file.path())
}

fn read_all(file: &TicksFile) -> Result<Vec<Tick>, TicksFileError> {
    let mut all = Vec::new();
    for index in 0..file.blocks() {
        all.extend_from_slice(file.block(index)?.0.as_slice());
    }
    Ok(all)
}

#[test]
fn what_was_written_is_read() {
    for count in [0, 1, 8191, 8192, 8193, 20_000] {
        let written = ticks(count);
        let file = open(&file_of(&written)).unwrap();
        assert_eq!(read_all(&file).unwrap(), written);
        assert_eq!(file.symbols(), ["BTCUSDT", "ETHUSDT"]);
        assert_eq!(file.ticks(), count);
        if count > 0 {
            assert_eq!(file.span(), (0, (count - 1) / 2));
            assert_eq!(file.block_end(file.blocks() - 1), (count - 1) / 2);
        }
    }
}

#[test]
fn every_single_bit_flip_is_found() {
    let bytes = file_of(&ticks(5));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let found = open(&damaged).and_then(|file| read_all(&file));
        assert!(found.is_err(), "bit {bit} went unnoticed");
    }
}

#[test]
fn every_truncation_is_found() {
    let bytes = file_of(&ticks(5));
    for len in 0..bytes.len() {
        assert!(open(&bytes[..len]).and_then(|file| read_all(&file)).is_err(), "{len} bytes");
    }
}

#[test]
fn the_writer_refuses_what_the_reader_could_not_use() {
    let mut writer = TicksWriter::new(Vec::new()).unwrap();
    let tick = Tick::trade(5, 5, 1, 1, Side::NONE);
    assert!(matches!(writer.write(&[tick]), Err(TicksFileError::Instrument { id: 0, .. })));
    writer.add_symbol("A").unwrap();
    writer.write(&[tick]).unwrap();
    let earlier = Tick { ts_recv: 4, ..tick };
    assert!(matches!(writer.write(&[earlier]), Err(TicksFileError::OutOfOrder { index: 1, ts_recv: 4 })));
    assert!(writer.add_symbol("").is_err());
}

/// A golden file: readers in other languages rely on this layout.
#[test]
fn the_layout_is_the_golden_one() {
    check_golden("tests/golden/ticks-v2.ticks", file_of(&ticks(5)));
}

proptest! {
    /// A part whose own CRC was made right again after the damage must still not panic.
    #[test]
    fn hostile_parts_are_no_panic(changes in proptest::collection::vec((0..PART_BYTES - 4, any::<u8>()), 1..6), which in 0..3) {
        let mut bytes = file_of(&ticks(5));
        let start = [0, PART_BYTES, bytes.len() - PART_BYTES][which as usize];
        for (at, value) in changes {
            bytes[start + at] = value;
        }
        let crc = crc32c(&bytes[start..start + PART_BYTES - 4]);
        bytes[start + PART_BYTES - 4..start + PART_BYTES].copy_from_slice(&crc.to_le_bytes());
        let _ = open(&bytes).and_then(|file| read_all(&file));
    }
}
