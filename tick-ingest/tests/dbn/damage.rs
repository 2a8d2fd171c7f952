//! Damaged, hostile and foreign input.

use crate::*;

#[test]
fn a_file_cut_anywhere_in_a_record_is_an_error_after_its_whole_records() {
    let whole = fixture("test_data.trades.dbn");
    let record = size_of::<TradeMsg>();
    let header = whole.len() - 2 * record;
    for cut in 0..whole.len() {
        let (read, error) = read_all(&whole[..cut], usize::MAX);
        let records = cut.saturating_sub(header) / record;
        assert_eq!(read.ticks.len(), records, "cut at {cut}");
        match error {
            None => assert!(cut >= header && (cut - header).is_multiple_of(record), "cut at {cut}"),
            Some(error) if cut < header => assert!(error.to_string().starts_with("some.dbn: "), "{error}"),
            Some(error) => {
                let number = format!("some.dbn: record {} ends after ", records + 1);
                assert!(error.to_string().starts_with(&number), "cut at {cut}: {error}");
            }
        }
    }
}

#[test]
fn a_length_that_no_record_has_names_the_record() {
    let whole = fixture("test_data.trades.dbn");
    let second = whole.len() - size_of::<TradeMsg>();
    for words in (0..=u8::MAX).filter(|words| *words != 12) {
        let mut bytes = whole.clone();
        bytes[second] = words;
        let (read, error) = read_all(&bytes, usize::MAX);
        assert_eq!(read.ticks.len(), 1);
        let error = error.expect("a record of 12 words that says another length").to_string();
        assert!(error.starts_with("some.dbn: record 2 "), "{words} words: {error}");
    }
}

#[test]
fn a_header_that_claims_gigabytes_is_refused_before_they_are_taken() {
    for claimed in [1 << 29, (1 << 29) + 1, u32::MAX] {
        let mut bytes = fixture("test_data.trades.dbn");
        bytes[4..8].copy_from_slice(&claimed.to_le_bytes());
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("some.dbn: "), "{error}");
    }
}

#[test]
fn other_versions_and_other_content_are_refused() {
    for version in [0, 4, 255] {
        let mut bytes = fixture("test_data.trades.dbn");
        bytes[3] = version;
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("DBN of version {version}")), "{error}");
    }
    let error = read(b"a,b,c\n1,2,3\n").unwrap_err().to_string();
    assert!(error.starts_with("some.dbn: is not DBN"), "{error}");
}

#[test]
fn two_joined_files_are_named_with_the_remedy() {
    let readers = format!("{}/tests/data/readers/70-two-dbn-joined.dbn.zst", env!("CARGO_MANIFEST_DIR"));
    let joined = zstd::decode_all(&std::fs::read(readers).unwrap()[..]).unwrap();
    let empty = file(Schema::Trades).bytes();
    let long = fixture("test_data.trades.dbn");
    let after = [&fixture("test_data.mbp-1.dbn")[..], &empty].concat();
    for (bytes, record) in [(joined, None), ([&long[..], &long].concat(), Some(3)), (after, Some(3))] {
        for piece in [1, 7, usize::MAX] {
            let (read, error) = read_all(&bytes, piece);
            let error = error.expect("a file behind a file").to_string();
            assert!(error.contains("is the header of another DBN file"), "{error}");
            assert!(error.contains("give them one by one"), "{error}");
            if let Some(record) = record {
                assert!(error.starts_with(&format!("some.dbn: record {record} ")), "{error}");
            }
            assert!(!read.ticks.is_empty(), "the first file's ticks come before the error");
        }
    }
}

#[test]
fn dbz_is_named_with_the_remedy() {
    let mut bytes = vec![0x51, 0x2a, 0x4d, 0x18];
    bytes.extend(116u32.to_le_bytes());
    bytes.extend(b"DBZ\x01");
    bytes.resize(8 + 116, 0);
    bytes.extend(zstd::encode_all(&[0u8; 48][..], 1).unwrap());
    let source = Box::new(std::io::Cursor::new(bytes));
    let error = tick_ingest::detect::open_reader("old.dbz", source, &ReadOptions::default());
    let error = error.err().expect("no DBN").to_string();
    assert!(error.starts_with("old.dbz: is DBZ") && error.contains("dbn OLD.dbz -o NEW.dbn"), "{error}");
}

#[test]
fn an_input_that_fails_is_named() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let bytes = fixture("test_data.trades.dbn");
    let header = bytes.len() - 2 * size_of::<TradeMsg>();
    let input = std::io::Cursor::new(bytes[..header].to_vec()).chain(Broken);
    let mut reader = DbnReader::open("some.dbn", Box::new(input), &ReadOptions::default()).unwrap();
    let error = reader.read(&mut Batch::default()).unwrap_err();
    assert_eq!(error.to_string(), "some.dbn: reading DBN: the disk is gone");
    assert!(!reader.read(&mut Batch::default()).unwrap(), "it has ended");
}

const FIXTURES: [&str; 11] = [
    "test_data.bbo-1s.dbn",
    "test_data.definition.dbn",
    "test_data.mbo.dbn",
    "test_data.mbp-1.dbn",
    "test_data.mbp-1.v1.dbn.zst",
    "test_data.mbp-1.v3.dbn.zst",
    "test_data.ohlcv-1s.dbn",
    "test_data.tbbo.dbn",
    "test_data.trades.dbn",
    "test_data.trades.v1.dbn.zst",
    "test_data.trades.v3.dbn.zst",
];

#[test]
fn no_flipped_bit_is_a_panic() {
    // One of each version's header, and one of each type of record.
    for name in ["mbp-1.dbn", "mbp-1.v1.dbn.zst", "mbp-1.v3.dbn.zst", "tbbo.dbn", "bbo-1s.dbn", "mbo.dbn"] {
        let whole = fixture(&format!("test_data.{name}"));
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (read, _) = read_all(&bytes, usize::MAX);
            assert!(read.ticks.len() <= 12, "{name}, bit {bit}: {} ticks", read.ticks.len());
        }
    }
}

proptest! {
    #[test]
    fn damage_is_never_a_panic(
        name in proptest::sample::select(&FIXTURES[..]),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<proptest::sample::Index>(),
        chunk in 1_usize..200,
    ) {
        let mut bytes = fixture(name);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (read, _) = read_all(&bytes, chunk);
        // The smallest record with a quote is 80 bytes and yields three ticks.
        prop_assert!(read.ticks.len() <= bytes.len() / 26);
    }

    #[test]
    fn garbage_after_a_good_header_is_never_a_panic(
        schema in proptest::sample::select(&[None, Some(Schema::Mbo), Some(Schema::Mbp1), Some(Schema::Tcbbo)][..]),
        // Lengths and types that occur, so that more than the framing is met.
        records in proptest::collection::vec(
            (any::<u8>(), proptest::sample::select(&[0_u8, 1, 0x16, 0x17, 0xa0, 0xb1, 0xc2, 0xc3][..]),
             proptest::collection::vec(any::<u8>(), 0..400)),
            0..40,
        ),
    ) {
        let mut bytes = file(schema).bytes();
        for (words, rtype, body) in records {
            let start = bytes.len();
            bytes.extend([words & !1, rtype]);
            bytes.extend(body);
            bytes.resize(start + usize::from(words & !1).max(1) * 4, b'T');
        }
        let _ = read_all(&bytes, usize::MAX);
    }

    #[test]
    fn how_the_input_comes_in_pieces_changes_nothing(
        quotes in proptest::collection::vec((1_i64..4, 0_i64..3, any::<bool>()), 0..300),
        chunk in 1_usize..300,
    ) {
        let records: Vec<_> = (MONDAY..)
            .zip(quotes)
            .map(|(at, (bid, size, traded))| mbp1(at, if traded { 'T' } else { 'A' }, [bid, size, 110, 6]))
            .collect();
        let bytes = file(Schema::Mbp1).with_all(&records).bytes();
        let (whole, none) = read_all(&bytes, usize::MAX);
        prop_assert!(none.is_none());
        let (pieces, none) = read_all(&bytes, chunk);
        prop_assert!(none.is_none());
        prop_assert_eq!(&whole.ticks, &pieces.ticks);
        prop_assert_eq!(&whole.counts, &pieces.counts);

        // The last tick sent of each side is the book of the last record.
        if let Some(last) = records.last() {
            let side = |kind| whole.ticks.iter().rfind(|tick| tick.kind == kind).unwrap();
            let top = &last.levels[0];
            prop_assert_eq!((side(Kind::BID).price, side(Kind::BID).size), (top.bid_px, u64::from(top.bid_sz) * ONE));
            prop_assert_eq!((side(Kind::ASK).price, side(Kind::ASK).size), (top.ask_px, u64::from(top.ask_sz) * ONE));
        }
        let trades = records.iter().filter(|record| record.action as u8 == b'T').count();
        prop_assert_eq!(whole.ticks.iter().filter(|tick| tick.kind == Kind::TRADE).count(), trades);
        let changes = records.windows(2).filter(|pair| pair[0].levels != pair[1].levels).count();
        let quotes = if records.is_empty() { 0 } else { changes + 1 };
        prop_assert_eq!(whole.ticks.len(), trades + 2 * quotes);
    }
}
