//! What a method knows of the connection that calls it.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::ask::{AskError, ask};
use super::connection::Caller;
use super::slot::Slot;
use crate::clients::{Clients, SendError, Target};
use crate::events::{EventArguments, Question};
use crate::transports::{ConnectionId, Transport};
use crate::user::User;

/// The connection that calls. Cheap to clone, and may outlive the call and the connection.
#[derive(Clone)]
pub struct Context {
    caller: Arc<Caller>,
    /// Of the call, where it has one.
    slot: Option<Arc<Slot>>,
}

impl Context {
    pub(super) fn new(caller: Arc<Caller>, slot: Option<Arc<Slot>>) -> Self {
        Self { caller, slot }
    }

    pub(super) fn caller_state(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Of the connection; may be shown.
    pub fn connection_id(&self) -> &ConnectionId {
        &self.caller.id
    }

    /// Who it is.
    pub fn user(&self) -> Option<&User> {
        self.caller.user.as_deref()
    }

    /// What carries the connection.
    pub fn transport(&self) -> Transport {
        self.caller.transport
    }

    /// The request that opened the connection, without its id and `access_token`. Its headers may carry secrets: do not log them.
    pub fn request(&self) -> &Parts {
        &self.caller.request
    }

    /// A header of the request that opened the connection.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request().headers.get(name)?.to_str().ok()
    }

    /// A value of the query of the request that opened the connection.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.request().uri.query()?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        pairs
            .map(|(key, value)| (decode(key), value))
            .find(|(key, _)| key == name)
            .map(|(_, value)| decode(value))
    }

    /// A cookie of the request that opened the connection.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.request().headers.get_all("cookie").iter();
        let cookies = headers.filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(';'));
        cookies
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The hub's clients.
    pub fn clients(&self) -> &Clients {
        &self.caller.shared.clients
    }

    /// The client that calls.
    pub fn caller(&self) -> Target<'_> {
        self.clients().connection(self.connection_id())
    }

    /// All clients but the one that calls.
    pub fn others(&self) -> Target<'_> {
        self.clients().all_except(std::slice::from_ref(self.connection_id()))
    }

    /// A group.
    pub fn group(&self, name: &str) -> Target<'_> {
        self.clients().group(name)
    }

    /// A group but the client that calls.
    pub fn others_in_group(&self, name: &str) -> Target<'_> {
        self.clients().group_except(name, std::slice::from_ref(self.connection_id()))
    }

    /// Adds the client that calls to a group.
    pub async fn join(&self, group: &str) -> Result<(), SendError> {
        self.clients().join(self.connection_id(), group).await
    }

    /// Removes it.
    pub async fn leave(&self, group: &str) -> Result<(), SendError> {
        self.clients().leave(self.connection_id(), group).await
    }

    /// Asks the client that calls, and waits for its answer or the connection's end. Other calls of the client run meanwhile,
    /// also where only one runs at a time. The client may never answer: put a timeout around it. A method that has an
    /// [`Upload`](crate::Upload) reads it meanwhile, as an answer behind more items than may wait does not arrive.
    pub async fn ask<A: EventArguments, R: DeserializeOwned>(
        &self,
        question: &Question<A, R>,
        arguments: A,
    ) -> Result<R, AskError> {
        if let Some(slot) = &self.slot {
            slot.give_free();
        }
        ask(&self.caller, question, arguments).await
    }

    /// What was last set for the connection of this type.
    pub fn item<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.caller.item()
    }

    /// Keeps something for the connection, one of each type, until it ends. The earlier one is returned.
    pub fn set_item<T: Send + Sync + 'static>(&self, item: T) -> Option<Arc<T>> {
        self.caller.set_item(item)
    }

    /// Ends the connection; the client does not connect again by itself, and is not answered any more.
    pub fn abort(&self) {
        self.caller.abort();
    }

    /// Whether the connection has ended.
    pub fn is_ended(&self) -> bool {
        self.caller.has_ended()
    }

    /// Waits until the connection has ended: for work that goes on beside the call. The call itself is dropped then.
    pub async fn ended(&self) {
        self.caller.ended().await;
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.caller.fmt(formatter)
    }
}
