use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Instant;

use super::*;
use crate::amqp::{AmqpConnection, Buffers};

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
    assert!(!error.to_string().contains("secret") && error.to_string().contains("is refused"), "{error}");
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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refused(&format!("amqps://127.0.0.1:{port}/?cacertfile=/nowhere/ca.pem"));
    assert!(matches!(&error, BrokerError::File { file, .. } if file == "/nowhere/ca.pem"), "{error:?}");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_broker_accepts_the_right_login() {
    let (connected, _) = connect(&servers("ORCHARD_TEST_AMQP"), TIMEOUT);
    connected.unwrap();
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_refused_login_and_a_missing_vhost_are_different_errors() {
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

/// Channels are numbered up to 2,047, and then from 1 on again.
#[tokio::test]
#[ignore = "needs servers: run scripts/test"]
async fn a_connection_outlives_the_numbers_of_channels_that_the_broker_closed() {
    let url: BrokerUrl = servers("ORCHARD_TEST_AMQP").parse().unwrap();
    let connection = Connection::open(&url, "test").await.unwrap();
    for number in 0..2_100 {
        let channel = connection.open_channel().await.unwrap_or_else(|error| panic!("{number}: {error}"));
        if number % 7 == 0 {
            let error = channel.inspect_queue("no-such-queue").await.unwrap_err();
            assert!(matches!(error, BrokerError::NotFound { .. }), "{error}");
        } else {
            channel.close().await.unwrap();
        }
    }
    connection.close().await.unwrap();
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

/// Both clients say the same, and that it is TLS.
fn refused_by_tls(url: &str, parts: &[&str]) {
    let frames = async {
        let url: BrokerUrl = url.parse().unwrap();
        AmqpConnection::open(&url, "test", Buffers::none()).await.map(drop)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for error in [refused(url), runtime.block_on(frames).unwrap_err()] {
        assert!(matches!(error, BrokerError::Tls { .. }) && !error.is_temporary(), "{url}: {error:?}");
        assert!(parts.iter().all(|part| error.to_string().contains(part)), "{parts:?}: {error}");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn tls_trusts_no_stranger_at_either_end_and_says_what_is_wrong() {
    let not_trusted = ["not trusted here", "cacertfile"];
    refused_by_tls(&tls_url(None, Some("client")), &not_trusted);
    refused_by_tls(&tls_url(Some("stranger-ca"), Some("client")), &not_trusted);
    refused_by_tls(&tls_url(Some("ca"), None), &["wants a client's certificate", "certfile"]);
    refused_by_tls(&tls_url(Some("ca"), Some("stranger")), &["does not accept this client's certificate"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn tls_says_that_the_certificate_is_for_another_host() {
    let url = tls_url(Some("ca"), Some("client"));
    let place = url.split('@').nth(1).expect("the URL has a user").split(['/', '?']).next().unwrap();
    let port = place.rsplit(':').next().unwrap();
    // It leads to the same broker by another name.
    let url = url.replacen(place, &format!("0.0.0.0:{port}"), 1);
    refused_by_tls(&url, &["not for the host of the URL"]);
}

#[test]
fn a_port_without_tls_is_said_to_be_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqps://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            let _greeting = peer.read(&mut [0; 8]).unwrap();
            peer.write_all(b"AMQP\0\0\x09\x01").unwrap();
        }
    });
    refused_by_tls(&url, &["does not answer with TLS", "amqps://"]);
}

#[test]
fn a_peer_that_ends_an_encrypted_connection_may_want_a_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqps://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let _greeting = peer.unwrap().read(&mut [0; 8]).unwrap();
        }
    });
    let error = refused(&url);
    assert!(!error.is_temporary() && error.is_temporary_once_connected(), "{error:?}");
    refused_by_tls(&url, &["ended the encrypted connection", "wants a client's certificate", "certfile"]);
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refused(&format!("amqps://127.0.0.1:{port}/?cacertfile=/dev/null"));
    assert!(matches!(&error, BrokerError::File { file, .. } if file == "/dev/null"), "{error:?}");
}
