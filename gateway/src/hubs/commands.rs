//! `/hubs/commands`: what becomes of commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::request::Parts;
use futures_util::Stream;
use futures_util::future::{BoxFuture, FutureExt as _};
use signalr::{Context, Hub, HubError, Methods, User};
use tick_sdk::contracts::CommandId;

use super::caller::{Wish, may};
use super::payloads::{CommandWatch, CommandsUpdate};
use super::tail::{Follow, updates};
use crate::http::GatewayState;

mod changes;
mod log;
mod past;

use changes::{Changes, Shown};
use log::{CommandLog, CommandReader};
use past::Past;

/// Without a cursor a client gets so many commands of the past, where it does not say how many.
const LATEST: u32 = 100;
/// And at most so many. Also a client names at most so many.
const MOST: usize = 1_000;
/// After so many events that are not for a client it is told how far the logs are, so that it need not look at them again.
const SILENT_EVENTS: u64 = 10_000;

/// The status of commands, pushed.
pub struct CommandsHub {
    log: Arc<CommandLog>,
}

impl CommandsHub {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { log: Arc::new(CommandLog::new(state)) }
    }

    async fn follow(
        self: Arc<Self>,
        context: Context,
        watch: CommandWatch,
    ) -> Result<impl Stream<Item = Result<CommandsUpdate, HubError>> + Send, HubError> {
        let latest = watch.latest.unwrap_or(LATEST) as usize;
        if latest > MOST || watch.ids.len() > MOST {
            let text = format!("ask for at most {MOST} commands, by `latest` and by `ids`");
            return Err(HubError::deliberate(text));
        }
        let filter = Filter { ids: ids(&watch.ids)?, caller: caller(&context)? };
        let begin = self.log.begin(watch.after, latest, filter.clone()).await?;
        let reader = CommandReader::new(self.log.clone(), begin.reading);
        let follower = Follower { reader, filter, past: begin.past, sent: None };
        Ok(updates(follower, self.log.stopping()))
    }
}

/// Whose commands a caller sees: of everybody, where it may, or its own, as the documents name it.
fn caller(context: &Context) -> Result<Option<String>, HubError> {
    if may(context.user(), Wish::SeeAllCommands) {
        return Ok(None);
    }
    context.user().map(|user| Some(user.name.clone())).ok_or_else(HubError::unauthorized)
}

fn ids(texts: &[String]) -> Result<BTreeSet<CommandId>, HubError> {
    let id =
        |text: &String| text.parse().map_err(|_| HubError::deliberate(format!("'{text}' in ids is no GUID")));
    texts.iter().map(id).collect()
}

impl Hub for CommandsHub {
    fn register(methods: &mut Methods<Self>) {
        methods.stream("Follow", ["watch"], Self::follow).docs(
            "Commands that have changed behind a cursor, then others as they change. A status may be left out where a later \
             one follows, a command never; one may come again as it was. It ends with an error when the gateway stops or \
             the logs cannot be read: call it again with the last update's cursor.",
        );
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        may(user, Wish::See)
    }
}

/// Which commands a client sees.
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Only these; all where empty.
    ids: BTreeSet<CommandId>,
    /// Only of this caller.
    caller: Option<String>,
}

impl Filter {
    fn takes(&self, command: &Shown) -> bool {
        let is_asked_for = self.ids.is_empty() || self.ids.contains(&command.id);
        is_asked_for && self.caller.as_ref().is_none_or(|caller| *caller == command.caller)
    }
}

/// One client.
struct Follower {
    reader: CommandReader,
    filter: Filter,
    /// Of the past, to be sent first.
    past: Option<Past>,
    /// How many events the last update's cursor had behind it, and whether it was the latest.
    sent: Option<(u64, bool)>,
}

impl Follow for Follower {
    type Update = CommandsUpdate;

    fn next(&mut self) -> BoxFuture<'_, Result<CommandsUpdate, HubError>> {
        async {
            if let Some(Past { cursor, commands }) = self.past.take() {
                self.sent = Some((cursor.values().sum(), true));
                return Ok(CommandsUpdate { cursor, is_latest: true, commands });
            }
            loop {
                let changes = self.reader.next().await?;
                if let Some(update) = self.update(&changes) {
                    return Ok(update);
                }
            }
        }
        .boxed()
    }
}

impl Follower {
    /// What changes there are for this client, where they are worth sending.
    fn update(&mut self, changes: &Changes) -> Option<CommandsUpdate> {
        let commands = changes.commands.iter().filter(|command| self.filter.takes(command));
        let commands: Vec<_> = commands.map(|command| command.document.clone()).collect();
        let events = changes.cursor.values().sum::<u64>();
        let is_due = match self.sent {
            None => changes.is_latest,
            Some((sent, was_latest)) => {
                (changes.is_latest && !was_latest) || events.saturating_sub(sent) >= SILENT_EVENTS
            }
        };
        if commands.is_empty() && !is_due {
            return None;
        }
        self.sent = Some((events, changes.is_latest));
        Some(CommandsUpdate { cursor: changes.cursor.clone(), is_latest: changes.is_latest, commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_see_all_sees_its_own_and_of_these_what_it_asked_for() {
        let id = CommandId::new();
        let of = |id: CommandId, caller: &str| {
            Shown::of(id, &format!("{{\"caller\":\"{caller}\",\"state\":\"accepted\"}}")).unwrap()
        };
        let own = Filter { caller: Some("ann".to_owned()), ..Filter::default() };
        assert!(own.takes(&of(id, "ann")) && !own.takes(&of(id, "bob")));
        let one = Filter { ids: BTreeSet::from([id]), ..own };
        assert!(one.takes(&of(id, "ann")) && !one.takes(&of(CommandId::new(), "ann")));
        assert!(!one.takes(&of(id, "bob")));
        assert!(Filter::default().takes(&of(id, "bob")));
        assert!(Shown::of(id, "{}").is_none());
    }
}
