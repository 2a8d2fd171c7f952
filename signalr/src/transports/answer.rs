//! Answers as ASP.NET Core gives them, word for word.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPIRES, HeaderValue, PRAGMA, SEC_WEBSOCKET_ACCEPT, UPGRADE,
};
use axum::http::{Response, StatusCode};

use super::Transport;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unauthorized,
    MethodNotAllowed,
    IdRequired,
    UnknownId,
    OtherUser,
    ForeignOrigin,
    SwitchedOff(Transport),
    OtherTransport,
    AlreadyActive,
    PostToWebSocket,
    CannotDelete,
    BodyTooSlow,
    BodyCut,
    TooManyOfUser,
    TooManyOfAddress,
    AddressUnknown,
    Stopping,
}

impl Refusal {
    pub(super) fn answer(self) -> Response<Body> {
        let (status, content) = self.status_and_text();
        let mut response = text(status, content);
        if self == Self::Unauthorized {
            response.headers_mut().remove(CONTENT_TYPE);
        }
        response
    }

    fn status_and_text(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, ""),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, ""),
            Self::IdRequired => (StatusCode::BAD_REQUEST, "Connection ID required"),
            Self::UnknownId => (StatusCode::NOT_FOUND, "No Connection with that ID"),
            Self::OtherUser => (StatusCode::FORBIDDEN, "The connection belongs to another user"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "The origin is not one of those that may connect"),
            Self::SwitchedOff(transport) => (StatusCode::NOT_FOUND, switched_off(transport)),
            Self::OtherTransport => (StatusCode::BAD_REQUEST, "Cannot change transports mid-connection"),
            Self::AlreadyActive => (StatusCode::CONFLICT, ""),
            Self::PostToWebSocket => {
                (StatusCode::METHOD_NOT_ALLOWED, "POST requests are not allowed for WebSocket connections.")
            }
            Self::CannotDelete => {
                (StatusCode::BAD_REQUEST, "Cannot terminate this connection using the DELETE endpoint.")
            }
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, ""),
            Self::BodyCut => (StatusCode::BAD_REQUEST, ""),
            Self::TooManyOfUser => (StatusCode::TOO_MANY_REQUESTS, "Too many connections of this user"),
            Self::TooManyOfAddress => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many connections from this address")
            }
            Self::AddressUnknown => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "max_connections_per_address needs into_make_service_with_connect_info::<SocketAddr>()",
            ),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "The server is stopping"),
        }
    }
}

fn switched_off(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSockets => "WebSockets transport not supported by this end point type",
        Transport::ServerSentEvents => "ServerSentEvents transport not supported by this end point type",
        Transport::LongPolling => "LongPolling transport not supported by this end point type",
    }
}

/// Text, which may be empty.
pub(super) fn text(status: StatusCode, content: &'static str) -> Response<Body> {
    with_type(status, TEXT, Body::from(content))
}

/// Messages for a poll.
pub(super) fn messages(content: Vec<u8>) -> Response<Body> {
    with_type(StatusCode::OK, HeaderValue::from_static("application/octet-stream"), Body::from(content))
}

/// Of a negotiation.
pub(super) fn json(content: String) -> Response<Body> {
    with_type(StatusCode::OK, HeaderValue::from_static("application/json"), Body::from(content))
}

/// A stream of events.
pub(super) fn events(content: Body) -> Response<Body> {
    let mut response = with_type(StatusCode::OK, HeaderValue::from_static("text/event-stream"), content);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache,no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert("content-encoding", HeaderValue::from_static("identity"));
    response
}

/// From now on the connection is a WebSocket.
pub(super) fn switching(accept: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Answers to polls, refusals too, are never cached.
pub(super) fn uncached(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    response
}

fn with_type(status: StatusCode, content_type: HeaderValue, content: Body) -> Response<Body> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
