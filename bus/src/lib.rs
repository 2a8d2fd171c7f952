//! Commands and events with one effect each, whatever is killed on the way.
//!
//! A **context** (accounts, ticks, …) has one [`Store`]: an inbox of commands, tables of its own, and a log of
//! events with positions 1, 2, 3 … without holes. Its **endpoint** has its name. A command that is sent there is
//! carried out by the one [`Handler`] of its contract; the handler's writes, the command's end, the events and the
//! commands that it raises are one commit. Whoever reads a log keeps one number, its cursor, beside what it made
//! of it.
//!
//! ```
//! use bus::{Handled, Handler, HandlerError, Message, Work};
//! use tick_sdk::contracts::accounts::{DisableUser, UserDisabled};
//!
//! #[derive(Default)]
//! struct OnDisableUser;
//!
//! impl Handler for OnDisableUser {
//!     type Command = DisableUser;
//!
//!     async fn handle(&self, message: &Message<DisableUser>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
//!         let user_id = message.body.user_id;
//!         let sql = "UPDATE account SET is_disabled = 1 WHERE user_id = $1";
//!         let disabled = work.tables()?.execute(sql, &bus::values![user_id])?;
//!         if disabled == 0 {
//!             return Err(HandlerError::refused(format!("there is no user {user_id}")));
//!         }
//!         work.publish(&UserDisabled { user_id });
//!         Ok(Handled::DONE)
//!     }
//! }
//!
//! bus::handler!(OnDisableUser); // found by this line; there is no list to edit
//! ```

#![deny(missing_docs, unnameable_types)]

mod bell;
mod events;
mod failed;
mod forward;
mod handler;
#[cfg(any(feature = "postgres", feature = "rabbitmq"))]
mod ids;
mod kill_point;
mod lane;
mod logs;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
mod registry;
mod retention;
mod retry;
mod running;
pub mod store;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
pub mod wire;
mod work;

pub use failed::FailedCommand;
pub use handler::{BatchHandler, Consumer, Handled, Handler, HandlerError, Message};
pub use lane::BlockedHandler;
pub use logs::Logs;
pub use registry::{ConsumerEntry, HandlerEntry, RegistryError};
pub use retention::Retention;
pub use retry::Retry;
pub use running::{Accepted, Bus, BusBuilder, SendOptions, StartError};
#[cfg(feature = "postgres")]
pub use store::PostgresStore;
pub use store::{SqliteStore, Store, StoreError, StoredEvent, body_hash};
pub use tables::{FromValue, Row, Tables, TablesError, Value};
pub use transport::{EventSource, SendError};
pub use work::{CommandEnd, EndedCommand, Resources, Work, WorkError};

#[doc(hidden)]
pub use kill_point::kill_point;
#[doc(hidden)]
pub use tick_sdk::inventory;
