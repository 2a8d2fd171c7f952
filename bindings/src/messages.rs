//! What is generated: messages, what they consist of, and what routes take and give.

use std::collections::BTreeSet;

use tick_sdk::api::routes::{Answer, ROUTES};
use tick_sdk::api::{Accepted, Page, Problem};
use tick_sdk::contracts::bus::STATUS_EVENTS;
use tick_sdk::contracts::{KnownCommand, KnownEvent, KnownRequest};
use tick_sdk::shape::json_schema::reached;
use tick_sdk::shape::{Form, Parameter, Shape, Shaped, Texts};

/// A message with what it is.
pub(crate) struct Message {
    pub(crate) shape: &'static Shape,
    pub(crate) role: Role,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Command {
        version: u32,
        endpoint: &'static str,
    },
    /// Without a context it is in every context's log.
    Event {
        version: u32,
        context: Option<&'static str>,
    },
    Request {
        version: u32,
        endpoint: &'static str,
        answers: &'static [&'static str],
    },
    Answer {
        version: u32,
        request: &'static str,
    },
}

/// Status events have had one version so far.
const STATUS_VERSION: u32 = 1;

impl Role {
    fn of(shape: &Shape) -> Option<Self> {
        let name = shape.name;
        if let Some(known) = KnownCommand::all().into_iter().find(|known| known.name == name) {
            return Some(Self::Command { version: known.version, endpoint: known.endpoint });
        }
        if let Some(known) = KnownEvent::all().into_iter().find(|known| known.name == name) {
            return Some(Self::Event { version: known.version, context: Some(known.context) });
        }
        if STATUS_EVENTS.contains(&name) {
            return Some(Self::Event { version: STATUS_VERSION, context: None });
        }
        KnownRequest::all().into_iter().find_map(|known| {
            if known.name == name {
                let (version, endpoint, answers) = (known.version, known.endpoint, known.answers);
                return Some(Self::Request { version, endpoint, answers });
            }
            let is_answer = known.answers.contains(&name);
            is_answer.then_some(Self::Answer { version: known.version, request: known.name })
        })
    }

    /// The name of the property in which a message of this role has the command's id.
    pub(crate) const fn id_property(self) -> Option<&'static str> {
        match self {
            Self::Command { .. } => Some("commandId"),
            Self::Event { .. } => Some("correlationId"),
            Self::Request { .. } | Self::Answer { .. } => None,
        }
    }

    /// What it is, where it goes, and how its version is counted, in a sentence or two.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Command { version, endpoint } => {
                format!("Command, version {version}; sent to the endpoint `{endpoint}`.")
            }
            Self::Event { version, context: Some(context) } => {
                format!("Event, version {version}; of the context `{context}`.")
            }
            Self::Event { version, context: None } => format!("Event, version {version}; of every context."),
            Self::Request { version, endpoint, answers } => {
                let answers: Vec<_> = answers.iter().map(|answer| format!("`{answer}`")).collect();
                let answers = answers.join(" or ");
                format!(
                    "Request, version {version}; sent to the endpoint `{endpoint}`, answered with {answers}."
                )
            }
            Self::Answer { version, request } => format!("Answer to `{request}`, version {version}."),
        }
    }
}

/// Every message, in the order of their declarations.
pub(crate) fn messages() -> Vec<Message> {
    let all = Shape::all().into_iter();
    all.filter_map(|shape| Role::of(shape).map(|role| Message { shape, role })).collect()
}

/// The endpoints of commands and requests, by name.
pub(crate) fn endpoints(messages: &[Message]) -> BTreeSet<&'static str> {
    let endpoints = messages.iter().filter_map(|message| match message.role {
        Role::Command { endpoint, .. } | Role::Request { endpoint, .. } => Some(endpoint),
        Role::Event { .. } | Role::Answer { .. } => None,
    });
    endpoints.collect()
}

/// What messages consist of, without the messages that are no part of another.
pub(crate) fn parts_of(messages: &[Message]) -> Vec<&'static Shape> {
    let fields = messages.iter().flat_map(|message| message.shape.members());
    in_order(reached(fields.filter_map(|field| field.kind.object())).into_values())
}

/// What routes take and give.
pub(crate) fn bodies() -> Vec<&'static Shape> {
    let taken = ROUTES.iter().filter_map(|route| route.body.map(|body| (body.shape)()));
    let given = ROUTES.iter().filter_map(|route| match route.answer {
        Answer::One(shape) | Answer::Page(shape) | Answer::Streamed(shape) => Some(shape()),
        Answer::Accepted | Answer::Other(_) => None,
    });
    let always = [Accepted::shape(), Problem::shape(), Page::<Parameter>::shape()];
    in_order(reached(taken.chain(given).chain(always)).into_values())
}

/// What the gateway reads: bodies, and what they consist of.
pub(crate) fn taken() -> BTreeSet<&'static str> {
    let taken = ROUTES.iter().filter_map(|route| route.body.map(|body| (body.shape)()));
    reached(taken).into_keys().collect()
}

/// The groups of texts that members of these shapes can have, or parameters of queries, by name.
pub(crate) fn texts_of<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> Vec<&'static Texts> {
    let members = shapes.into_iter().flat_map(Shape::members).map(|field| field.form);
    let queries = ROUTES.iter().flat_map(|route| route.query().map(|query| query.form));
    let mut texts: Vec<_> = members
        .chain(queries)
        .filter_map(|form| match form {
            Form::OneOf(texts) => Some(texts),
            _ => None,
        })
        .collect();
    texts.sort_by_key(|texts| texts.name);
    texts.dedup_by_key(|texts| texts.name);
    texts
}

/// In the order of their declarations.
fn in_order(shapes: impl Iterator<Item = &'static Shape>) -> Vec<&'static Shape> {
    let mut shapes: Vec<_> = shapes.collect();
    shapes.sort_by_key(|shape| (shape.module, shape.line));
    shapes
}
