//! What every request has: an id, a tree of causes, a caller, a share of the rate, and a problem where it fails.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::{ALLOW, HOST, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use percent_encoding::percent_decode_str;
use tick_sdk::contracts::{CommandId, ConversationId};
use tower::Service;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::refusal::Refusal;
use super::{GatewayState, dashboard};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// As problems name it.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// An idempotency key, or a request's id from outside, has at most so many characters.
const LONGEST_TEXT: usize = 255;

/// Who asks, and for which tree of causes.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The caller's name.
    pub(crate) caller: &'static str,
    /// The tree of causes that the caller named.
    pub(crate) conversation_id: Option<ConversationId>,
    /// The command's id, where the caller gave a key.
    pub(crate) command_id: Option<CommandId>,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let missing = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the request has no scope");
        let scope = parts.extensions.get::<Scope>().ok_or_else(missing)?;
        let key = text_header(&parts.headers, IDEMPOTENCY_KEY)?;
        let command_id = key.map(|key| CommandId::of_key(scope.caller, key));
        Ok(Self { caller: scope.caller, conversation_id: scope.conversation_id, command_id })
    }
}

#[derive(Clone, Copy)]
struct Scope {
    caller: &'static str,
    conversation_id: Option<ConversationId>,
}

/// Who sends a request to a hub, as an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HubCaller(pub(crate) &'static str);

/// Every route with its scope. It wraps the router as a whole, not each of its routes as a layer does: that is a
/// quarter of a read's time.
#[derive(Clone)]
pub(crate) struct Scoped {
    pub(crate) router: Router,
    pub(crate) state: Arc<GatewayState>,
}

impl Service<Request> for Scoped {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let begun = Instant::now();
        let names = Names::of(&request);
        let admitted = admit(&self.state, &request, begun);
        let answer = admitted.map(|scope| self.answer(request, scope));
        Box::pin(async move {
            let span = names.span();
            let answer = match answer {
                Ok(answer) => AssertUnwindSafe(answer).catch_unwind().instrument(span.clone()).await,
                Err(refusal) => Ok(refusal.into_response()),
            };
            let answer = answer.unwrap_or_else(|_| {
                let detail = "a defect of the gateway; its log says more";
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
            });
            span.in_scope(|| log(&names, &answer, begun));
            Ok(finish(answer, names))
        })
    }
}

impl Scoped {
    fn answer(&mut self, mut request: Request, scope: Scope) -> impl Future<Output = Response> + use<> {
        if is_of_hub(request.uri().path()) {
            request.extensions_mut().insert(HubCaller(scope.caller));
        } else if !is_read(request.method()) {
            request.extensions_mut().insert(scope);
        }
        self.router.call(request).map(|answer| match answer {
            Ok(answer) => answer,
            Err(never) => match never {},
        })
    }
}

/// What names a request in its answer and its log lines.
struct Names {
    request_id: HeaderValue,
    correlation_id: HeaderValue,
    method: Method,
    uri: Uri,
}

impl Names {
    fn of(request: &Request) -> Self {
        let id = request_id();
        let own = header_of(id);
        let given = text_header(request.headers(), REQUEST_ID.as_str()).ok().flatten();
        let given = given.and_then(|given| HeaderValue::from_str(given).ok());
        let correlation_id = match conversation_id(request.headers()) {
            Ok(Some(conversation_id)) => header_of(conversation_id.0),
            _ => own.clone(),
        };
        Self {
            request_id: given.unwrap_or(own),
            correlation_id,
            method: request.method().clone(),
            uri: request.uri().clone(),
        }
    }

    /// Reads are many, and say something only where they fail: that line names the request itself.
    fn span(&self) -> Span {
        let (request_id, correlation_id) = self.texts();
        let (method, path) = (&self.method, self.uri.path());
        if is_read(method) {
            tracing::debug_span!("request", request_id, correlation_id, %method, path)
        } else {
            tracing::info_span!("request", request_id, correlation_id, %method, path)
        }
    }

    fn texts(&self) -> (&str, &str) {
        (self.request_id.to_str().unwrap_or_default(), self.correlation_id.to_str().unwrap_or_default())
    }
}

/// A UUID of version 7. The system is asked for randomness once, not for each request: what follows is counted.
fn request_id() -> Uuid {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().1);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut rest = [0; 10];
    rest[..8].copy_from_slice(&PROCESS.wrapping_add(count).to_be_bytes());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(since.as_millis() as u64, &rest).into_uuid()
}

fn header_of(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    // Hexadecimal digits are visible characters.
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn admit(state: &GatewayState, request: &Request, now: Instant) -> Result<Scope, Refusal> {
    check_message(request)?;
    let peer = peer(request);
    state.rate.take_from(peer, now).map_err(|wait| too_many("from this address", wait))?;
    let conversation_id = conversation_id(request.headers())?;
    if is_open(request.uri().path()) {
        return Ok(Scope { caller: "anyone", conversation_id });
    }
    let token = token(request.uri());
    let caller = state.guard.admit(request.headers(), token.as_deref(), peer).inspect_err(|refusal| {
        if refusal.status == StatusCode::UNAUTHORIZED {
            state.rate.count_guess(peer, now);
        }
    })?;
    state.rate.take(caller, now).map_err(|wait| too_many("of this caller", wait))?;
    Ok(Scope { caller, conversation_id })
}

/// What HTTP itself asks for (RFC 9112 3.2, RFC 9110 13.1).
fn check_message(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.version() == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
        return Err(Refusal::bad_request("a request of HTTP/1.1 has the header Host, and once"));
    }
    if !is_read(request.method()) && (headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)) {
        let detail = "a command is carried out after it is accepted, so it takes no condition: leave out If-Match \
                      and If-None-Match";
        return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, detail));
    }
    Ok(())
}

fn too_many(whose: &str, wait: Duration) -> Refusal {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let detail = format!("more requests {whose} than are taken in a second: try again later");
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds)
}

/// What says nothing that is not in the program's own files: probes have no key, and neither has a browser.
fn is_open(path: &str) -> bool {
    matches!(path, "/health/live" | "/health/ready" | "/openapi.json" | "/docs") || dashboard::is_path(path)
}

fn is_of_hub(path: &str) -> bool {
    path.starts_with("/hubs/")
}

/// The key in a hub's query, where a browser puts it: it can set no header on a WebSocket.
fn token(uri: &Uri) -> Option<String> {
    let query = uri.query().filter(|_| is_of_hub(uri.path()))?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("access_token")).map(|(_, value)| value);
    let mut texts =
        found.map(|value| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned());
    texts.find(|token| !token.is_empty())
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

fn conversation_id(headers: &HeaderMap) -> Result<Option<ConversationId>, Refusal> {
    let given = headers.get(CORRELATION_ID).map_or(Ok(""), |value| value.to_str()).unwrap_or("?");
    if given.trim().is_empty() {
        return Ok(None);
    }
    given.trim().parse().map(Some).map_err(|_| {
        Refusal::bad_request("a header cannot be read").parameter("X-Correlation-Id", "is no GUID")
    })
}

/// A header of visible characters; an empty one is as good as absent.
fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or("\u{7f}").trim();
    if text.len() > LONGEST_TEXT || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let detail = format!("has more than {LONGEST_TEXT} characters, or others than visible ASCII");
        return Err(Refusal::bad_request("a header cannot be read").parameter(name, detail));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn finish(answer: Response, names: Names) -> Response {
    let mut answer = match answer.extensions().get::<Refusal>() {
        None => answer,
        Some(refusal) => {
            let mut problem = refusal.clone().answer(names.texts().0, names.uri.path());
            // What axum found out itself, as the methods that there are, stays.
            if let Some(allow) = answer.headers().get(ALLOW) {
                problem.headers_mut().insert(ALLOW, allow.clone());
            }
            problem
        }
    };
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, names.request_id);
    headers.entry(CORRELATION_ID).or_insert(names.correlation_id);
    answer
}

fn log(names: &Names, answer: &Response, begun: Instant) {
    let status = answer.status().as_u16();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    if answer.status().is_server_error() {
        let cause = answer.extensions().get::<Refusal>().and_then(|refusal| refusal.cause.as_deref());
        let (request_id, correlation_id) = names.texts();
        let (method, path) = (&names.method, names.uri.path());
        tracing::error!(status, ms, cause, request_id, correlation_id, %method, path, "not answered");
    } else if is_read(&names.method) {
        tracing::debug!(status, ms, "answered");
    } else {
        tracing::info!(status, ms, "answered");
    }
}

/// The header under which an answer names its tree of causes.
pub(crate) fn correlation_header(id: ConversationId) -> (HeaderName, HeaderValue) {
    (CORRELATION_ID, header_of(id.0))
}
