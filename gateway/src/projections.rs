//! What the gateway makes of events: documents that are read.
//!
//! A projection is registered where it is written, in one line, and depends on nothing but events, so that its
//! documents can be made anew at any time and are the same again:
//!
//! ```
//! use bus::StoredEvent;
//! use gateway::documents::{Batch, Collection};
//! use gateway::projections::{ApplyError, Projection, read};
//! use tick_sdk::contracts::{Contract, accounts::UserCreated};
//!
//! static NAMES: Collection = Collection { name: "names", indexes: &[] };
//!
//! struct Names;
//!
//! impl Projection for Names {
//!     const NAME: &'static str = "names";
//!     const VERSION: u32 = 1;
//!     const COLLECTIONS: &'static [&'static Collection] = &[&NAMES];
//!
//!     fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
//!         if event.name == UserCreated::NAME {
//!             let created: UserCreated = read(event)?;
//!             batch.put(&NAMES, &created.user_id.to_string(), vec![], &created.name)?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! gateway::projection!(Names);
//! ```

use std::collections::BTreeMap;

use bus::StoredEvent;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::documents::{Batch, Collection, DocumentError};

pub(crate) mod commands;
pub(crate) mod curves;
pub(crate) mod deployments;
pub(crate) mod instruments;
pub(crate) mod positions;
mod projector;
mod rebuild;
pub(crate) mod replays;
pub(crate) mod signals;
pub(crate) mod trades;
pub(crate) mod users;

pub use projector::{Projector, ProjectorError, SkipError};
pub use rebuild::{RebuildError, RebuildReport, rebuild};

/// Makes documents of events.
///
/// What it makes of the context [`HEARD`](tick_sdk::contracts::bus::HEARD), of events that no contract of the program
/// names, is to be removed when [`EventsForgotten`](tick_sdk::contracts::bus::EventsForgotten) names their positions
/// there: documents made anew would not have it.
pub trait Projection: 'static {
    /// Its name, as `/api/projections` has it.
    const NAME: &'static str;
    /// Raised when the same events give other documents than before: they are made anew.
    const VERSION: u32;
    /// The collections that are its own.
    const COLLECTIONS: &'static [&'static Collection];

    /// Takes the next event of a context into account.
    ///
    /// # Errors
    /// It cannot: the projection stops before this event until somebody skips it.
    fn apply(event: &StoredEvent, context: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError>;

    /// Called after each batch, of whatever context, with what can then be read.
    ///
    /// # Errors
    /// The store failed; the batch is done again.
    fn settle(_readable: &Readable, _batch: &mut Batch<'_>) -> Result<(), DocumentError> {
        Ok(())
    }
}

/// By context, the position up to which every projection has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readable(pub BTreeMap<String, u64>);

/// Why an event could not be applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Its body is not what its name says.
    #[error("its body cannot be read: {0}")]
    Body(#[from] serde_json::Error),
    /// It says what cannot be.
    #[error("{0}")]
    Refused(String),
    /// The documents cannot be read or written.
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

/// An event's body.
///
/// # Errors
/// It is not a `T`.
pub fn read<T: DeserializeOwned>(event: &StoredEvent) -> Result<T, ApplyError> {
    Ok(serde_json::from_str(&event.body)?)
}

/// A projection that was found; made by [`projection!`](crate::projection).
#[derive(Debug)]
pub struct RegisteredProjection {
    /// [`Projection::NAME`].
    pub name: &'static str,
    /// [`Projection::VERSION`].
    pub version: u32,
    /// [`Projection::COLLECTIONS`].
    pub collections: &'static [&'static Collection],
    apply: fn(&StoredEvent, &str, &mut Batch<'_>) -> Result<(), ApplyError>,
    settle: fn(&Readable, &mut Batch<'_>) -> Result<(), DocumentError>,
}

impl RegisteredProjection {
    /// The registration of `P`.
    pub const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            collections: P::COLLECTIONS,
            apply: P::apply,
            settle: P::settle,
        }
    }

    /// Every projection of the program, in order of name.
    ///
    /// # Errors
    /// Two have one name or one collection.
    pub fn all() -> Result<Vec<&'static Self>, DuplicateProjection> {
        let mut all: Vec<_> = inventory::iter::<Self>.into_iter().collect();
        all.sort_by_key(|registered| registered.name);
        let mut collections = BTreeMap::new();
        if let Some(pair) = all.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(DuplicateProjection { what: "are named", name: pair[0].name });
        }
        for collection in all.iter().flat_map(|registered| registered.collections) {
            if collections.insert(collection.name, ()).is_some() {
                return Err(DuplicateProjection { what: "have a collection", name: collection.name });
            }
        }
        Ok(all)
    }
}

/// Two projections that would write over each other.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("two projections {what} {name}: give one of them another name")]
pub struct DuplicateProjection {
    what: &'static str,
    name: &'static str,
}

inventory::collect!(RegisteredProjection);

/// Registers a [`Projection`]: `projection!(Users);`.
#[macro_export]
macro_rules! projection {
    ($Type:ty) => {
        $crate::inventory::submit! { $crate::projections::RegisteredProjection::of::<$Type>() }
    };
}
