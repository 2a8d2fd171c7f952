use proptest::prelude::*;

use super::received::ALIGNMENT;
use super::*;
use tick_sdk::test_kit::check_golden;
use tick_sdk::{Kind, Side};

fn header(first_seq: u64) -> FrameHeader {
    FrameHeader {
        run: RunId([7; 16]),
        shard: 1,
        shards: 3,
        attempt: 2,
        first_seq,
        published_at: 1_723_161_258_362_000_000,
        watermark: 1_723_161_258_000_000_000,
        flags: FrameFlags::TICKS,
    }
}

fn sample(ticks: usize) -> Frame {
    let ticks = (0..ticks as u64)
        .map(|i| match i % 2 {
            0 => Tick::trade(i, i + 1, 61_800_100_000_000, 5, Side::BUY),
            _ => Tick::quote(Kind::BID, i, i + 1, 61_800_000_000_000, 7).of(1).last(),
        })
        .collect();
    let new = ["BTCUSDT", "ETHUSDT"].iter().zip(0..).map(|(symbol, id)| NewInstrument {
        id,
        symbol: (*symbol).to_owned(),
        key: "btc-eth".to_owned(),
    });
    Frame::owned(header(1000), ticks).naming(new.collect(), 2)
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = AlignedVec::new();
    frame.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

#[test]
fn a_frame_comes_back_whole_and_its_ticks_in_place() {
    for count in [0, 1, 2, 1000] {
        let frame = sample(count);
        let back = Frame::decode(encoded(&frame)).unwrap();
        assert_eq!(back.header, frame.header);
        assert_eq!(back.new_instruments, frame.new_instruments);
        assert_eq!(back.dictionary_len, 2);
        assert_eq!(back.ticks(), frame.ticks());
        assert_eq!(back.end_seq(), 1000 + count as u64);
    }
}

#[test]
fn a_damaged_body_still_says_which_frame_it_claims_to_be() {
    let mut bytes = encoded(&sample(10));
    *bytes.last_mut().unwrap() ^= 1;
    assert!(Frame::decode(bytes.clone()).is_err());
    assert_eq!(FrameHeader::claimed(&bytes), Ok((header(1000), 10)));
    assert!(FrameHeader::claimed(&bytes[..PREFIX_BYTES - 1]).is_err());
}

#[test]
fn the_buffer_is_copied_only_where_it_is_not_aligned() {
    let bytes = encoded(&sample(10));
    let at = bytes.as_ptr().addr();
    let range = at..at + bytes.len();
    let frame = Frame::decode(bytes).unwrap();
    let ticks = frame.ticks().as_ptr().addr();
    assert!(range.contains(&ticks) || !at.is_multiple_of(ALIGNMENT));
}

#[test]
fn every_single_bit_flip_is_found() {
    let bytes = encoded(&sample(3));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::decode(damaged).is_err(), "bit {bit} went unnoticed");
    }
}

#[test]
fn every_truncation_and_every_appendix_is_found() {
    let bytes = encoded(&sample(3));
    for len in 0..bytes.len() {
        assert!(Frame::decode(bytes[..len].to_vec()).is_err(), "{len} bytes");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(Frame::decode(longer), Err(FrameError::Length { .. })));
}

#[test]
fn a_foreign_message_and_another_version_are_distinguished() {
    assert_eq!(Frame::decode(b"{\"hello\":1}".to_vec()).unwrap_err(), FrameError::Magic);
    let mut bytes = encoded(&sample(1));
    bytes[4] = 9;
    assert_eq!(Frame::decode(bytes).unwrap_err(), FrameError::Version { found: 9 });
}

/// A golden frame: other languages read this layout, so it may not change within a wire version.
#[test]
fn the_layout_is_the_golden_one() {
    check_golden("tests/golden/frame-v1.bin", encoded(&sample(3)));
}

/// The same for names that do not fit into eight bytes, and for a frame without ticks.
#[test]
fn the_layout_of_long_names_is_the_golden_one() {
    let symbol_of_70 = "X".repeat(70);
    let new = [("BTC-PERP", "BTC-PERP"), ("BTC-PERPS", "perpetuals €"), (&symbol_of_70, "a")];
    let new = new.iter().zip(0..).map(|((symbol, key), id)| NewInstrument {
        id,
        symbol: (*symbol).to_owned(),
        key: (*key).to_owned(),
    });
    let header = FrameHeader { flags: FrameFlags::DICTIONARY, ..header(1003) };
    let frame = Frame::owned(header, Vec::new()).naming(new.collect(), 3);
    check_golden("tests/golden/frame-v1-names.bin", encoded(&frame));
}

proptest! {
    /// A body whose CRC was made right again after the damage still must not panic.
    #[test]
    fn hostile_archives_are_no_panic(
        changes in proptest::collection::vec((CRC_FROM..400usize, any::<u8>()), 1..8),
        ticks in 0usize..4,
    ) {
        let mut bytes = encoded(&sample(ticks));
        for (at, value) in changes {
            let at = CRC_FROM + (at - CRC_FROM) % (bytes.len() - CRC_FROM);
            bytes[at] = value;
        }
        let crc = crc32c(&bytes[CRC_FROM..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        if let Ok(frame) = Frame::decode(bytes) {
            let _ = (frame.ticks().len(), frame.end_seq());
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Frame::decode(bytes.clone());
        if bytes.len() > 8 {
            bytes[..4].copy_from_slice(&MAGIC);
            bytes[4..8].copy_from_slice(&WIRE_VERSION.to_le_bytes());
            let _ = Frame::decode(bytes);
        }
    }
}
