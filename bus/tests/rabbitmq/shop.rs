//! Contexts of the tests, with their handlers.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::rabbitmq::{BrokerUrl, ControlBudget, RabbitOptions, RabbitState};
use bus::store::StoredEvent;
use bus::{Bus, EventSource, Handled, Handler, HandlerError, Message, Retry, SqliteStore, Work, values};
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::CommandId;

use crate::wait_until;

pub(crate) const SHOP: &str = "shop";
pub(crate) const VAN: &str = "van";
pub(crate) const TABLES: &str = "CREATE TABLE IF NOT EXISTS sale (number INTEGER NOT NULL) STRICT;";

macro_rules! message {
    ($kind:ident $Name:ident { $($field:ident: $Type:ty),* }, $place:ident $context:literal) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $Name {
            $(pub(crate) $field: $Type),*
        }

        tick_sdk::$kind!($Name, version 1, $place $context);
    };
}

message!(command Sell { number: i64 }, endpoint "shop");
message!(command Hold { number: i64 }, endpoint "shop");
message!(command Race { number: i64 }, endpoint "shop");
message!(command Break { number: i64 }, endpoint "shop");
message!(command Deliver { number: i64 }, endpoint "van");
message!(command Vanish { number: i64 }, endpoint "nowhere");
message!(event Sold { number: i64, fill: String }, context "shop");
message!(event Delivered { number: i64 }, context "van");

#[derive(Default)]
struct OnSell;

impl Handler for OnSell {
    type Command = Sell;

    async fn handle(&self, message: &Message<Sell>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let number = message.body.number;
        work.tables()?.execute("INSERT INTO sale VALUES ($1)", &values![number])?;
        work.publish(&Sold { number, fill: String::new() });
        if number < 0 {
            return Err(HandlerError::refused(format!("there is no number {number}")));
        }
        Ok(Handled::DONE)
    }
}
bus::handler!(OnSell);

/// From this number on what is held is delivered, too.
pub(crate) const TO_DELIVER: i64 = 10_000;

/// What a handler waits for, by number.
static HELD: Mutex<BTreeMap<i64, Receiver<()>>> = Mutex::new(BTreeMap::new());

/// The command of this number is held by its handler until something is sent, or the sender dropped.
pub(crate) fn hold(number: i64) -> SyncSender<()> {
    let (release, released) = sync_channel(1);
    HELD.lock().unwrap().insert(number, released);
    release
}

/// Whether its handler has begun, and waits.
pub(crate) fn is_held(number: i64) -> bool {
    !HELD.lock().unwrap().contains_key(&number)
}

#[derive(Default)]
struct OnHold;

impl Handler for OnHold {
    type Command = Hold;
    const BATCH: usize = 2;
    const TIMEOUT: Duration = Duration::from_secs(120);

    async fn handle(&self, message: &Message<Hold>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let number = message.body.number;
        let held = HELD.lock().unwrap().remove(&number);
        if let Some(held) = held {
            let _ = held.recv_timeout(crate::PATIENCE);
        }
        work.tables()?.execute("INSERT INTO sale VALUES ($1)", &values![number])?;
        work.publish(&Sold { number, fill: String::new() });
        if number >= TO_DELIVER {
            work.send(&Deliver { number });
        }
        Ok(Handled::DONE)
    }
}
bus::handler!(OnHold);

/// Several at once, a transaction each.
#[derive(Default)]
struct OnRace;

impl Handler for OnRace {
    type Command = Race;
    const BATCH: usize = 1;
    const AT_ONCE: usize = 4;

    async fn handle(&self, message: &Message<Race>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let number = message.body.number;
        work.tables()?.execute("INSERT INTO sale VALUES ($1)", &values![number])?;
        work.publish(&Sold { number, fill: String::new() });
        if number % 7 == 3 && message.attempt == 1 {
            return Err(HandlerError::failed("at first"));
        }
        Ok(Handled::DONE)
    }
}
bus::handler!(OnRace);

#[derive(Default)]
struct OnBreak;

impl Handler for OnBreak {
    type Command = Break;
    const RETRY: Retry = Retry::Immediate(1);

    async fn handle(&self, message: &Message<Break>, _: &mut Work<'_>) -> Result<Handled, HandlerError> {
        Err(HandlerError::failed(format!("number {} is out of stock", message.body.number)))
    }
}
bus::handler!(OnBreak);

#[derive(Default)]
struct OnDeliver;

impl Handler for OnDeliver {
    type Command = Deliver;

    async fn handle(&self, message: &Message<Deliver>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        work.publish(&Delivered { number: message.body.number });
        Ok(Handled::DONE)
    }
}
bus::handler!(OnDeliver);

/// A bus that serves one context, or none.
pub(crate) struct Served {
    pub(crate) bus: Bus,
    /// The context's store.
    pub(crate) store: Option<Arc<SqliteStore>>,
    _folder: tempfile::TempDir,
}

/// Without a budget, which only one test is about.
pub(crate) fn options() -> RabbitOptions {
    RabbitOptions { budget: ControlBudget::OFF, ..RabbitOptions::default() }
}

impl Served {
    /// Serves a context, or only sends; connected when this is done.
    pub(crate) fn start(url: &BrokerUrl, context: Option<&str>) -> Self {
        Self::start_with(url, context, options())
    }

    pub(crate) fn start_with(url: &BrokerUrl, context: Option<&str>, options: RabbitOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = Bus::builder().rabbitmq(url.clone(), options);
        let store = context.map(|context| {
            Arc::new(SqliteStore::open(&folder.path().join(format!("{context}.db")), TABLES).unwrap())
        });
        if let (Some(context), Some(store)) = (context, &store) {
            builder = builder.shared_context(context, store.clone());
        }
        let served = Self { bus: builder.start().unwrap(), store, _folder: folder };
        wait_until("the bus is connected", || served.is_ready());
        served
    }

    pub(crate) fn is_ready(&self) -> bool {
        let status = self.bus.rabbitmq().unwrap();
        status.state == RabbitState::Connected
            && status.endpoints.iter().all(|endpoint| endpoint.is_consuming)
    }

    /// The events of a context's log with this name.
    pub(crate) fn events(&self, context: &str, name: &str) -> Vec<StoredEvent> {
        let events = self.bus.events_after(context, 0, 100_000).unwrap();
        events.into_iter().filter(|event| event.name == name).collect()
    }

    /// Waits until a command has come so far.
    pub(crate) fn wait_for(&self, context: &str, name: &str, command: CommandId) -> StoredEvent {
        crate::wait_for(name, || {
            self.events(context, name).into_iter().find(|event| event.command_id == Some(command))
        })
    }

    /// The numbers that were sold, in order.
    pub(crate) fn sold(&self) -> Vec<i64> {
        let events = self.events(SHOP, "Sold");
        events.iter().map(|event| serde_json::from_str::<Sold>(&event.body).unwrap().number).collect()
    }
}
