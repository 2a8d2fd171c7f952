//! One viewer: what it asks for, and what it counts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use memchr::memmem;
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};

use super::socket::Socket;
use super::watched::Watched;

/// A server closes the connection of a client that says nothing for 30 s.
const PING: Duration = Duration::from_secs(10);
/// One whose connection was cut comes again after this time.
const AGAIN: Duration = Duration::from_millis(200);

const FOLLOW: &str = r#"{"type":4,"invocationId":"1","target":"Follow","arguments":[{"after":"#;

/// What viewers have counted, in µs.
pub(super) struct Counted {
    /// Of each viewer.
    pub(super) signals: Vec<u64>,
    pub(super) quotes: u64,
    pub(super) cut: u64,
    pub(super) from_commit: Histogram<u64>,
    pub(super) from_published: Histogram<u64>,
}

impl Counted {
    pub(super) fn new(viewers: usize) -> Self {
        let times = || Histogram::new_with_max(600_000_000, 3).expect("the bounds are valid");
        Self { signals: vec![0; viewers], quotes: 0, cut: 0, from_commit: times(), from_published: times() }
    }
}

/// Who counts, on one thread.
pub(super) type Counts = std::rc::Rc<std::cell::RefCell<Counted>>;

/// Follows the signals from the first on, and goes on behind the last that it saw when it is cut.
pub(super) async fn follow_signals(
    address: SocketAddr,
    number: usize,
    watched: Arc<Watched>,
    counts: Counts,
    there: Arc<Semaphore>,
) {
    let mut viewer = Viewer { number, watched, counts, there, position: 0, is_there: false };
    loop {
        // Whatever ended it, it comes again.
        let _ = viewer.follow(address).await;
        viewer.counts.borrow_mut().cut += 1;
        sleep(AGAIN).await;
    }
}

struct Viewer {
    number: usize,
    watched: Arc<Watched>,
    counts: Counts,
    there: Arc<Semaphore>,
    position: u64,
    is_there: bool,
}

impl Viewer {
    /// Until it is cut.
    async fn follow(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut socket = Socket::connect(address, "/hubs/signals").await?;
        socket.send(&format!("{FOLLOW}{}}}]}}", self.position)).await?;
        let mut ping = interval(PING);
        loop {
            tokio::select! {
                record = socket.next() => {
                    let Some(record) = record? else { return Ok(()) };
                    if record.starts_with(br#"{"type":2,"#) {
                        self.take(&record);
                    } else if record.starts_with(br#"{"type":3,"#) {
                        return Ok(());
                    }
                }
                _ = ping.tick() => socket.send(r#"{"type":6}"#).await?,
            }
        }
    }

    fn take(&mut self, record: &[u8]) {
        if !std::mem::replace(&mut self.is_there, true) {
            self.there.add_permits(1);
        }
        self.position = number_behind(record, b"\"position\":").unwrap_or(self.position);
        let signals = memmem::find_iter(record, b"\"publishedMs\":").count() as u64;
        if signals == 0 {
            return;
        }
        let last = Last::of(record);
        let mut counts = self.counts.borrow_mut();
        counts.signals[self.number] += signals;
        if let Some(Last { strategy, shard, seq, published_ms }) = last {
            let age = self.watched.age(strategy, shard, seq);
            let published = now_ms().saturating_sub(published_ms) * 1_000;
            if let Some(age) = age {
                counts.from_commit.saturating_record(age.as_micros() as u64);
            }
            counts.from_published.saturating_record(published);
        }
    }
}

/// Watches all prices, and counts their updates.
pub(super) async fn watch_market(
    address: SocketAddr,
    per_second: u32,
    counts: Counts,
    there: Arc<Semaphore>,
) {
    let mut is_there = false;
    loop {
        let watched = async {
            let mut socket = watch(address, per_second).await?;
            let mut ping = interval(PING);
            loop {
                tokio::select! {
                    record = socket.next() => {
                        let Some(record) = record? else { return Ok::<(), io::Error>(()) };
                        if record.starts_with(br#"{"type":3,"#) && !std::mem::replace(&mut is_there, true) {
                            there.add_permits(1);
                        }
                        counts.borrow_mut().quotes += u64::from(memmem::find(&record, b"\"Quotes\"").is_some());
                    }
                    _ = ping.tick() => socket.send(r#"{"type":6}"#).await?,
                }
            }
        };
        // Whatever ended it, it comes again.
        let _ = watched.await;
        counts.borrow_mut().cut += 1;
        sleep(AGAIN).await;
    }
}

/// Asks for everything, and never reads.
pub(super) async fn stall(address: SocketAddr, per_second: u32, there: Arc<Semaphore>) -> io::Result<()> {
    let _market = watch(address, per_second).await?;
    let mut signals = Socket::connect(address, "/hubs/signals").await?;
    signals.send(&format!("{FOLLOW}0}}]}}")).await?;
    there.add_permits(2);
    std::future::pending().await
}

async fn watch(address: SocketAddr, per_second: u32) -> io::Result<Socket> {
    let mut socket = Socket::connect(address, "/hubs/market").await?;
    let wish = format!(
        r#"{{"type":1,"invocationId":"1","target":"Watch","arguments":[{{"symbols":[],"perSecond":{per_second}}}]}}"#
    );
    socket.send(&wish).await?;
    Ok(socket)
}

/// The last signal of an update.
#[derive(Debug, PartialEq, Eq)]
struct Last<'a> {
    strategy: &'a str,
    shard: u16,
    seq: u64,
    published_ms: u64,
}

impl<'a> Last<'a> {
    fn of(record: &'a [u8]) -> Option<Self> {
        let begin = memmem::rfind(record, b"\"strategy\":\"")?;
        // Accounts that were marked name strategies, too, and stand behind the signals.
        let begin = match memmem::find(&record[begin..], b"\"publishedMs\":") {
            Some(_) => begin,
            None => memmem::rfind(&record[..memmem::rfind(record, b"\"marked\":")?], b"\"strategy\":\"")?,
        };
        let signal = &record[begin..];
        let name = &signal[b"\"strategy\":\"".len()..];
        let name = &name[..memchr::memchr(b'"', name)?];
        Some(Self {
            strategy: std::str::from_utf8(name).ok()?,
            shard: number_behind(signal, b"\"shard\":")?.try_into().ok()?,
            seq: number_behind(signal, b"\"seq\":")?,
            published_ms: number_behind(signal, b"\"publishedMs\":")?,
        })
    }
}

fn number_behind(record: &[u8], name: &[u8]) -> Option<u64> {
    let digits = &record[memmem::find(record, name)? + name.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_signal_of_an_update_is_found_with_and_without_accounts() {
        let signal = |strategy: &str, seq| {
            format!(
                r#"{{"run":"r","strategy":"{strategy}","symbol":"S","shard":3,"seq":{seq},"n":0,"publishedMs":77}}"#
            )
        };
        let update = |marked: &str| {
            format!(
                r#"{{"type":2,"invocationId":"1","item":{{"position":12,"isLatest":true,"signals":[{},{}],"marked":[{marked}]}}}}"#,
                signal("apple", 4),
                signal("pear", 5)
            )
        };
        for marked in ["", r#"{"run":"r","strategy":"other","equity":"1"}"#] {
            let record = update(marked);
            let expected = Last { strategy: "pear", shard: 3, seq: 5, published_ms: 77 };
            assert_eq!(Last::of(record.as_bytes()), Some(expected));
            assert_eq!(number_behind(record.as_bytes(), b"\"position\":"), Some(12));
        }
    }
}
