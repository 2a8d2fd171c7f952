//! The client against a server that answers what it is told to.

use std::time::Duration;

use futures_util::TryStreamExt;
use tick_sdk::client::{Client, ClientError, Retries, SignalFilter};
use tick_sdk::contracts::accounts::CreateUser;
use tick_sdk::contracts::ticks::StartReplay;

#[cfg(feature = "client-tls")]
mod encrypted;
mod scripted;
use scripted::{Reply, Scripted};

const ID: &str = "0197f0aa-0000-7000-8000-000000000001";

/// Retries that wait no time.
const AT_ONCE: Retries =
    Retries { attempts: 3, first_wait: Duration::ZERO, longest_wait: Duration::from_secs(5) };

fn client(server: &Scripted) -> Client {
    Client::new(&server.url()).unwrap().with_retries(AT_ONCE)
}

fn accepted() -> Reply {
    Reply::json(
        202,
        &format!(r#"{{"commandId":"{ID}","correlationId":"{ID}","status":"/api/commands/{ID}"}}"#),
    )
}

fn command(state: &str) -> Reply {
    Reply::json(
        200,
        &format!(
            r#"{{"commandId":"{ID}","command":"StartReplay","endpoint":"ticks","caller":"me","state":"{state}",
            "attempts":1,"acceptedAt":"2026-01-31T12:00:00Z","reason":"no such file","result":{{"run":"r1"}},
            "someday":"more"}}"#
        ),
    )
}

fn signal(seq: u64) -> String {
    format!(
        r#"{{"run":"r1","strategy":"apple","symbol":"BTC","shard":0,"seq":{seq},"n":0,"tsEvent":1,"tsRecv":2,"at":"2026-01-31T12:00:00Z","side":"buy","price":"1.5"}}"#
    )
}

fn create_user() -> CreateUser {
    CreateUser { email: "zoe@example.com".into(), name: "Zoë".into() }
}

#[tokio::test]
async fn a_command_is_sent_with_a_key_and_awaited() {
    let server = Scripted::start([accepted(), command("accepted"), command("completed")]);
    let plan = StartReplay { files: vec!["a.zst".into()], ..StartReplay::default() };
    let sent = client(&server).with_key("secret").unwrap().start_replay(&plan).await.unwrap();
    assert_eq!(sent.id().to_string(), ID);
    let done = sent.completed().await.unwrap();
    assert_eq!(done.result.unwrap()["run"], "r1");
    let requests = server.requests();
    assert_eq!(requests[0].line, "POST /api/replays HTTP/1.1");
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
    assert!(requests[0].header("idempotency-key").is_some_and(|key| key.len() == 36));
    assert_eq!(serde_json::from_str::<StartReplay>(&requests[0].body).unwrap(), plan);
    assert_eq!(requests[1].line, format!("GET /api/commands/{ID}?wait=20000ms HTTP/1.1"));
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn a_command_that_failed_or_was_cancelled_is_an_error_with_its_status() {
    let server = Scripted::start([command("failed"), command("cancelled")]);
    let sent = client(&server).sent(ID.parse().unwrap());
    match sent.completed().await.unwrap_err() {
        ClientError::Failed(view) => assert_eq!(view.reason.as_deref(), Some("no such file")),
        other => panic!("{other}"),
    }
    assert!(matches!(sent.completed().await, Err(ClientError::Cancelled(_))));
}

#[tokio::test]
async fn waiting_for_a_command_can_be_bounded() {
    let server = Scripted::start([command("processing")]);
    let sent = client(&server).sent(ID.parse().unwrap());
    let error = sent.completed_within(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, ClientError::NotEnded { .. }), "{error}");
    assert_eq!(server.requests()[0].line, format!("GET /api/commands/{ID}?wait=0ms HTTP/1.1"));
}

#[tokio::test]
async fn every_attempt_at_a_command_carries_the_same_key() {
    let busy =
        Reply::problem(503, r#"{"title":"Service Unavailable","status":503}"#).header("retry-after", "0");
    let server = Scripted::start([Reply::cut(), busy, accepted()]);
    client(&server).create_user(&create_user()).await.unwrap();
    let keys: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(keys[0].is_some() && keys[0] == keys[1] && keys[1] == keys[2]);
    let server = Scripted::start([accepted(), accepted()]);
    client(&server).create_user(&create_user()).await.unwrap();
    client(&server).create_user(&create_user()).with_idempotency_key("nightly").await.unwrap();
    let keys: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[1].as_deref(), Some("nightly"));
}

#[tokio::test]
async fn attempts_end_and_the_last_answer_is_the_error() {
    let busy =
        || Reply::problem(429, r#"{"title":"Too Many Requests","status":429,"detail":"wait a little"}"#);
    let server = Scripted::start([busy(), busy(), busy()]);
    let error = client(&server).user(ID.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.status(), Some(429));
    assert!(error.to_string().starts_with("wait a little"));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_wait_longer_than_allowed_is_not_waited() {
    let busy =
        Reply::problem(503, r#"{"title":"Service Unavailable","status":503}"#).header("retry-after", "3600");
    let server = Scripted::start([busy]);
    assert_eq!(client(&server).user(ID.parse().unwrap()).await.unwrap_err().status(), Some(503));
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let refusal = Reply::problem(
        400,
        r#"{"type":"about:blank","title":"Bad Request","status":400,"errors":{"email":["it is taken"]},
        "pointers":[{"pointer":"/email","detail":"it is taken"}],"requestId":"q1"}"#,
    );
    let server = Scripted::start([refusal]);
    match client(&server).create_user(&create_user()).await.unwrap_err() {
        ClientError::Refused(problem) => {
            assert_eq!(problem.errors["email"], ["it is taken"]);
            assert_eq!(problem.pointers[0].pointer, "/email");
        }
        other => panic!("{other}"),
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_of_a_proxy_is_a_refusal_too() {
    let page = Reply::new(403, "text/html", "<h1>\u{1b}[31mForbidden</h1>");
    let redirect = Reply::new(302, "text/html", "").header("location", "http://127.0.0.1:1/");
    let server = Scripted::start([page, redirect]);
    let error = client(&server).user(ID.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "<h1>[31mForbidden</h1> (status 403)");
    assert_eq!(client(&server).user(ID.parse().unwrap()).await.unwrap_err().status(), Some(302));
}

#[tokio::test]
async fn an_answer_that_is_cut_is_asked_for_again() {
    let half = Reply::json(200, r#"{"userId":"#).promising(1000);
    let user = format!(
        r#"{{"userId":"{ID}","email":"a@b.c","name":"A","isDisabled":false,"createdAt":"2026-01-31T12:00:00Z"}}"#
    );
    let server = Scripted::start([half, Reply::json(200, &user)]);
    assert_eq!(client(&server).user(ID.parse().unwrap()).await.unwrap().email, "a@b.c");
}

#[tokio::test]
async fn an_answer_of_something_else_says_so() {
    let server = Scripted::start([Reply::json(200, r#"{"hello":"world"}"#)]);
    let error = client(&server).user(ID.parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("missing field `userId`"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let server = Scripted::start([Reply::silence()]);
    let client = client(&server).with_retries(Retries::NONE).with_timeout(Duration::from_millis(50));
    let error = client.user(ID.parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn no_server_says_where_it_was_looked_for() {
    let server = Scripted::start([]);
    let url = server.url();
    server.stop();
    let client = Client::new(&url).unwrap().with_retries(Retries::NONE);
    let error = client.create_user(&create_user()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("orchard serve"));
}

#[tokio::test]
async fn pages_follow_their_cursor_to_the_end() {
    let page = |items: &str, next: &str| Reply::json(200, &format!(r#"{{"items":[{items}],"next":{next}}}"#));
    let two = format!("{},{}", signal(1), signal(2));
    let server = Scripted::start([page(&two, r#""a b""#), page("", r#""c""#), page(&signal(3), "null")]);
    let filter = SignalFilter {
        run: Some("r 1".into()),
        symbols: vec!["BTC".into(), "E&H".into()],
        ..SignalFilter::default()
    };
    let signals: Vec<_> = client(&server).signals(&filter).try_collect().await.unwrap();
    assert_eq!(signals.iter().map(|signal| signal.seq).collect::<Vec<_>>(), [1, 2, 3]);
    let lines: Vec<_> = server.requests().iter().map(|request| request.line.clone()).collect();
    assert_eq!(lines[0], "GET /api/signals?run=r+1&symbol=BTC&symbol=E%26H&limit=500 HTTP/1.1");
    assert!(lines[1].ends_with("&limit=500&cursor=a+b HTTP/1.1") && lines[2].ends_with("&cursor=c HTTP/1.1"));
}

#[tokio::test]
async fn a_page_that_comes_again_ends_the_list() {
    let page = || Reply::json(200, r#"{"items":[],"next":"a"}"#);
    let server = Scripted::start([page(), page()]);
    let all: Result<Vec<_>, _> = client(&server).users().try_collect().await;
    assert!(all.unwrap_err().to_string().contains("the same again"));
}

#[tokio::test]
async fn signals_stream_a_line_each_however_they_are_cut() {
    let body = format!("{}\n\n{}\n{}", signal(1), signal(2), signal(3));
    let parts: Vec<_> = body.as_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let server = Scripted::start([Reply::new(200, "application/x-ndjson", "").chunks(parts)]);
    let stream = client(&server).signal_stream(&SignalFilter::default()).await.unwrap();
    let signals: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(signals.iter().map(|signal| signal.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(server.requests()[0].header("accept"), Some("application/x-ndjson"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_after_what_came() {
    let line = format!("{}\n", signal(1));
    let server = Scripted::start([Reply::new(200, "application/x-ndjson", "")
        .chunks(vec![line.into_bytes()])
        .unended()]);
    let mut stream = client(&server).signal_stream(&SignalFilter::default()).await.unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap().seq, 1);
    assert!(matches!(stream.try_next().await, Err(ClientError::Broken { .. })));
}

#[tokio::test]
async fn csv_comes_as_it_was_written() {
    let text = "run,strategy\nr1,apple\n";
    let server = Scripted::start([Reply::new(200, "text/csv", text)]);
    let parts: Vec<_> =
        client(&server).signals_csv(&SignalFilter::default()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(parts.concat(), text.as_bytes());
    assert_eq!(server.requests()[0].header("accept"), Some("text/csv"));
}

#[tokio::test]
async fn names_are_parts_of_a_path_and_nothing_more() {
    let server = Scripted::start([Reply::problem(404, r#"{"title":"Not Found","status":404}"#)]);
    let error = client(&server).deployment("a/b?c=d#e %").await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert_eq!(server.requests()[0].line, "GET /api/deployments/a%2Fb%3Fc=d%23e%20%25 HTTP/1.1");
    for name in ["", ".", ".."] {
        let error = client(&server).stop_strategy(name).await.unwrap_err();
        assert!(matches!(error, ClientError::InvalidName(_)), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn reads_wait_for_what_was_written() {
    let late = Reply::problem(409, r#"{"title":"Conflict","status":409}"#).header("retry-after", "0");
    let server = Scripted::start([late, Reply::json(200, r#"{"items":[],"next":null}"#)]);
    let client = client(&server).reading_after(ID.parse().unwrap());
    let users: Vec<_> = client.users().try_collect().await.unwrap();
    assert!(users.is_empty());
    assert_eq!(server.requests()[1].line, format!("GET /api/users?after={ID}&limit=500 HTTP/1.1"));
}

#[tokio::test]
async fn a_skip_is_sent_once() {
    let busy =
        Reply::problem(503, r#"{"title":"Service Unavailable","status":503}"#).header("retry-after", "0");
    let server = Scripted::start([busy]);
    let error = client(&server).skip_event("users").await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("idempotency-key"), None);
}

#[tokio::test]
async fn a_command_can_belong_to_a_tree_of_causes() {
    let server = Scripted::start([accepted()]);
    let sent =
        client(&server).requeue(ID.parse().unwrap()).with_correlation_id(ID.parse().unwrap()).await.unwrap();
    assert_eq!(sent.correlation_id(), Some(ID.parse().unwrap()));
    let requests = server.requests();
    assert_eq!(requests[0].line, format!("POST /api/commands/{ID}/requeue HTTP/1.1"));
    assert_eq!(requests[0].header("x-correlation-id"), Some(ID));
    assert_eq!(requests[0].header("content-type"), None);
    let error =
        client(&server).disable_user(ID.parse().unwrap()).with_idempotency_key("a\nb").await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidIdempotencyKey(_)), "{error}");
}
