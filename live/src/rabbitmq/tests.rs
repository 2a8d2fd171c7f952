//! What one process plays is what another shows, whatever happens to the broker, and whoever comes when.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::{Kind, Side, Tick};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::following::Following;
use super::publishing::Publishing;
use super::{LinkPlan, LiveLink, wire};
use crate::{Candle, Interval, LiveMarket, Quote, Recorder, Selection, SourceView};

const RUN: &str = "00000000000000000000000000000001";
const SOON: Duration = Duration::from_secs(30);

/// Plays one shard.
struct Player {
    recorder: Recorder,
    next_seq: u64,
    named: u32,
}

impl Player {
    fn new(market: &LiveMarket, source: &str) -> Self {
        Self { recorder: market.begin(source, RUN), next_seq: 0, named: 0 }
    }

    fn play(&mut self, instruments: u32, ticks: Vec<Tick>) {
        let name = |id| NewInstrument { id, symbol: format!("S{id}"), key: format!("S{id}") };
        let new: Vec<_> = (self.named..instruments).map(name).collect();
        self.named = self.named.max(instruments);
        let header = FrameHeader {
            run: RUN.parse().unwrap(),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq: self.next_seq,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::TICKS,
        };
        self.next_seq += ticks.len() as u64;
        self.recorder.record(&Frame::owned(header, ticks).naming(new, self.named));
    }

    /// A trade of each instrument in this second.
    fn trades(&mut self, instruments: u32, second: u64) {
        let trade =
            |id| Tick::trade(0, second * 1_000_000_000, second as i64 + i64::from(id), 1, Side::BUY).of(id);
        self.play(instruments, (0..instruments).map(trade).collect());
    }
}

type Shown = (Vec<SourceView>, Vec<Quote>, Vec<Vec<Candle>>);

/// All that is shown of a market, but for when it was.
fn shown(market: &LiveMarket) -> Shown {
    let quotes = market.quotes(&Selection::default(), 0).quotes;
    let candles = quotes.iter().flat_map(|quote| {
        Interval::ALL.map(|interval| market.candles(&quote.source, &quote.symbol, interval, usize::MAX))
    });
    let candles = candles.collect();
    let quotes = quotes.into_iter().map(|quote| Quote { version: 0, seen_ms: 0, ..quote }).collect();
    let mut sources = market.sources();
    sources.sort_by(|a, b| a.source.cmp(&b.source));
    (sources, quotes, candles)
}

fn hand_over(market: &LiveMarket) {
    let ids: Vec<_> = market.shared.read(|board| board.sources.iter().map(|source| source.id).collect());
    ids.into_iter().for_each(|id| market.shared.hand_over(id));
}

fn tick() -> impl Strategy<Value = Tick> {
    (0..5u32, 1..50i64, 0..30_000_000_000u64, 0..4u8).prop_map(|(id, price, step, kind)| {
        let tick = match kind {
            0 if id > 0 => Tick::trade(0, step, price, 5, Side::SELL),
            1 => Tick::quote(Kind::BID, 0, step, price, 5).last(),
            _ => Tick::quote(Kind::ASK, 0, step, price, 5).last(),
        };
        tick.of(id)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Messages are lost, and whoever misses one asks.
    #[test]
    fn a_follower_has_everything_though_messages_are_lost(
        ticks in proptest::collection::vec((tick(), 0..4u8, any::<bool>()), 1..200),
    ) {
        let (played, followed) = (LiveMarket::default(), LiveMarket::default());
        let (mut publishing, mut following) = (Publishing::new(7), Following::default());
        let mut player = Player::new(&played, "feed/btc");
        let mut now = Instant::now();
        let mut recv = 1_700_000_000_000_000_000;
        following.connected(now);
        let mut exchange = |following: &mut Following, is_lost: bool| {
            now += Duration::from_secs(2);
            hand_over(&played);
            if following.asks(now) {
                publishing.ask();
            }
            let changed = publishing.next(&played);
            let is_left = changed.is_some();
            let changed = changed.unwrap_or_else(|| publishing.alive());
            if !is_lost {
                let changed = wire::decode(&wire::encode(&changed).unwrap()).unwrap();
                following.take(&followed, changed, now);
            }
            is_left
        };
        for (tick, instruments, is_lost) in ticks {
            recv += tick.ts_recv;
            player.play(5.min(tick.instrument + 1 + u32::from(instruments)), vec![Tick { ts_recv: recv, ..tick }]);
            exchange(&mut following, is_lost);
        }
        drop(player);
        // An answer may be missed, too: it asks again.
        let mut quiet = 0;
        while quiet < 3 {
            quiet = if exchange(&mut following, false) { 0 } else { quiet + 1 };
        }
        hand_over(&followed);
        prop_assert_eq!(shown(&followed), shown(&played));
    }
}

#[test]
fn a_message_of_another_version_is_not_read() {
    let error = wire::decode(&[9, 1, 2]).unwrap_err().to_string();
    assert!(error.contains("format 9"), "{error}");
}

fn broker_url() -> String {
    std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is not set: run scripts/test")
}

fn exchange() -> String {
    format!("test-live-{}", uuid::Uuid::new_v4().simple())
}

fn link(market: &LiveMarket, url: &str, exchange: &str, publishes: bool) -> LiveLink {
    let plan = LinkPlan { exchange: exchange.to_owned(), ..LinkPlan::new(vec![url.parse().unwrap()]) };
    LiveLink::start(market, LinkPlan { publishes, follows: !publishes, ..plan }).unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn is_equal(followed: &LiveMarket, played: &LiveMarket) {
    let until = Instant::now() + SOON;
    while shown(followed) != shown(played) {
        if Instant::now() > until {
            assert_eq!(shown(followed), shown(played));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_gateway_shows_what_another_process_plays_whenever_it_comes() {
    let (url, exchange) = (broker_url(), exchange());
    let (played, early, late) = (LiveMarket::default(), LiveMarket::default(), LiveMarket::default());
    let _early = link(&early, &url, &exchange, false);
    let publisher = link(&played, &url, &exchange, true);
    // As many that their candles need several messages.
    let (instruments, seconds) = (100, 400);
    let mut ended = Player::new(&played, "replay/1");
    ended.trades(3, 5);
    drop(ended);
    let mut player = Player::new(&played, "feed/btc");
    (0..seconds).for_each(|second| player.trades(instruments, second));
    is_equal(&early, &played);
    let _late = link(&late, &url, &exchange, false);
    is_equal(&late, &played);
    player.trades(instruments + 1, seconds);
    is_equal(&late, &played);
    // The end is published before the process ends.
    player.trades(instruments, seconds + 1);
    drop(player);
    publisher.finish(SOON);
    is_equal(&early, &played);
    is_equal(&late, &played);
    assert!(late.sources().iter().all(|source| source.has_ended));
}

/// Passes connections on, cuts them, and takes no new ones while it is closed.
struct Proxy {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    cut: Arc<Notify>,
}

impl Proxy {
    fn new(to: String) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::<Notify>::default();
        let cuts = cut.clone();
        runtime.spawn(async move {
            let mut links = JoinSet::new();
            loop {
                tokio::select! {
                    () = cuts.notified() => links.abort_all(),
                    Ok((mut client, _)) = listener.accept() => {
                        let mut broker = TcpStream::connect(&to).await.unwrap();
                        links.spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut broker).await });
                    }
                }
            }
        });
        Self { address, runtime, cut }
    }

    fn url(&self, url: &str) -> String {
        let (login, place) = url.split_once('@').unwrap();
        format!("{login}@{}/{}", self.address, place.split_once('/').unwrap().1)
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_connection_that_is_cut_on_either_side_loses_nothing() {
    let (url, exchange) = (broker_url(), exchange());
    let place = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    let proxies = [Proxy::new(place.clone()), Proxy::new(place)];
    let (played, followed) = (LiveMarket::default(), LiveMarket::default());
    let _publisher = link(&played, &proxies[0].url(&url), &exchange, true);
    let _follower = link(&followed, &proxies[1].url(&url), &exchange, false);
    let mut player = Player::new(&played, "feed/btc");
    player.trades(20, 0);
    is_equal(&followed, &played);
    for round in 0..4 {
        proxies[round % 2].cut.notify_one();
        (1..40).for_each(|second| player.trades(20 + round as u32, round as u64 * 100 + second));
        is_equal(&followed, &played);
    }
    drop(player);
    is_equal(&followed, &played);
    proxies.into_iter().for_each(|proxy| proxy.runtime.shutdown_background());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_sources_of_a_process_that_was_killed_end() {
    let (url, exchange) = (broker_url(), exchange());
    let (played, followed) = (LiveMarket::default(), LiveMarket::default());
    let publisher = link(&played, &url, &exchange, true);
    let _follower = link(&followed, &url, &exchange, false);
    let mut player = Player::new(&played, "replay/1");
    player.trades(2, 1);
    is_equal(&followed, &played);
    drop(publisher);
    wait_until("a source whose process is gone does not end", || followed.sources()[0].has_ended);
    // Another process takes the replay over, and begins it anew.
    let taken_over = LiveMarket::default();
    let _publisher = link(&taken_over, &url, &exchange, true);
    let mut player = Player::new(&taken_over, "replay/1");
    player.trades(1, 9);
    is_equal(&followed, &taken_over);
}

#[test]
fn a_broker_that_is_away_holds_nobody_up() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let market = LiveMarket::default();
    let link = link(&market, &format!("amqp://guest:guest@{closed}/%2f"), "live", true);
    let mut player = Player::new(&market, "feed/btc");
    player.trades(1, 1);
    drop(player);
    assert!(!link.is_connected());
    let begun = Instant::now();
    link.finish(Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(5));
}
