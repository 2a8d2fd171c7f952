//! What a run's lanes say by themselves: how far each is, and what is in one twice.

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::StrategyName;
use tick_sdk::signal::{Signal, decode_signals};

use super::comparison::SignalRow;
use super::error::VerifyError;
use crate::ledger::{LaneId, LaneRow, Ledger, LedgerError};

/// So many batches are read at once.
const BATCHES: usize = 64;

/// The names of the strategies, each once, in order.
pub(super) fn strategies(lanes: &[LaneRow]) -> Vec<StrategyName> {
    let mut names: Vec<_> = lanes.iter().map(|row| row.lane.strategy.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// How many shards the lanes are on.
pub(super) fn shards(lanes: &[LaneRow]) -> u16 {
    lanes.iter().map(|row| row.lane.shard + 1).max().unwrap_or(0)
}

/// How many lanes the run has when every strategy has been on every shard.
pub(super) fn expected_lanes(manifest: &Manifest, lanes: &[LaneRow]) -> usize {
    let text = manifest.to_string();
    let recorded = text.lines().find_map(|line| line.strip_prefix("--shards=")?.parse().ok());
    strategies(lanes).len() * usize::from(recorded.unwrap_or_else(|| shards(lanes)))
}

/// The lanes that are not at the run's end, in words.
pub(super) fn open_lanes(lanes: &[LaneRow]) -> Vec<String> {
    let open = lanes.iter().filter(|row| !row.ended);
    open.map(|row| format!("{} shard {} at {}", row.lane.strategy, row.lane.shard, row.cursor)).collect()
}

/// Every committed signal of these lanes that is not after the one committed before it: a lane's
/// signals increase by (seq, n), so such a one is there twice.
pub(super) fn repeated_signals(
    ledger: &dyn Ledger,
    lanes: &[LaneRow],
    go_on: impl Fn() -> Result<(), VerifyError>,
) -> Result<Vec<SignalRow>, VerifyError> {
    let mut repeated = Vec::new();
    for row in lanes {
        let dictionary = ledger.dictionary(row.lane.run, row.lane.shard)?;
        find_repeated(ledger, &row.lane, &dictionary, &go_on, &mut repeated)?;
    }
    Ok(repeated)
}

fn find_repeated(
    ledger: &dyn Ledger,
    lane: &LaneId,
    dictionary: &[NewInstrument],
    go_on: &impl Fn() -> Result<(), VerifyError>,
    repeated: &mut Vec<SignalRow>,
) -> Result<(), VerifyError> {
    let mut next_seq = 0;
    let mut last: Option<(u64, u32)> = None;
    loop {
        go_on()?;
        let batches = ledger.batches(lane, next_seq, BATCHES)?;
        let mut signals = Vec::new();
        for batch in &batches {
            next_seq = batch.from_seq + 1;
            decode_signals(&batch.signals, &mut signals)
                .map_err(|damaged| LedgerError::Damaged(damaged.to_string()))?;
        }
        for signal in &signals {
            let place = Some((signal.seq, signal.n));
            if place <= last {
                repeated.push(SignalRow::new(lane.strategy.as_str(), symbol(dictionary, signal)?, signal));
            }
            last = last.max(place);
        }
        if batches.len() < BATCHES {
            return Ok(());
        }
    }
}

fn symbol<'a>(dictionary: &'a [NewInstrument], signal: &Signal) -> Result<&'a str, LedgerError> {
    let new = dictionary.get(signal.instrument as usize);
    let unknown = || LedgerError::Damaged(format!("a signal names instrument {}", signal.instrument));
    new.map(|new| new.symbol.as_str()).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use tick_sdk::TargetPosition;
    use tick_sdk::decimal::UNDEFINED_PRICE;
    use tick_sdk::signal::encode_signals;

    use super::*;
    use crate::ledger::{Commit, MemoryLedger};

    fn signal(seq: u64, n: u32) -> Signal {
        Signal {
            ts_event: seq,
            ts_recv: seq,
            seq,
            n,
            instrument: 0,
            side: TargetPosition::Long,
            price: 1,
            bid: UNDEFINED_PRICE,
            ask: UNDEFINED_PRICE,
        }
    }

    fn lane_with(batches: &[&[(u64, u32)]]) -> (MemoryLedger, Vec<LaneRow>) {
        let mut ledger = MemoryLedger::default();
        let run = ledger.open_run(&Manifest::new([("--shards", "2")])).unwrap().run;
        let lane = LaneId { run, strategy: "apple".parse().unwrap(), shard: 0 };
        let epoch = ledger.claim(&lane, 0).unwrap().epoch;
        for (place, batch) in batches.iter().enumerate() {
            let mut signals = Vec::new();
            let rows: Vec<_> = batch.iter().map(|&(seq, n)| signal(seq, n)).collect();
            encode_signals(&rows, &mut signals);
            let commit = Commit {
                lane: lane.clone(),
                epoch,
                from_seq: place as u64 * 10,
                to_seq: place as u64 * 10 + 10,
                signals,
                new_instruments: vec![NewInstrument { id: 0, symbol: "A".to_owned(), key: "A".to_owned() }],
                states: None,
                skipped: 0,
                ended: false,
            };
            assert!(ledger.commit(&[commit]).unwrap().is_empty());
        }
        let lanes = ledger.lanes(run).unwrap();
        (ledger, lanes)
    }

    #[test]
    fn what_does_not_go_up_is_there_twice() {
        let repeated = |batches: &[&[(u64, u32)]]| {
            let (ledger, lanes) = lane_with(batches);
            let rows = repeated_signals(&ledger, &lanes, || Ok(())).unwrap();
            rows.iter().map(|row| row.ts_event).collect::<Vec<_>>()
        };
        assert!(repeated(&[&[(0, 0), (0, 1), (3, 0)], &[], &[(12, 0)]]).is_empty());
        assert_eq!(repeated(&[&[(0, 0), (3, 0), (3, 0)]]), [3]);
        assert_eq!(repeated(&[&[(0, 0), (3, 0), (5, 0)], &[(3, 0), (5, 0), (12, 0)]]), [3, 5]);
        let long: Vec<Vec<(u64, u32)>> = (0..200).map(|place| vec![(place * 10, 0)]).collect();
        let mut long: Vec<_> = long.iter().map(Vec::as_slice).collect();
        assert!(repeated(&long).is_empty(), "more batches than are read at once");
        long.push(&[(1990, 0)]);
        assert_eq!(repeated(&long), [1990]);
    }

    #[test]
    fn lanes_are_counted_by_the_manifest() {
        let (_, lanes) = lane_with(&[&[]]);
        assert_eq!(expected_lanes(&Manifest::new([("--shards", "4")]), &lanes), 4);
        assert_eq!(expected_lanes(&Manifest::default(), &lanes), 1);
        assert_eq!(open_lanes(&lanes), ["apple shard 0 at 10"]);
    }
}
