//! What goes wrong in a call, and what the client learns of it: the texts are those of ASP.NET Core, word for word.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;

use super::ask::AskError;
use super::upload::UploadError;

/// An error of a method. [`HubError::deliberate`] reaches the client; any other error is logged, and the client learns that
/// there was one.
///
/// Every error type becomes one by `?`. What the client itself said (an upload that it ended with an error, a question that it
/// answered with one) counts as deliberate.
pub struct HubError {
    kind: Kind,
}

enum Kind {
    Deliberate(String),
    Unauthorized,
    Internal { type_name: &'static str, source: Box<dyn Error + Send + Sync> },
    Panic(String),
}

impl HubError {
    /// This text reaches the client.
    pub fn deliberate(text: impl Into<String>) -> Self {
        Self { kind: Kind::Deliberate(text.into()) }
    }

    /// The client learns that the user is not allowed to do this.
    pub fn unauthorized() -> Self {
        Self { kind: Kind::Unauthorized }
    }

    /// This is logged, and does not reach the client unless detailed errors are on: for what `?` does not convert, such as a
    /// text or a boxed error.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Internal { type_name: "Error", source: error.into() } }
    }

    pub(super) fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned());
        Self { kind: Kind::Panic(text) }
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self.kind, Kind::Unauthorized)
    }

    /// Whether whoever runs the server should see it.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self.kind, Kind::Internal { .. } | Kind::Panic(_))
    }

    /// What a text for the client ends with: nothing, unless the client may know.
    pub(super) fn detail(&self, detailed: bool) -> String {
        match &self.kind {
            Kind::Deliberate(text) => format!(" HubException: {text}"),
            Kind::Unauthorized => String::new(),
            Kind::Internal { type_name, source } if detailed => format!(" {type_name}: {source}"),
            Kind::Panic(text) if detailed => format!(" Panic: {text}"),
            Kind::Internal { .. } | Kind::Panic(_) => String::new(),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HubError {
    fn from(error: E) -> Self {
        match said_by_the_client(&error) {
            Some(text) => Self::deliberate(text),
            None => Self { kind: Kind::Internal { type_name: short_name::<E>(), source: Box::new(error) } },
        }
    }
}

fn said_by_the_client(error: &(dyn Error + 'static)) -> Option<String> {
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(upload @ (UploadError::Client(_) | UploadError::Item)), _) => Some(upload.to_string()),
        (_, Some(ask @ AskError::Client(_))) => Some(ask.to_string()),
        _ => None,
    }
}

/// `std::io::Error` → `Error`, `Option<a::B>` → `Option`.
fn short_name<T>() -> &'static str {
    let name = type_name::<T>().split('<').next().unwrap_or_default();
    name.rsplit("::").next().unwrap_or(name)
}

impl fmt::Display for HubError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Deliberate(text) => formatter.write_str(text),
            Kind::Unauthorized => formatter.write_str("the user is not allowed to do this"),
            Kind::Internal { source, .. } => write!(formatter, "{source}"),
            Kind::Panic(text) => write!(formatter, "panic: {text}"),
        }
    }
}

impl fmt::Debug for HubError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Internal { type_name, source } => write!(formatter, "{type_name}: {source:?}"),
            Kind::Deliberate(text) => write!(formatter, "Deliberate({text:?})"),
            Kind::Unauthorized => formatter.write_str("Unauthorized"),
            Kind::Panic(text) => write!(formatter, "Panic({text:?})"),
        }
    }
}

/// Why an invocation is not answered with what it asked for.
#[derive(Debug)]
pub(super) enum Failure {
    NoSuchMethod,
    ArgumentCount {
        sent: usize,
        expected: usize,
    },
    ArgumentTypes,
    StreamCount {
        sent: usize,
        expected: usize,
    },
    /// A stream was asked of a method that has none, or the other way round.
    NotStreaming,
    Streaming,
    IdInUse(String),
    TooMany(usize),
    Stopping,
    Method(HubError),
    Items(HubError),
}

impl Failure {
    /// As the client is told.
    pub(super) fn text(&self, method: &str, detailed: bool) -> String {
        match self {
            Self::NoSuchMethod => not_begun(method, " HubException: Method does not exist."),
            Self::ArgumentCount { sent, expected } if detailed => not_begun(
                method,
                &format!(
                    " InvalidDataException: Invocation provides {sent} argument(s) but target expects {expected}."
                ),
            ),
            Self::ArgumentTypes if detailed => not_begun(method, WRONG_TYPES),
            Self::ArgumentCount { .. } | Self::ArgumentTypes => not_begun(method, ""),
            Self::StreamCount { sent, expected } => failed(
                method,
                &format!(" HubException: Client sent {sent} stream(s), Hub method expects {expected}."),
            ),
            Self::NotStreaming => format!(
                "The client attempted to invoke the non-streaming '{method}' method with a streaming invocation."
            ),
            Self::Streaming => format!(
                "The client attempted to invoke the streaming '{method}' method with a non-streaming invocation."
            ),
            Self::IdInUse(id) => format!("Invocation ID '{id}' is already in use."),
            Self::TooMany(limit) => {
                not_begun(method, &format!(" HubException: {limit} invocations are already open."))
            }
            Self::Stopping => not_begun(method, " HubException: The server is stopping."),
            Self::Method(error) if error.is_unauthorized() => {
                format!("Failed to invoke '{method}' because user is unauthorized")
            }
            Self::Method(error) => failed(method, &error.detail(detailed)),
            Self::Items(error) => {
                format!("An error occurred on the server while streaming results.{}", error.detail(detailed))
            }
        }
    }

    /// The error of the application, if whoever runs the server should see it.
    pub(super) fn fault(&self) -> Option<&HubError> {
        match self {
            Self::Method(error) | Self::Items(error) => Some(error).filter(|error| error.is_fault()),
            _ => None,
        }
    }
}

const WRONG_TYPES: &str = " InvalidDataException: Error binding arguments. Make sure that the types of the provided values \
                           match the types of the hub method being invoked.";

fn not_begun(method: &str, detail: &str) -> String {
    format!("Failed to invoke '{method}' due to an error on the server.{detail}")
}

fn failed(method: &str, detail: &str) -> String {
    format!("An unexpected error occurred invoking '{method}' on the server.{detail}")
}
