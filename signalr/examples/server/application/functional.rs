//! The surface of ASP.NET Core's functional tests of its JavaScript client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use signalr::{
    Connection, Context, Event, Format, Handler, Hub, HubError, HubServer, Methods, Question, Upload, User,
};
use ts_rs::TS;

use super::recorded::{InvalidOperationException, Items};
use super::values::{Any, Bytes, DateTime, Guid};

static MESSAGE: Event<(String,)> = Event::new("Message", &["text"]);
static CUSTOM_OBJECT: Event<(CustomObject,)> = Event::new("CustomObject", &["value"]);
static RESULT: Question<(String,), Any> = Question::new("Result", &["message"]);
static STREAM_CANCELED: Event<()> = Event::new("StreamCanceled", &[]);

/// The hub `/testhub`.
#[derive(Debug)]
pub(super) struct TestHub;

/// What a test sends, and wants back.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "PascalCase")]
struct CustomObject {
    name: String,
    value: i32,
}

/// Values of several kinds.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "PascalCase")]
struct ComplexObject {
    string: String,
    int_array: Vec<i32>,
    byte_array: Bytes,
    #[serde(rename = "GUID")]
    guid: Guid,
    date_time: DateTime,
}

impl Hub for TestHub {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Echo", ["message"], Self::echo);
        methods.call("GetCallerConnectionId", [], Self::caller_connection_id);
        methods.call("GetNumRedirects", [], Self::redirects);
        methods.call("ThrowException", ["message"], Self::throw_exception);
        methods.call("InvokeWithString", ["message"], Self::invoke_with_string);
        methods.call("SendCustomObject", ["customObject"], Self::send_custom_object);
        methods.stream("Stream", [], Self::stream);
        methods.stream("InfiniteStream", [], Self::infinite_stream);
        methods.call("StreamingConcat", ["stream"], Self::streaming_concat);
        methods.stream("EmptyStream", [], Self::empty_stream);
        methods.stream("StreamThrowException", ["message"], Self::stream_throw_exception);
        methods.call("GetActiveTransportName", [], Self::active_transport_name);
        methods.call("EchoComplexObject", ["complexObject"], Self::echo_complex_object);
        methods.call("SendComplexObject", [], Self::send_complex_object);
        methods.call("GetContentTypeHeader", [], Self::content_type_header);
        methods.call("GetHeader", ["headerName"], Self::header);
        methods.call("GetCookie", ["cookieName"], Self::cookie);
        methods.event(&MESSAGE);
        methods.event(&CUSTOM_OBJECT);
        methods.event(&STREAM_CANCELED);
        methods.question(&RESULT);
    }
}

impl TestHub {
    async fn echo(self: Arc<Self>, _: Context, message: String) -> Result<String, HubError> {
        Ok(message)
    }

    async fn caller_connection_id(self: Arc<Self>, context: Context) -> Result<String, HubError> {
        Ok(context.connection_id().to_string())
    }

    async fn redirects(self: Arc<Self>, context: Context) -> Result<i32, HubError> {
        Ok(context.query("numRedirects").unwrap_or_default().parse()?)
    }

    async fn throw_exception(self: Arc<Self>, _: Context, message: String) -> Result<(), HubError> {
        Err(InvalidOperationException(message).into())
    }

    async fn invoke_with_string(self: Arc<Self>, context: Context, message: String) -> Result<(), HubError> {
        context.caller().send(&MESSAGE, (message,)).await?;
        Ok(())
    }

    async fn send_custom_object(
        self: Arc<Self>,
        context: Context,
        custom_object: CustomObject,
    ) -> Result<(), HubError> {
        context.caller().send(&CUSTOM_OBJECT, (custom_object,)).await?;
        Ok(())
    }

    async fn stream(self: Arc<Self>, _: Context) -> Result<Items<String>, HubError> {
        Ok(stream::iter(["a", "b", "c"].map(|item| Ok(item.to_owned()))).boxed())
    }

    /// Without items; says so when the client cancels it.
    async fn infinite_stream(self: Arc<Self>, context: Context) -> Result<Items<String>, HubError> {
        let says_so = SaysSo(Some(context));
        Ok(stream::pending()
            .chain(stream::once(async move {
                drop(says_so);
                Ok(String::new())
            }))
            .boxed())
    }

    async fn streaming_concat(
        self: Arc<Self>,
        _: Context,
        mut texts: Upload<String>,
    ) -> Result<String, HubError> {
        let mut all = String::new();
        while let Some(text) = texts.next().await {
            all.push_str(&text?);
        }
        Ok(all)
    }

    async fn empty_stream(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        Ok(stream::empty().boxed())
    }

    async fn stream_throw_exception(
        self: Arc<Self>,
        _: Context,
        message: String,
    ) -> Result<Items<String>, HubError> {
        Err(InvalidOperationException(message).into())
    }

    async fn active_transport_name(self: Arc<Self>, context: Context) -> Result<String, HubError> {
        Ok(format!("{:?}", context.transport()))
    }

    async fn echo_complex_object(
        self: Arc<Self>,
        _: Context,
        complex_object: ComplexObject,
    ) -> Result<ComplexObject, HubError> {
        Ok(complex_object)
    }

    async fn send_complex_object(self: Arc<Self>, _: Context) -> Result<ComplexObject, HubError> {
        Ok(ComplexObject {
            string: "hello world".to_owned(),
            int_array: vec![1, 2, 3],
            byte_array: Bytes(vec![1, 2, 3]),
            guid: Guid("00010203-0405-0607-0706-050403020100".to_owned()),
            date_time: DateTime::utc("2000-01-01T00:00:00"),
        })
    }

    async fn content_type_header(self: Arc<Self>, context: Context) -> Result<Option<String>, HubError> {
        Ok(context.header("content-type").map(str::to_owned))
    }

    async fn header(self: Arc<Self>, context: Context, name: String) -> Result<Option<String>, HubError> {
        Ok(context.header(&name).map(str::to_owned))
    }

    async fn cookie(self: Arc<Self>, context: Context, name: String) -> Result<Option<String>, HubError> {
        Ok(context.cookie(&name).map(str::to_owned))
    }
}

/// Tells the client when it is dropped, as a cancelled stream is.
struct SaysSo(Option<Context>);

impl Drop for SaysSo {
    fn drop(&mut self) {
        if let Some(context) = self.0.take() {
            tokio::spawn(async move { context.caller().send(&STREAM_CANCELED, ()).await });
        }
    }
}

/// The hub `/authorizedhub`.
#[derive(Debug)]
pub(super) struct AuthorizedHub;

impl Hub for AuthorizedHub {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Echo", ["message"], Self::echo);
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        user.is_some()
    }
}

impl AuthorizedHub {
    async fn echo(self: Arc<Self>, _: Context, message: String) -> Result<String, HubError> {
        Ok(message)
    }
}

/// Returns bytes as they come, without the hub protocol.
#[derive(Debug)]
pub(super) struct Echo {
    /// Ends the connection of a client without this cookie.
    pub(super) wants_cookie: Option<&'static str>,
}

impl Handler for Echo {
    async fn serve(&self, mut connection: Connection) {
        let cookies = connection.request.headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
        if self.wants_cookie.is_some_and(|wanted| !cookies.any(|cookies| cookies.contains(wanted))) {
            return;
        }
        connection.outbox.set_format(Format::Text);
        while let Some(signalr::transports::Received::Bytes(bytes)) = connection.input.next().await {
            if connection.outbox.push_when_room(&bytes, false).await.is_err() {
                return;
            }
        }
    }
}

/// Routes beside the hubs.
pub(super) fn routes(hubs: Vec<HubServer<TestHub>>) -> Router {
    let redirected = Arc::new(AtomicUsize::new(0));
    Router::new()
        .route("/redirect/negotiate", post(redirect).with_state(redirected))
        .route("/echoredirect", any(redirect_to_echo))
        .route("/echoredirect/negotiate", any(redirect_to_echo))
        .route("/bad-negotiate/negotiate", post((StatusCode::BAD_REQUEST, "Some response from server")))
        .route("/generateJwtToken", get("testuser-brief"))
        .route("/deployment", get(axum::Json(serde_json::json!({}))))
        .route("/clientresult/{id}", get(client_result).with_state(hubs))
}

#[derive(Deserialize)]
struct BaseUrl {
    #[serde(rename = "baseUrl", default)]
    base_url: String,
}

/// Sends the client to the hub, with how many were sent there.
async fn redirect(State(redirected): State<Arc<AtomicUsize>>, Query(query): Query<BaseUrl>) -> Response {
    let number = redirected.fetch_add(1, Ordering::Relaxed) + 1;
    axum::Json(serde_json::json!({ "url": format!("{}/testhub?numRedirects={number}", query.base_url) }))
        .into_response()
}

/// A redirect of HTTP that keeps the method.
async fn redirect_to_echo(uri: Uri) -> Redirect {
    Redirect::temporary(&uri.to_string().replace("/echoredirect", "/echo"))
}

/// Asks one client, and answers with what it said.
async fn client_result(State(hubs): State<Vec<HubServer<TestHub>>>, Path(id): Path<String>) -> Response {
    for hub in &hubs {
        let connections = hub.connections();
        let Some(connection) = connections.iter().find(|connection| connection.to_string() == id) else {
            continue;
        };
        return match hub.ask(connection, &RESULT, ("input".to_owned(),)).await {
            Ok(Any::Text(text)) => text.into_response(),
            Ok(other) => axum::Json(other).into_response(),
            Err(error) => error.to_string().into_response(),
        };
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Lets pages of every origin in, with credentials, and sets the cookies that tests ask for: for tests only.
pub(super) fn for_tests(routes: Router) -> Router {
    routes.route_layer(from_fn(async |request: axum::extract::Request, next: Next| {
        let (method, asked) = (request.method().clone(), request.headers().clone());
        let is_negotiate = request.uri().path().contains("/negotiate");
        let mut response = if method == Method::OPTIONS {
            StatusCode::NO_CONTENT.into_response()
        } else {
            next.run(request).await
        };
        allow(&asked, response.headers_mut());
        if is_negotiate {
            set_cookies(response.headers_mut());
        }
        response
    }))
}

fn allow(asked: &HeaderMap, answered: &mut HeaderMap) {
    let Some(origin) = asked.get(header::ORIGIN) else { return };
    answered.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answered.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    let echoed = [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ];
    for (from, to) in echoed {
        if let Some(value) = asked.get(from) {
            answered.insert(to, value.clone());
        }
    }
}

fn set_cookies(answered: &mut HeaderMap) {
    const COOKIES: [&str; 3] = [
        "testCookie=testValue; path=/",
        "testCookie2=testValue2; path=/",
        "expiredCookie=doesntmatter; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ];
    for cookie in COOKIES {
        answered.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
}
