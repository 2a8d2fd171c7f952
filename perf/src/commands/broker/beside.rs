//! Commands at a steady rate for as long as something else is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use tick_sdk::contracts::Command;
use tick_sdk::contracts::accounts::CreateUser;

use super::latency::{AtRate, Way};
use super::place::{Place, Servers};
use crate::commands::CommandsError;

/// Between looks whether they are to end.
const SLICE: Duration = Duration::from_secs(2);

/// Commands that are on their way, each to its event.
pub(in crate::commands) struct CommandsBeside {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<CameThrough, CommandsError>>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::commands) struct CameThrough {
    /// The median of the slices' p99, from due to event.
    pub(in crate::commands) p99_ms: f64,
    /// So many events have not come in time.
    pub(in crate::commands) missing: usize,
}

impl CommandsBeside {
    /// Starts a service in a process of its own, and sends it so many commands a second from then on.
    ///
    /// # Errors
    /// A server is not there, or fails.
    pub(in crate::commands) fn start(servers: Servers, per_s: u32) -> Result<Self, CommandsError> {
        let is_over = Arc::<AtomicBool>::default();
        let (ready, is_ready) = bounded(1);
        let over = is_over.clone();
        let send = move || send_until(&over, &servers, per_s, &ready);
        let thread = std::thread::Builder::new().name("commands".to_owned()).spawn(send)?;
        let beside = Self { is_over, thread };
        // It closes where the thread has failed.
        match is_ready.recv() {
            Ok(()) => Ok(beside),
            Err(_) => beside.stop().and_then(|_| Err(CommandsError::NotDone { seconds: 0 })),
        }
    }

    /// Sends no more, and waits for what is on its way.
    ///
    /// # Errors
    /// A server has failed meanwhile.
    pub(in crate::commands) fn stop(self) -> Result<CameThrough, CommandsError> {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn send_until(
    is_over: &AtomicBool,
    servers: &Servers,
    per_s: u32,
    ready: &Sender<()>,
) -> Result<CameThrough, CommandsError> {
    let place = Place::new(servers, CreateUser::ENDPOINT)?;
    let mut way = Way::open(&place)?;
    // What is slow at first, as connections are, is past.
    way.at_rate(per_s, Duration::ZERO)?;
    let _ = ready.send(());
    let (mut slices, mut missing) = (Vec::new(), 0);
    while !is_over.load(Ordering::Acquire) {
        let AtRate { p99_ms, missing: late, .. } = way.at_rate(per_s, SLICE)?;
        slices.push(p99_ms);
        missing += late;
    }
    slices.sort_by(f64::total_cmp);
    Ok(CameThrough { p99_ms: slices.get(slices.len() / 2).copied().unwrap_or(0.0), missing })
}
