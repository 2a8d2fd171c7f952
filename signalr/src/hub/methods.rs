//! What a hub offers: its methods by name, and what it sends, as one line each says.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use ts_rs::TS;

use super::Hub;
use super::connection::Caller;
use super::context::Context;
use super::error::{Failure, HubError};
use super::registration::{CallMethod, Items, StreamMethod};
use super::upload::Pipe;
use crate::events::{Event, EventArguments, Question};
use crate::message::{Invocation, Payload};
use crate::typescript::{
    AnswerShape, EventShape, HubShape, MethodShape, ParameterShape, QuestionShape, TypeShape, named,
};

/// What a hub offers, and what the generated client knows.
///
/// ```
/// # use std::sync::Arc;
/// use futures_util::Stream;
/// use signalr::{Context, Event, Hub, HubError, Methods};
///
/// static SAID: Event<(String, String)> = Event::new("Said", &["user", "text"]);
///
/// struct Chat;
///
/// impl Hub for Chat {
///     fn register(methods: &mut Methods<Self>) {
///         methods.call("Say", ["text"], Chat::say);
///         methods.call("Clear", [], Chat::clear).roles(["admin"]);
///         methods.stream("Count", ["n"], Chat::count);
///         methods.event(&SAID);
///     }
/// }
///
/// impl Chat {
///     async fn say(self: Arc<Self>, context: Context, text: String) -> Result<(), HubError> {
///         let user = context.user().map_or("somebody", |user| &user.name).to_owned();
///         Ok(context.clients().all().send(&SAID, (user, text)).await?)
///     }
///
///     async fn clear(self: Arc<Self>, _: Context) {}
///
///     fn count(self: Arc<Self>, _: Context, n: u32) -> impl Stream<Item = u32> {
///         futures_util::stream::iter(0..n)
///     }
/// }
/// ```
///
/// Another number of names than arguments does not compile:
///
/// ```compile_fail
/// # use std::sync::Arc;
/// # use signalr::{Context, Hub, Methods};
/// # struct Chat;
/// # impl Chat { async fn say(self: Arc<Self>, _: Context, text: String) {} }
/// impl Hub for Chat {
///     fn register(methods: &mut Methods<Self>) {
///         methods.call("Say", [], Chat::say);
///     }
/// }
/// ```
pub struct Methods<H> {
    methods: Vec<Method<H>>,
    events: Vec<EventShape>,
    questions: Vec<QuestionShape>,
}

impl<H: 'static> Methods<H> {
    /// Clients call it and get one answer. A last argument that is an `Option` may be left out.
    pub fn call<const N: usize, M>(
        &mut self,
        name: &'static str,
        parameters: [&'static str; N],
        method: impl CallMethod<H, N, M>,
    ) -> MethodLine<'_, H> {
        self.add(name, method.registered(parameters))
    }

    /// Clients call it and get a stream.
    pub fn stream<const N: usize, M>(
        &mut self,
        name: &'static str,
        parameters: [&'static str; N],
        method: impl StreamMethod<H, N, M>,
    ) -> MethodLine<'_, H> {
        self.add(name, method.registered(parameters))
    }

    /// Clients are sent it: for the generated client.
    pub fn event<A: EventArguments>(&mut self, event: &Event<A>) -> EventLine<'_> {
        let parameters = named(event.parameters, A::types());
        self.events.push(EventShape { name: event.name, docs: "", parameters });
        EventLine { docs: self.events.last_mut().map(|event| &mut event.docs) }
    }

    /// Clients are asked it: for the generated client.
    pub fn question<A: EventArguments, R: DeserializeOwned + TS + 'static>(
        &mut self,
        question: &Question<A, R>,
    ) -> EventLine<'_> {
        let parameters = named(question.parameters, A::types());
        let answer = TypeShape::of::<R>();
        self.questions.push(QuestionShape { name: question.name, docs: "", parameters, answer });
        EventLine { docs: self.questions.last_mut().map(|question| &mut question.docs) }
    }

    pub(super) fn new() -> Self {
        Self { methods: Vec::new(), events: Vec::new(), questions: Vec::new() }
    }

    /// All that the hub registers, in its order.
    pub(crate) fn shape() -> HubShape
    where
        H: Hub,
    {
        let mut all = Self::new();
        H::register(&mut all);
        let methods = all.methods.into_iter().map(|method| method.shape).collect();
        HubShape { methods, events: all.events, questions: all.questions }
    }

    /// By name without case.
    pub(super) fn by_name(self) -> HashMap<Box<str>, Arc<Method<H>>> {
        self.methods.into_iter().map(|method| (key(method.shape.name).into(), Arc::new(method))).collect()
    }

    fn add(&mut self, name: &'static str, registered: Registered<H>) -> MethodLine<'_, H> {
        let is_known = self.methods.iter().any(|method| key(method.shape.name) == key(name));
        assert!(!is_known, "two methods of a hub are called {name}: clients' calls are matched without case");
        let Registered { parameters, answer, bind } = registered;
        let shape = MethodShape { name, docs: "", parameters, answer };
        self.methods.push(Method { arity: Arity::of(&shape.parameters), shape, rules: Vec::new(), bind });
        let place = self.methods.len() - 1;
        MethodLine { method: &mut self.methods[place] }
    }
}

/// As a method is looked up.
pub(super) fn key(name: &str) -> String {
    name.to_lowercase()
}

impl<H> fmt::Debug for Methods<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.methods.iter().map(|method| method.shape.name)).finish()
    }
}

/// What else is said of a method, behind its registration.
#[derive(Debug)]
pub struct MethodLine<'a, H> {
    method: &'a mut Method<H>,
}

impl<H> MethodLine<'_, H> {
    /// Only users who have one of these roles may call it.
    pub fn roles(self, roles: impl IntoIterator<Item = &'static str>) -> Self {
        let roles: Vec<_> = roles.into_iter().collect();
        self.allow(move |context| {
            context.user().is_some_and(|user| roles.iter().any(|role| user.roles.contains(*role)))
        })
    }

    /// Only callers for whom this is true may call it.
    pub fn allow(self, rule: impl Fn(&Context) -> bool + Send + Sync + 'static) -> Self {
        self.method.rules.push(Box::new(rule));
        self
    }

    /// For the reader of the generated client.
    pub fn docs(self, docs: &'static str) -> Self {
        self.method.shape.docs = docs;
        self
    }
}

/// What else is said of an event or a question, behind its registration.
#[derive(Debug)]
pub struct EventLine<'a> {
    docs: Option<&'a mut &'static str>,
}

impl EventLine<'_> {
    /// For the reader of the generated client.
    pub fn docs(self, docs: &'static str) {
        if let Some(place) = self.docs {
            *place = docs;
        }
    }
}

/// A function as a method: what [`registration`](super::registration) makes of it.
pub struct Registered<H> {
    parameters: Vec<ParameterShape>,
    answer: AnswerShape,
    bind: Bind<H>,
}

impl<H> Registered<H> {
    pub(super) fn new(
        parameters: Vec<ParameterShape>,
        answer: AnswerShape,
        bind: impl Fn(&mut Binding<'_>) -> Option<Run<H>> + Send + Sync + 'static,
    ) -> Self {
        Self { parameters, answer, bind: Box::new(bind) }
    }
}

impl<H> fmt::Debug for Registered<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.parameters.iter().map(|parameter| parameter.name)).finish()
    }
}

/// Reads the arguments; `None` where one is not of its type.
type Bind<H> = Box<dyn Fn(&mut Binding<'_>) -> Option<Run<H>> + Send + Sync>;

/// A call with its arguments.
pub(super) type Run<H> =
    Box<dyn FnOnce(Arc<H>, Context) -> BoxFuture<'static, Result<Returned, HubError>> + Send>;

type Rule = Box<dyn Fn(&Context) -> bool + Send + Sync>;

/// A method of a hub.
pub(super) struct Method<H> {
    pub(super) shape: MethodShape,
    arity: Arity,
    rules: Vec<Rule>,
    bind: Bind<H>,
}

/// How many arguments a method takes.
struct Arity {
    /// Without uploads.
    values: usize,
    /// Of the values, those that cannot be left out.
    required: usize,
    uploads: usize,
}

impl Arity {
    fn of(parameters: &[ParameterShape]) -> Self {
        let values: Vec<_> = parameters.iter().filter(|parameter| !parameter.is_upload).collect();
        let optional = values.iter().rev().take_while(|parameter| parameter.kind.is_optional()).count();
        Self {
            values: values.len(),
            required: values.len() - optional,
            uploads: parameters.len() - values.len(),
        }
    }
}

impl<H> Method<H> {
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.shape.answer, AnswerShape::Stream(_))
    }

    /// Streams, in either direction, do not count among the calls that run at once.
    pub(super) fn has_uploads(&self) -> bool {
        self.arity.uploads > 0
    }

    /// Whether its rules allow the user to call it.
    pub(super) fn allows(&self, context: &Context) -> bool {
        self.rules.iter().all(|rule| rule(context))
    }

    /// Whether the kind of the call and the number of its streams fit: checked when it is its turn.
    pub(super) fn check(&self, is_stream: bool, sent_streams: usize) -> Result<(), Failure> {
        match (self.is_stream(), is_stream) {
            (true, false) => return Err(Failure::Streaming),
            (false, true) => return Err(Failure::NotStreaming),
            _ => {}
        }
        let expected = self.arity.uploads;
        if sent_streams == expected {
            Ok(())
        } else {
            Err(Failure::StreamCount { sent: sent_streams, expected })
        }
    }

    /// Reads the arguments. `pipes` has one for each upload of the method.
    pub(super) fn bind(
        &self,
        invocation: &Invocation,
        caller: &Arc<Caller>,
        pipes: &[Arc<Pipe>],
    ) -> Result<Run<H>, Failure> {
        let sent = invocation.arguments.len();
        if sent < self.arity.required || sent > self.arity.values {
            return Err(Failure::ArgumentCount { sent, expected: self.arity.values });
        }
        let limit_items = caller.shared.options.max_upload_items;
        let missing = std::iter::repeat_with(|| Pipe::new(caller.clone(), limit_items));
        let pipes = pipes.iter().cloned().chain(missing).take(self.arity.uploads).collect::<Vec<_>>();
        let mut binding =
            Binding { values: invocation.arguments.iter(), pipes: pipes.into_iter(), null: caller.null() };
        (self.bind)(&mut binding).ok_or(Failure::ArgumentTypes)
    }
}

impl<H> fmt::Debug for Method<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shape.fmt(formatter)
    }
}

/// The arguments of one call, from which a method takes its own.
#[derive(Debug)]
pub struct Binding<'a> {
    values: std::slice::Iter<'a, Payload>,
    pipes: std::vec::IntoIter<Arc<Pipe>>,
    /// For what was left out.
    null: Payload,
}

impl Binding<'_> {
    pub(super) fn next_value<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.values.next().unwrap_or(&self.null).read().ok()
    }

    pub(super) fn next_upload(&mut self) -> Option<Arc<Pipe>> {
        self.pipes.next()
    }
}

/// What a method returned: a result, or a stream.
pub struct Returned {
    pub(super) kind: ReturnedKind,
}

pub(super) enum ReturnedKind {
    Value(Payload),
    Items(Items),
}

impl Returned {
    pub(super) fn value(value: Payload) -> Self {
        Self { kind: ReturnedKind::Value(value) }
    }

    pub(super) fn items(items: Items) -> Self {
        Self { kind: ReturnedKind::Items(items) }
    }
}

impl fmt::Debug for Returned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ReturnedKind::Value(value) => value.fmt(formatter),
            ReturnedKind::Items(_) => formatter.write_str("Items"),
        }
    }
}
