//! A hub on its routes: who may connect, and what is refused while it stops.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::client::user;
use super::hub::TestHub;
use crate::transports::Redirect;
use crate::{HubServer, Options, Refused, Shutdown};

async fn serve(server: &HubServer<TestHub>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = server.router("/hub");
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

async fn negotiate(port: u16, query: &str, token: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "POST /hub/negotiate?negotiateVersion=1{query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n{token}\
         connection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn status(answer: &str) -> &str {
    &answer[9..12]
}

#[tokio::test]
async fn the_hub_decides_who_may_connect() {
    let authenticate = |token: Option<&str>, _: &_| match token {
        None => Ok(None),
        Some("good") => Ok(Some(user("u", &[]))),
        Some(_) => Err(Refused),
    };
    let server = HubServer::new(TestHub::default(), Options::default()).authenticate(authenticate);
    let port = serve(&server).await;
    assert_eq!(status(&negotiate(port, "", "").await), "200");
    assert_eq!(status(&negotiate(port, "", "authorization: Bearer bad\r\n").await), "401");
    assert_eq!(status(&negotiate(port, "&members", "").await), "401");
    assert_eq!(status(&negotiate(port, "&members", "authorization: Bearer good\r\n").await), "200");
    assert_eq!(server.counts().negotiated, 2);
}

#[tokio::test]
async fn a_server_that_stops_refuses_new_clients() {
    let server = HubServer::new(TestHub::default(), Options::default());
    let port = serve(&server).await;
    assert_eq!(status(&negotiate(port, "", "").await), "200");
    assert_eq!(server.shutdown(Duration::from_secs(10)).await, Shutdown::default());
    assert_eq!(status(&negotiate(port, "", "").await), "503");
}

#[tokio::test]
async fn clients_are_sent_elsewhere() {
    let elsewhere = Redirect { url: "http://other/hub".to_owned(), access_token: None };
    let server = HubServer::new(TestHub::default(), Options::default())
        .redirect(move |request| request.uri.query()?.contains("elsewhere").then(|| elsewhere.clone()));
    let port = serve(&server).await;
    assert!(negotiate(port, "&elsewhere", "").await.contains(r#""url":"http://other/hub""#));
    assert!(negotiate(port, "", "").await.contains("connectionToken"));
}
