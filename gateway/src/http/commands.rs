//! Commands: what has become of them, their trees of causes, and another try of those that failed.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use tick_sdk::api::{CommandNode, CommandTree, CommandView, command_state};
use tick_sdk::contracts::CommandId;

use super::read::{Known, UNKNOWN_WAIT, document, of_prefix, state_of, tagged, unknown};
use super::refusal::Refusal;
use super::scope::Asked;
use super::{Answer, GatewayState, Named, Shared, id_of, send};
use crate::documents::{DocumentError, DocumentStore, IndexQuery, Key, Text};
use crate::projections::commands::{BY_STATE, BY_TIME, BY_TREE, COMMANDS};

/// A tree is shown with at most so many commands.
const MOST_OF_TREE: usize = 1000;

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let page = state.query(&uri, &["state", "limit", "cursor"], |query| {
        let (index, prefix) = match query.one_of("state", &command_state::ALL) {
            Some(state) => (BY_STATE, Key::new().text(state)),
            None => (BY_TIME, Key::new()),
        };
        let mut page = of_prefix(index, prefix, query);
        page.is_descending = true;
        page
    });
    state.page(&COMMANDS, page.await?).await
}

/// Waits until the command has ended, or, where the client names a status that it has, until there is another. It was
/// answered before it is known here: as long as the client waits, it may still come.
pub(super) async fn one(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let id: CommandId = id_of(named)?;
    let wait = state.query(&uri, &["wait"], |query| query.wait()).await?.unwrap_or(Duration::ZERO);
    let unknown_wait = wait.max(UNKNOWN_WAIT);
    let is_enough = |text: &Text| {
        command_state::is_final(state_of(text.as_str())) || (known.is_any() && !known.has(text))
    };
    let body = state.command_when(id, wait, unknown_wait, is_enough).await?;
    Ok(document(&known, body.ok_or_else(|| Refusal::not_found(unknown(id, unknown_wait)))?))
}

pub(super) async fn requeue(State(state): Shared, asked: Asked, named: Named) -> Answer {
    let id: CommandId = id_of(named)?;
    let command = state.command(id).await?;
    // The state that is shown may be old; the endpoint decides by the one that it has.
    if command.state == command_state::COMPLETED || command.state == command_state::CANCELLED {
        let detail = format!("command {id} is {}: only failed ones can be requeued", command.state);
        return Err(Refusal::new(StatusCode::CONFLICT, detail));
    }
    let conversation_id = asked.conversation_id.or(command.correlation_id);
    send::requeue(&state, Asked { conversation_id, ..asked }, &command.endpoint, id).await
}

pub(super) async fn tree(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let id: CommandId = id_of(named)?;
    state.query(&uri, &[], |_| ()).await?;
    let command = state.command(id).await?;
    let commands = match command.correlation_id {
        Some(conversation) => {
            let prefix = Key::new().text(&conversation.to_string());
            let (to, from) = (prefix.after_all(), Some(prefix));
            let limit = MOST_OF_TREE + 1;
            let query = IndexQuery { index: BY_TREE, from, to, is_descending: false, after: None, limit };
            let found = state.documents.blocking(move |documents| {
                let first = documents.get(&COMMANDS, &conversation.to_string())?;
                let others = documents.page(&COMMANDS, &query)?.into_iter().map(|found| found.document.body);
                Ok::<_, DocumentError>(first.into_iter().chain(others).collect::<Vec<_>>())
            });
            let views = found.await?;
            let mut views = views.iter().map(|body| parse(body)).collect::<Result<Vec<_>, _>>()?;
            views.retain(|one| one.correlation_id == Some(conversation));
            views
        }
        None => Vec::new(),
    };
    Ok(tagged(&known, &grow(command, commands)))
}

impl GatewayState {
    async fn command(&self, id: CommandId) -> Result<CommandView, Refusal> {
        let body = self.command_when(id, Duration::ZERO, UNKNOWN_WAIT, |_| true).await?;
        parse(body.ok_or_else(|| Refusal::not_found(unknown(id, UNKNOWN_WAIT)))?.as_str())
    }
}

fn parse(body: &str) -> Result<CommandView, Refusal> {
    serde_json::from_str(body).map_err(|error| {
        Refusal::unavailable("the status", format!("its document is damaged, rebuild them: {error}"))
    })
}

/// The tree around a command; of `all`, in order of acceptance, those that belong to other trees are left out.
fn grow(command: CommandView, mut all: Vec<CommandView>) -> CommandTree {
    let is_cut = all.len() > MOST_OF_TREE;
    all.truncate(MOST_OF_TREE);
    if all.iter().all(|one| one.command_id != command.command_id) {
        all.push(command.clone());
    }
    let by_id: HashMap<_, _> = all.iter().map(|one| (one.command_id, one.caused_by)).collect();
    let mut causes = vec![command.command_id];
    let mut at = command.command_id;
    // Causes come before their effects, so a ring cannot be; damaged documents shall not hang the server either.
    while let Some(cause) = by_id.get(&at).copied().flatten().filter(|cause| by_id.contains_key(cause)) {
        if causes.contains(&cause) {
            break;
        }
        causes.push(cause);
        at = cause;
    }
    causes.reverse();
    let root = node(at, &mut all);
    let root = root.unwrap_or(CommandNode { command: command.clone(), caused: Vec::new() });
    CommandTree { command_id: command.command_id, causes, root, is_cut }
}

/// Takes a command and all that came of it out of `rest`.
fn node(id: CommandId, rest: &mut Vec<CommandView>) -> Option<CommandNode> {
    let place = rest.iter().position(|one| one.command_id == id)?;
    let command = rest.remove(place);
    let caused: Vec<_> =
        rest.iter().filter(|one| one.caused_by == Some(id)).map(|one| one.command_id).collect();
    let caused = caused.into_iter().filter_map(|id| node(id, rest)).collect();
    Some(CommandNode { command, caused })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(caused_by: Option<CommandId>) -> CommandView {
        CommandView { command_id: CommandId::new(), caused_by, ..CommandView::default() }
    }

    #[test]
    fn a_tree_goes_both_ways() {
        let first = command(None);
        let second = command(Some(first.command_id));
        let other = command(Some(first.command_id));
        let third = command(Some(second.command_id));
        let stranger = command(None);
        let all = vec![first.clone(), stranger, second.clone(), other.clone(), third.clone()];
        let tree = grow(second.clone(), all);
        assert_eq!(tree.causes, [first.command_id, second.command_id]);
        assert_eq!(tree.root.command, first);
        let caused: Vec<_> = tree.root.caused.iter().map(|node| node.command.command_id).collect();
        assert_eq!(caused, [second.command_id, other.command_id]);
        assert_eq!(tree.root.caused[0].caused[0].command, third);
    }

    #[test]
    fn damaged_causes_do_not_hang() {
        let mut one = command(None);
        let two = command(Some(one.command_id));
        one.caused_by = Some(two.command_id);
        let tree = grow(one.clone(), vec![one, two]);
        assert_eq!(tree.causes.len(), 2);
    }
}
