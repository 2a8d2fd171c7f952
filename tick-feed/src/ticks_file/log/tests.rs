use proptest::prelude::*;

use super::*;
use crate::ticks_file::TicksFile;
use tick_sdk::Side;

const NOW: Duration = Duration::from_millis(1);

fn ticks(from: u64, count: u64) -> Vec<Tick> {
    (from..from + count).map(|n| Tick::trade(n, n, n as i64, 1, Side::NONE).of((n % 3) as u32)).collect()
}

fn begun(path: &Path) -> TicksLog {
    let mut log = TicksLog::open(path).unwrap();
    if log.symbols().is_empty() {
        for name in ["A", "B", "C"] {
            log.add_symbol(name).unwrap();
        }
    }
    log
}

fn read_all(reader: &mut TicksLogReader) -> Vec<Tick> {
    let mut all = Vec::new();
    while reader.read(&mut all, 1000, NOW).unwrap() == LogRead::Ticks {}
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However it was appended to, and cut off by how many bytes: what is read is a beginning of what
    /// was written, and finished it is a file as any other.
    #[test]
    fn what_was_written_is_read(
        parts in prop::collection::vec(1..3000u64, 1..8),
        cut in prop::option::of(1..200_000u64),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.ticks");
        let mut log = begun(&path);
        let mut written = 0;
        for part in &parts {
            log.append(&ticks(written, *part)).unwrap();
            written += part;
        }
        prop_assert_eq!(read_all(&mut log.reader().unwrap()), ticks(0, written));
        drop(log);
        if let Some(cut) = cut {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length.saturating_sub(cut).max(PART_BYTES as u64)).unwrap();
        }
        let mut log = begun(&path);
        let kept = log.ticks();
        prop_assert!(cut.is_some() || kept == written);
        let mut reader = log.reader().unwrap();
        prop_assert_eq!(read_all(&mut reader), ticks(0, kept));
        log.append(&ticks(kept, 5000)).unwrap();
        log.finish().unwrap();
        prop_assert_eq!(read_all(&mut reader), ticks(kept, 5000));
        prop_assert_eq!(reader.read(&mut Vec::new(), 1, NOW).unwrap(), LogRead::End);

        let file = TicksFile::open(&path).unwrap();
        let blocks = (0..file.blocks()).flat_map(|block| file.block(block).unwrap().0.as_slice().to_vec());
        prop_assert_eq!(blocks.collect::<Vec<_>>(), ticks(0, kept + 5000));
        prop_assert_eq!(file.symbols(), ["A", "B", "C"]);
    }
}

#[test]
fn a_reader_waits_for_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = begun(&folder.path().join("log.ticks"));
    let mut reader = log.reader().unwrap();
    assert_eq!(reader.read(&mut Vec::new(), 1, NOW).unwrap(), LogRead::Idle);
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        while got.len() < 10 {
            reader.read(&mut got, 100, Duration::from_secs(10)).unwrap();
        }
        got
    });
    (0..10).for_each(|n| log.append(&ticks(n, 1)).unwrap());
    assert_eq!(reading.join().unwrap(), ticks(0, 10));
    let error = log.append(&ticks(3, 1)).unwrap_err();
    assert!(matches!(error, TicksFileError::OutOfOrder { index: 10, ts_recv: 3 }), "{error}");
}

#[test]
fn a_log_whose_names_are_missing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.ticks");
    let names = folder.path().join("log.ticks.names");
    begun(&path).append(&ticks(0, 5_000)).unwrap();
    let (written, kept_names) = (std::fs::read(&path).unwrap(), std::fs::read(&names).unwrap());
    std::fs::remove_file(&names).unwrap();
    // The first attempt leaves an empty file behind.
    for _ in 0..2 {
        let error = TicksLog::open(&path).unwrap_err();
        assert!(matches!(&error, TicksFileError::NoNames { names: missing } if *missing == names), "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), written);
    std::fs::write(&names, kept_names).unwrap();
    assert_eq!(TicksLog::open(&path).unwrap().ticks(), 5_000);
}
