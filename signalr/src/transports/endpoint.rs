//! The routes of an endpoint: which request is what, and who may send it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE,
    HeaderValue, ORIGIN,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use axum::routing::any;
use hyper::upgrade::OnUpgrade;
use tokio::task::AbortHandle;

use super::answer::{self, Refusal};
use super::guards::{Carrying, Serving, Streaming};
use super::input::Input;
use super::link::{Client, Link};
use super::links::{Attached, Links, Poll};
use super::web_socket::Patience;
use super::{
    Connection, Counts, Handler, Redirect, Transport, events, negotiate, polling, request, web_socket,
};
use crate::options::Options;
use crate::user::Authenticate;

/// The connections of one handler, and the routes on which clients make them. Cheap to clone.
///
/// ```no_run
/// # use std::{sync::Arc, time::Duration};
/// # use signalr::{Connection, Handler, Options, User, transports::Endpoint};
/// # struct Echo;
/// # impl Handler for Echo { async fn serve(&self, _: Connection) {} }
/// # async fn run() {
/// let anonymous = |_: Option<&str>, _: &axum::http::request::Parts| Ok(None::<User>);
/// let endpoint = Endpoint::new(Arc::new(Echo), Options::default(), anonymous);
/// let app = axum::Router::new().merge(endpoint.router("/echo"));
/// // … at the end:
/// endpoint.shut_down(Duration::from_secs(10)).await;
/// # }
/// ```
///
/// Where [`Options::max_connections_per_address`] is set, the application has to be served with
/// `into_make_service_with_connect_info::<SocketAddr>()`; behind a proxy that is the proxy's address.
///
/// The application's server reads the heads of requests, so time limits for them and the number of its sockets are its own.
/// Browsers put tokens into the query `access_token`, and ids into `id`: nothing here logs a URI, and a layer that does has to leave
/// the query out.
#[derive(Clone, Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) links: Arc<Links>,
    pub(super) redirect: OnceLock<Box<Redirecting>>,
    serve: Box<Serve>,
    authenticate: Box<dyn Authenticate>,
}

type Redirecting = dyn Fn(&Parts) -> Option<Redirect> + Send + Sync;
/// Spawns the handler's task, without naming the handler's type.
type Serve = dyn Fn(Connection, Serving) -> AbortHandle + Send + Sync;

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("links", &self.links).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Serves connections with `handler`.
    pub fn new<H: Handler>(handler: Arc<H>, options: Options, authenticate: impl Authenticate) -> Self {
        let serve = move |connection, serving| {
            let handler = handler.clone();
            let task = async move {
                let _serving: Serving = serving;
                handler.serve(connection).await;
            };
            tokio::spawn(task).abort_handle()
        };
        let shared = Shared {
            links: Links::new(options),
            redirect: OnceLock::new(),
            serve: Box::new(serve),
            authenticate: Box::new(authenticate),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Clients for which `redirect` answers something are sent there when they negotiate. Set once.
    pub fn redirect(self, redirect: impl Fn(&Parts) -> Option<Redirect> + Send + Sync + 'static) -> Self {
        let _ = self.shared.redirect.set(Box::new(redirect));
        self
    }

    /// The routes `path` and `path/negotiate`.
    pub fn router(&self, path: &str) -> Router {
        let path = path.trim_end_matches('/');
        let serve = |route| {
            let shared = self.shared.clone();
            any(move |request: Request| answer(shared, route, request))
        };
        let (connect, negotiate) = (serve(Route::Connect), serve(Route::Negotiate));
        let router = Router::new()
            .route(&format!("{path}/"), connect.clone())
            .route(&format!("{path}/negotiate"), negotiate.clone())
            .route(&format!("{path}/negotiate/"), negotiate);
        if path.is_empty() { router } else { router.route(path, connect) }
    }

    /// How many connections there are.
    pub fn counts(&self) -> Counts {
        self.shared.links.counts()
    }

    /// Ends all connections: each handler receives [`Received::Stopping`](super::Received::Stopping), says goodbye and returns;
    /// what waits is sent. After `within` the rest is cut, and a client that polls and does not come for 2 s before. From now on
    /// new connections are refused with 503, and ended ids with 404. Returns how many were cut.
    pub async fn shut_down(&self, within: Duration) -> usize {
        self.shared.links.shut_down(within).await
    }
}

/// What a request is for.
#[derive(Clone, Copy)]
enum Route {
    Negotiate,
    Connect,
}

/// Answers preflights, and names the origin that may read the answer.
async fn answer(shared: Arc<Shared>, route: Route, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let origins = &shared.links.options.origins;
    let origin = parts.headers.get(ORIGIN).filter(|origin| request::is_listed(origin, origins)).cloned();
    let is_preflight = parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if is_preflight && !origins.is_empty() {
        return preflight(&parts, origin);
    }
    let mut response = match route {
        Route::Negotiate => shared.negotiate(&parts),
        Route::Connect => shared.connect(parts, body).await,
    };
    if let Some(origin) = origin {
        name_origin(&mut response, origin);
    }
    response
}

/// Says which requests a page may send. One of another origin gets no header, and so may send none.
fn preflight(parts: &Parts, origin: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let Some(origin) = origin else { return response };
    name_origin(&mut response, origin);
    for (asked, allowed) in [
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
    ] {
        if let Some(value) = parts.headers.get(asked) {
            response.headers_mut().insert(allowed, value.clone());
        }
    }
    response
}

fn name_origin(response: &mut Response<Body>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

impl Shared {
    fn negotiate(&self, parts: &Parts) -> Response<Body> {
        let negotiated = self.authenticate(parts).and_then(|client| match parts.method {
            Method::POST => negotiate::negotiate(self, parts, client),
            _ => Err(Refusal::MethodNotAllowed),
        });
        negotiated.unwrap_or_else(Refusal::answer)
    }

    async fn connect(&self, parts: Parts, body: Body) -> Response<Body> {
        let client = match self.authenticate(&parts) {
            Ok(client) => client,
            Err(refusal) => return refusal.answer(),
        };
        match parts.method {
            Method::GET => self.get(parts, client).await,
            Method::POST => self.post(&parts, client, body).await.unwrap_or_else(Refusal::answer),
            Method::DELETE => self.delete(&parts, &client).unwrap_or_else(Refusal::answer),
            _ => Refusal::MethodNotAllowed.answer(),
        }
    }

    fn authenticate(&self, parts: &Parts) -> Result<Client, Refusal> {
        let token = request::token(parts);
        let user =
            self.authenticate.authenticate(token.as_deref(), parts).map_err(|_| Refusal::Unauthorized)?;
        Ok(Client { user: user.map(Arc::new), address: request::address(parts) })
    }

    async fn get(&self, mut parts: Parts, client: Client) -> Response<Body> {
        if let Some(accept) = request::web_socket_accept(&parts)
            && let Some(upgrade) = parts.extensions.remove::<OnUpgrade>()
        {
            return self.web_socket(parts, client, upgrade, accept).unwrap_or_else(|refusal| {
                let mut response = refusal.answer();
                if refusal == Refusal::UnknownId {
                    response.headers_mut().remove(CONTENT_TYPE);
                }
                response
            });
        }
        if request::accepts_events(&parts) {
            return self.events(parts, &client).unwrap_or_else(Refusal::answer);
        }
        answer::uncached(self.poll(parts, &client).await.unwrap_or_else(Refusal::answer))
    }

    fn web_socket(
        &self,
        parts: Parts,
        client: Client,
        upgrade: OnUpgrade,
        accept: HeaderValue,
    ) -> Result<Response<Body>, Refusal> {
        let options = &self.links.options;
        if !request::is_origin_allowed(&parts, &options.origins) {
            return Err(Refusal::ForeignOrigin);
        }
        let link = match request::id(&parts) {
            Some(id) => self.links.find(&id, client.user.as_deref())?.0,
            None => {
                self.check_offered(Transport::WebSockets)?;
                self.links.negotiate(client, false, false)?
            }
        };
        self.check_offered(Transport::WebSockets)?;
        let Attached { socket, attachment, is_first } = self.links.attach_socket(&link)?;
        let carrying = Carrying::new(&self.links, &link, socket);
        let task = carrying.task();
        if is_first {
            self.serve(parts, &link, Transport::WebSockets);
        }
        let patience = Patience { send: options.send_timeout, close: options.close_timeout };
        let carried = tokio::spawn(web_socket::carry(upgrade, carrying, attachment, patience));
        self.links.cut_by(task, carried.abort_handle());
        self.links.carried_by(&link, socket, carried.abort_handle());
        Ok(answer::switching(accept))
    }

    fn events(&self, parts: Parts, client: &Client) -> Result<Response<Body>, Refusal> {
        let link = self.find(&parts, client)?;
        self.check_offered(Transport::ServerSentEvents)?;
        let attachment = self.links.attach_events(&link)?;
        let streaming = Streaming::new(&self.links, &link);
        self.serve(parts, &link, Transport::ServerSentEvents);
        Ok(answer::events(events::body(streaming, attachment, self.links.options.send_timeout)))
    }

    async fn poll(&self, parts: Parts, client: &Client) -> Result<Response<Body>, Refusal> {
        let link = self.find(&parts, client)?;
        self.check_offered(Transport::LongPolling)?;
        match self.links.attach_poll(&link)? {
            Poll::First => {
                self.serve(parts, &link, Transport::LongPolling);
                Ok(answer::messages(Vec::new()))
            }
            Poll::Later(polling, attachment) => {
                Ok(polling::poll(polling, attachment, self.links.options.poll_timeout).await)
            }
        }
    }

    async fn post(&self, parts: &Parts, client: Client, body: Body) -> Result<Response<Body>, Refusal> {
        let id = request::id(parts).ok_or(Refusal::IdRequired)?;
        let (link, transport) = self.links.find(&id, client.user.as_deref())?;
        if transport == Some(Transport::WebSockets) {
            return Err(Refusal::PostToWebSocket);
        }
        polling::receive(link, body, self.links.options.send_timeout).await
    }

    fn delete(&self, parts: &Parts, client: &Client) -> Result<Response<Body>, Refusal> {
        let id = request::id(parts).ok_or(Refusal::IdRequired)?;
        let (link, transport) = self.links.find(&id, client.user.as_deref())?;
        if transport != Some(Transport::LongPolling) {
            return Err(Refusal::CannotDelete);
        }
        self.links.end_input(&link);
        Ok(answer::text(StatusCode::ACCEPTED, ""))
    }

    fn find(&self, parts: &Parts, client: &Client) -> Result<Arc<Link>, Refusal> {
        let id = request::id(parts).ok_or(Refusal::IdRequired)?;
        self.links.find(&id, client.user.as_deref()).map(|(link, _)| link)
    }

    fn check_offered(&self, transport: Transport) -> Result<(), Refusal> {
        if self.links.options.transports.contains(&transport) {
            Ok(())
        } else {
            Err(Refusal::SwitchedOff(transport))
        }
    }

    /// Starts the handler.
    fn serve(&self, parts: Parts, link: &Arc<Link>, transport: Transport) {
        let connection = Connection {
            id: link.id.clone(),
            user: link.user.clone(),
            transport,
            request: Arc::new(request::kept(parts)),
            is_stateful: link.is_stateful && transport == Transport::WebSockets,
            input: Input::of(link.inbox.clone()),
            outbox: link.outbox.clone(),
        };
        let serving = Serving::new(&self.links, link);
        let task = serving.task();
        let handle = (self.serve)(connection, serving);
        self.links.cut_by(task, handle);
    }
}
