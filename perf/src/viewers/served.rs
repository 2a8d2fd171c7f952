//! The gateway that is looked at, and the signals that it shows.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bus::{Bus, SqliteStore};
use crossbeam_channel::bounded;
use gateway::{Gateway, GatewayOptions, Limits, RateLimit};
use live::LiveMarket;
use strategy_host::hosts::{FeedSignals, publish_feed};
use strategy_host::run::Cancellation;
use tick_sdk::names::FeedName;
use tokio::runtime::{self, Runtime};

use super::ViewersError;
use super::watched::Watched;
use crate::trace::Onlooker;

/// The gateway ends within this time.
const END: Duration = Duration::from_secs(5);

/// A gateway that shows one feed.
pub(super) struct Served {
    runtime: Runtime,
    gateway: Gateway,
    pub(super) watched: Arc<Watched>,
    publishing: JoinHandle<()>,
    cancellation: Cancellation,
}

impl Served {
    /// Its store and documents are in this folder, which is made; the feed's hosts commit to the ledger.
    pub(super) fn start(folder: &Path, ledger: &str) -> Result<Self, ViewersError> {
        std::fs::create_dir(folder)?;
        let tables = strategy_host::deployments::tables();
        let store = SqliteStore::open(&folder.join("strategies.sqlite"), &tables)?;
        let bus = Arc::new(Bus::builder().context("strategies", store).start()?);
        let market = LiveMarket::default();
        let options = GatewayOptions {
            documents: folder.join("read.sqlite").into(),
            listen: vec![([127, 0, 0, 1], 0).into()],
            // The viewers are one caller.
            limits: Limits { local: RateLimit::NONE, ..Limits::default() },
            market: market.clone(),
            ..GatewayOptions::default()
        };
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let gateway = runtime.block_on(Gateway::start(bus.clone(), options))?;
        let (begin, begun) = bounded::<FeedName>(1);
        let cancellation = Cancellation::default();
        let publishing = {
            let (state, cancellation) = (ledger.to_owned(), cancellation.clone());
            let publish = move || {
                // Ends without a feed where there was none.
                let Ok(feed) = begun.recv() else { return };
                let plan = FeedSignals { bus, feed, state };
                let on_error = |error| eprintln!("signals are not published now: {error}");
                if let Err(error) = publish_feed(&plan, &cancellation, on_error) {
                    eprintln!("signals are not published: {error}");
                }
            };
            std::thread::Builder::new().name("feed signals".to_owned()).spawn(publish)?
        };
        let on_feed = Box::new(move |feed| {
            // It waits for this one.
            let _ = begin.send(feed);
        });
        let watched = Arc::new(Watched::new(market, on_feed));
        Ok(Self { runtime, gateway, watched, publishing, cancellation })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.gateway.local_addr()
    }

    pub(super) fn onlooker(&self) -> Arc<dyn Onlooker> {
        self.watched.clone()
    }

    pub(super) fn stop(self) {
        let Self { runtime, gateway, watched, publishing, cancellation } = self;
        cancellation.cancel();
        drop(watched);
        runtime.block_on(gateway.shutdown(END));
        // It has said why, should it have panicked.
        let _ = publishing.join();
        runtime.shutdown_timeout(END);
    }
}
