use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Instant;

use super::*;

/// What comes of connecting to `url`, and how long that took.
fn connect(url: &str, limit: Duration) -> (Result<(), BrokerError>, Duration) {
    let url: BrokerUrl = url.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    let connected =
        runtime.block_on(async { Connection::open_within(limit, &url, "test").await?.close().await });
    (connected, begun.elapsed())
}

fn refused(url: &str) -> BrokerError {
    let (connected, took) = connect(url, TIMEOUT);
    assert!(took < TIMEOUT, "{took:?}");
    connected.unwrap_err()
}

fn servers(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test"))
}

#[test]
fn a_port_at_which_nobody_listens_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&format!("amqp://me:secret@127.0.0.1:{free}"));
    assert!(matches!(error, BrokerError::Unreachable { .. }) && error.is_temporary(), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_peer_that_never_answers_is_unreachable_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://{}", listener.local_addr().unwrap());
    let (connected, took) = connect(&url, Duration::from_millis(200));
    assert!(matches!(connected, Err(BrokerError::Unreachable { .. })), "{connected:?}");
    assert!(took >= Duration::from_millis(200) && took < TIMEOUT, "{took:?}");
}

#[test]
fn a_peer_that_hangs_up_or_speaks_something_else_is_unreachable() {
    for answer in ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "AMQP\0\0\x09\x01"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("amqp://{}", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let _greeting = peer.read(&mut [0; 8]).unwrap();
            peer.write_all(answer.as_bytes()).unwrap();
        });
        let error = refused(&url);
        answering.join().unwrap();
        assert!(matches!(error, BrokerError::Unreachable { .. }), "{answer:?}: {error:?}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let error = refused("amqps://127.0.0.1:1/?cacertfile=/nowhere/ca.pem");
    assert!(matches!(&error, BrokerError::File { file, .. } if file == "/nowhere/ca.pem"), "{error:?}");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_broker_lets_in_whom_it_knows() {
    let (connected, _) = connect(&servers("ORCHARD_TEST_AMQP"), TIMEOUT);
    connected.unwrap();
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_refused_login_is_told_from_a_missing_vhost() {
    let good = servers("ORCHARD_TEST_AMQP");
    let (_, place) = good.rsplit_once('@').expect("the URL has a user");
    let address = place.split('/').next().unwrap();
    let error = refused(&format!("amqp://guest:wrong@{place}"));
    assert!(matches!(error, BrokerError::Login { .. }) && !error.is_temporary(), "{error:?}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    let error = refused(&format!("amqp://guest:guest@{address}/no-such-vhost"));
    assert!(matches!(&error, BrokerError::Vhost { vhost, .. } if vhost == "no-such-vhost"), "{error:?}");
    assert!(!error.is_temporary() && error.to_string().contains("rabbitmqctl add_vhost"), "{error}");
}

/// The URL of the broker's TLS port, with these files of the servers' folder of certificates.
fn tls_url(ca: Option<&str>, client: Option<&str>) -> String {
    let folder = servers("ORCHARD_TEST_TLS_DIR");
    let mut query: Vec<_> = ca.map(|ca| format!("cacertfile={folder}/{ca}.pem")).into_iter().collect();
    query.extend(client.map(|name| format!("certfile={folder}/{name}.pem&keyfile={folder}/{name}-key.pem")));
    format!("{}?{}", servers("ORCHARD_TEST_AMQPS"), query.join("&"))
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn tls_with_an_authority_and_a_certificate_of_our_own() {
    let (connected, _) = connect(&tls_url(Some("ca"), Some("client")), TIMEOUT);
    connected.unwrap();
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn tls_trusts_no_stranger_at_either_end() {
    let wrong = [
        (None, Some("client")),
        (Some("stranger-ca"), Some("client")),
        (Some("ca"), None),
        (Some("ca"), Some("stranger")),
    ];
    for (ca, client) in wrong {
        let error = refused(&tls_url(ca, client));
        assert!(matches!(error, BrokerError::Unreachable { .. }), "{ca:?} {client:?}: {error:?}");
    }
}
