//! Who watches what: those who watch the same as often are one group, for which one task ticks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use live::{LiveMarket, Selection};
use signalr::{ConnectionId, Context, HubError};
use tokio::task::AbortHandle;

use super::ticker::Ticker;

/// Watches of one connection, at most.
const MOST_OF_CONNECTION: usize = 32;
/// Groups of a gateway, at most: each is a task that reads the market.
const MOST_GROUPS: usize = 2_000;

/// The groups that have members.
pub(super) struct Groups {
    market: LiveMarket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: HashMap<(Selection, u32), Group>,
    /// Groups so far: a name never means another group later.
    made: u64,
}

struct Group {
    name: Arc<str>,
    members: HashSet<ConnectionId>,
    ticker: AbortHandle,
}

impl Groups {
    pub(super) fn new(market: LiveMarket) -> Self {
        Self { market, state: Mutex::default() }
    }

    /// Makes the caller a member of the group of a watch; its name.
    pub(super) fn enter(
        &self,
        context: &Context,
        selection: &Selection,
        per_second: u32,
    ) -> Result<Arc<str>, HubError> {
        let connection = context.connection_id();
        let mut state = self.state();
        let watches = state.groups.values().filter(|group| group.members.contains(connection)).count();
        if watches >= MOST_OF_CONNECTION {
            let text = format!("the connection has {watches} watches already: end one by Unwatch");
            return Err(HubError::deliberate(text));
        }
        let key = (selection.clone(), per_second);
        if let Some(group) = state.groups.get_mut(&key) {
            group.members.insert(connection.clone());
            return Ok(group.name.clone());
        }
        if state.groups.len() >= MOST_GROUPS {
            let text =
                "more different watches than this gateway takes: try again later, or watch what others do";
            return Err(HubError::deliberate(text));
        }
        state.made += 1;
        let name: Arc<str> = format!("watch-{}", state.made).into();
        let ticker = Ticker::new(self.market.clone(), selection.clone(), per_second, name.clone());
        let ticker = tokio::spawn(ticker.run(context.clients().clone())).abort_handle();
        let members = HashSet::from([connection.clone()]);
        state.groups.insert(key, Group { name: name.clone(), members, ticker });
        Ok(name)
    }

    pub(super) fn leave(&self, connection: &ConnectionId, name: &str) {
        self.state().remove(connection, |group| *group.name == *name);
    }

    pub(super) fn leave_all(&self, connection: &ConnectionId) {
        self.state().remove(connection, |_| true);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A group without members ticks no more.
    fn remove(&mut self, connection: &ConnectionId, is_left: impl Fn(&Group) -> bool) {
        self.groups.retain(|_, group| {
            if is_left(group) && group.members.remove(connection) && group.members.is_empty() {
                group.ticker.abort();
            }
            !group.members.is_empty()
        });
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.state().groups.values().for_each(|group| group.ticker.abort());
    }
}
