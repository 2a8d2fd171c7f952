//! A generated market through Apple in one process: ours, and each peer's, with equal signals.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::ReadyPeer;
use super::line::Played;
use super::ours::Ours;
use super::rounds::{Row, Turn, alternate};
use super::signals::Signals;
use super::{PeersArgs, PeersError, child};

/// The market and who played it.
#[derive(Debug, Serialize)]
pub(super) struct Market {
    pub(super) ticks: u64,
    /// Of our replay.
    pub(super) signals: usize,
    /// Rates are ticks/s; the first row is ours.
    pub(super) rows: Vec<Row>,
}

/// Generates a market, lets everybody play it, and compares their signals with those of a replay.
pub(super) fn measure(args: &PeersArgs, ours: &Ours, peers: &[&ReadyPeer]) -> Result<Market, PeersError> {
    let unwritable =
        |source| PeersError::Unwritable { what: "a temporary folder for the market".to_owned(), source };
    let folder = tempfile::tempdir().map_err(unwritable)?;
    let file = |name: &str| folder.path().join(name);
    let (market, csv, signals) = (file("market.ticks"), file("market.csv"), file("ours.csv"));
    let ticks = args.ticks.to_string();
    ours.make(&["generate", "--quiet", "--ticks", &ticks], &[&market])?;
    ours.make(&["convert", "--quiet"], &[&market, &csv])?;
    let replay = ["replay", "--quiet", "--strategy", "apple"];
    ours.make(&[&replay[..], &["--signals"]].concat(), &[&signals, &market])?;
    let failed = |why| PeersError::Ours { command: "replay".to_owned(), why };
    let expected = &Signals::read(&signals).map_err(failed)?;
    let count = count_ticks(&csv).map_err(unwritable)?;

    let (market, csv) = (&market, &csv);
    let mut turns: Vec<(String, bool, Turn<'_>)> =
        vec![("orchard".to_owned(), true, Box::new(move || play_ours(ours, market)))];
    for &peer in peers {
        let signals = file(&format!("{}.csv", peer.name));
        let play = move || play(peer, ours, csv, &signals, count, expected);
        turns.push((peer.name.clone(), false, Box::new(play)));
    }
    let rows = alternate(args.rounds, "Apple", turns);
    Ok(Market { ticks: count, signals: expected.count(), rows })
}

fn play_ours(ours: &Ours, market: &Path) -> Result<(f64, Option<String>), String> {
    let input = market.to_string_lossy();
    let totals = ours.perf(&["embedded", "--input", &input, "--strategies", "apple"])?;
    match totals.ticks_per_s {
        rate if rate.is_finite() && rate > 0.0 => Ok((rate, None)),
        rate => Err(format!("it says {rate} ticks/s")),
    }
}

fn play(
    peer: &ReadyPeer,
    ours: &Ours,
    csv: &Path,
    signals: &PathBuf,
    ticks: u64,
    expected: &Signals,
) -> Result<(f64, Option<String>), String> {
    let mut command = peer.command();
    command.arg("--ticks").arg(csv).arg("--signals").arg(signals);
    let output = child::run(&mut command, ours.limit())?;
    let played = Played::parse(&output, ticks)?;
    let theirs = Signals::read(signals)?;
    if theirs.count() as u64 != played.signals {
        return Err(format!("it says {} signals and wrote {}", played.signals, theirs.count()));
    }
    Ok((played.ticks as f64 / played.seconds, Some(expected.compare(&theirs))))
}

/// Lines without the first; the last quote of a market may have added one tick.
fn count_ticks(csv: &Path) -> std::io::Result<u64> {
    let mut file = std::fs::File::open(csv)?;
    let mut part = vec![0; 1 << 16];
    let mut lines = 0;
    loop {
        match std::io::Read::read(&mut file, &mut part)? {
            0 => return Ok(u64::saturating_sub(lines, 1)),
            read => lines += part[..read].iter().filter(|byte| **byte == b'\n').count() as u64,
        }
    }
}
