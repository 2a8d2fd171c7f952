//! Replays a capture at ten times its own pace, prints how far it is, and cancels it after so many ticks.
//!
//! `cargo run --release -p library-user -- tests/data/usdm_btcusdt_20240808.zst 20000`

use std::time::Duration;

use orchard::replay::{self, ReplayPlan};
use tick_ingest::feed::{Pace, SourceSpec, Speed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().collect();
    let [_, capture, limit] = &args[..] else { return Err("usage: library-user CAPTURE TICKS".into()) };
    let limit: u64 = limit.parse()?;

    let mut plan = ReplayPlan::new(vec![SourceSpec::file(capture)], replay::parse_strategies(&["apple"])?);
    plan.pace = Pace { speed: Speed::Times(10.0), ..Pace::default() };
    let running = replay::start(plan)?;
    while let Some(progress) = running.wait_progress(Duration::from_millis(100)) {
        println!("{progress}");
        if progress.ticks >= limit {
            running.cancel();
        }
    }
    let outcome = running.finish()?;
    println!("{} signals, interrupted: {}", outcome.signals(), outcome.feed.interrupted);
    Ok(())
}
