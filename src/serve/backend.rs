//! Everything but HTTP: the contexts on their bus, and the workers that play replays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use bus::rabbitmq::{Answer, Listening, NoAnswer, RabbitState, RabbitStatus};
use bus::{Bus, BusBuilder, Logs, Store};
use gateway::CommandLookup;
use live::LiveMarket;
use live::rabbitmq::{LinkPlan, LiveLink};
use tick_ingest::replays::{AccountCheck, Captures, ReplayQueue};
use tick_sdk::contracts::bus::{CommandNotFound, GetCommand, HEARD};
use tick_sdk::contracts::ticks::TICKS;

use super::feed_player::FeedPlayer;
use super::ledgers::Ledgers;
use super::plan::check_account;
use super::player::Player;
use super::state::StateFolder;
use super::stores::{CONTEXTS, Stores};
use super::worker::{Workers, Workplace};
use super::{BrokerPlan, Play, Roles, ServeError, ServePlan};

/// A start waits so long for the broker, and goes on without it then.
const REACH_BROKER: Duration = Duration::from_secs(5);
/// At the end what has changed last is shared for so long at most.
const SHARE_END: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// The contexts and their workers, running.
pub(super) struct Backend {
    pub(super) bus: Arc<Bus>,
    /// What this process plays, and what others play.
    pub(super) market: LiveMarket,
    /// The store of the context `ticks`, to read.
    pub(super) ticks: Arc<dyn Store>,
    link: Option<LiveLink>,
    workers: Option<Workers>,
}

impl Backend {
    /// Starts what the plan's roles have of them.
    ///
    /// # Errors
    /// A store cannot be opened, or a handler is missing or there twice.
    pub(super) fn start(
        plan: &ServePlan,
        state: &StateFolder,
        captures: Option<&Captures>,
        lookup: &CommandLookup,
    ) -> Result<Self, ServeError> {
        let stores = match &plan.database {
            Some(url) => Stores::Database(url.clone()),
            None => Stores::Folder(state.root().to_owned()),
        };
        let mut builder = Bus::builder().resource(AccountCheck(check_account)).retention(plan.retention);
        if let Some(captures) = captures {
            builder = builder.resource(captures.clone());
        }
        let (mut logs, mut ticks) = (Logs::default(), None);
        for context in CONTEXTS {
            let is_served = plan.roles.serve(context);
            let store = if is_served { stores.open(context) } else { stores.open_to_read(context) }?;
            if context == TICKS {
                ticks = Some(store.clone());
            }
            if is_served {
                builder = builder.shared_context(context, store);
            } else {
                logs = logs.with(context, store);
            }
        }
        let ticks = ticks.expect("it is one of the contexts");
        // Whoever only makes documents reads logs.
        let Roles { gateway, projections, services, ingester, hosts } = plan.roles;
        if projections && !gateway && plan.broker.is_some() {
            logs = logs.with(HEARD, stores.open_to_read(HEARD)?);
        }
        if let Some(broker) = plan.broker.as_ref().filter(|_| gateway || services || ingester || hosts) {
            builder = builder.rabbitmq(broker.url.clone(), broker.options.clone());
            if plan.roles.gateway {
                let heard = stores.open(HEARD)?;
                logs = logs.with(HEARD, heard.clone());
                builder = listen(builder, broker, heard, lookup.clone());
            }
        }
        let bus = Arc::new(builder.logs(logs).start()?);
        let market = LiveMarket::default();
        let link = share(plan, &market)?;
        let workers = match captures.filter(|_| ingester) {
            Some(captures) => {
                Some(start_workers(plan, &bus, &market, state, (ticks.clone(), captures.clone()))?)
            }
            None => None,
        };
        Ok(Self { bus, market, ticks, link, workers })
    }

    /// Waits until the broker has been reached and every queue of this process is consumed, but not for long: whoever
    /// sends as soon as the process is there is not refused for connections that are still being made.
    pub(super) fn wait_for_broker(&self) {
        let until = Instant::now() + REACH_BROKER;
        let is_reached = |status: &RabbitStatus| {
            status.state != RabbitState::Disconnected && status.endpoints.iter().all(|one| one.is_consuming)
        };
        while let Some(status) = self.bus.rabbitmq().filter(|status| !is_reached(status)) {
            if Instant::now() > until {
                let reason = status.reason.unwrap_or_else(|| "not every queue is consumed".to_owned());
                tracing::warn!(%reason, "the broker is not there yet: commands of others wait until it is");
                return;
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Ends the workers: a replay stops after the frame it is at. Whether all have ended by then.
    pub(super) fn stop_workers(&mut self, until: Instant) -> bool {
        let have_ended = self.workers.as_mut().is_none_or(|workers| workers.stop(until));
        if let Some(link) = self.link.take() {
            // Gateways of other processes learn that nothing more comes.
            link.finish(SHARE_END.min(until.saturating_duration_since(Instant::now())));
        }
        have_ended
    }

    /// Ends the lanes: what is in the inboxes stays there. Whether all have ended by then.
    pub(super) fn stop_lanes(&self, until: Instant) -> bool {
        self.bus.stop(until.saturating_duration_since(Instant::now()))
    }

    /// How many replays were stopped before their end.
    pub(super) fn given_back(&self) -> u32 {
        self.workers.as_ref().map_or(0, Workers::given_back)
    }
}

/// A gateway hears what others say, and says what became of commands to who asks.
fn listen(
    builder: BusBuilder,
    broker: &BrokerPlan,
    heard: Arc<dyn Store>,
    lookup: CommandLookup,
) -> BusBuilder {
    let readable = CONTEXTS.map(str::to_owned).to_vec();
    let listening = Listening { endpoints: broker.follow.clone(), ..Listening::new(heard, readable) };
    builder.listening(listening).responder(move |asked: GetCommand| {
        if !lookup.is_ready() {
            return Err(NoAnswer::because("the gateway is starting: ask again"));
        }
        let command_id = asked.command_id;
        match lookup.find(command_id).map_err(|error| NoAnswer::because(error.to_string()))? {
            Some(found) => Ok(Answer::of(found)),
            None => Ok(Answer::of(CommandNotFound { command_id })),
        }
    })
}

/// Who plays publishes prices for gateways of other processes; a gateway shows those that others publish.
fn share(plan: &ServePlan, market: &LiveMarket) -> Result<Option<LiveLink>, ServeError> {
    let (publishes, follows) = (plan.roles.ingester, plan.roles.gateway);
    let Some(broker) = plan.broker.as_ref().filter(|_| publishes || follows) else { return Ok(None) };
    let nodes = std::iter::once(&broker.url).chain(&broker.options.other_nodes).cloned().collect();
    let link = LiveLink::start(market, LinkPlan { publishes, follows, ..LinkPlan::new(nodes) });
    link.map(Some).map_err(ServeError::Thread)
}

fn start_workers(
    plan: &ServePlan,
    bus: &Arc<Bus>,
    market: &LiveMarket,
    state: &StateFolder,
    (ticks, captures): (Arc<dyn Store>, Captures),
) -> Result<Workers, ServeError> {
    let queue = ReplayQueue::new(bus.clone(), ticks, plan.replay_lease);
    if plan.database.is_none() {
        // The folder is this process's own: whoever had a lease has ended.
        let resumed = queue.free_leases()?;
        if resumed > 0 {
            tracing::info!(resumed, "replays of the last start go on");
        }
    }
    let folder = state.ledgers();
    let player = match &plan.play {
        Play::InProcess => {
            let ledgers = Ledgers(folder);
            ledgers.sweep(&queue)?;
            Player::InProcess(ledgers)
        }
        Play::Feed(feeds) => {
            Player::Feed(FeedPlayer { bus: bus.clone(), feeds: Arc::new(feeds.clone()), folder })
        }
    };
    let place = Workplace {
        bus: bus.clone(),
        queue,
        captures,
        player,
        market: market.clone(),
        stopping: Arc::new(AtomicBool::new(false)),
        given_back: Arc::new(AtomicU32::new(0)),
    };
    Workers::start(&place, plan.replays).map_err(ServeError::Thread)
}
