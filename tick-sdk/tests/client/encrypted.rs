//! The client over HTTPS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tick_sdk::client::{Client, ClientError, Retries};

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server-key.pem");

/// Answers every connection's request with this body, until the test ends.
fn server(body: &'static str) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), connection);
            let mut request = [0; 4096];
            // Who does not trust this server goes away.
            if stream.read(&mut request).is_ok() {
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    address
}

const READY: &str = r#"{"status":"ready","eventsBehind":0,"stoppedProjections":[]}"#;

#[tokio::test]
async fn a_server_of_a_trusted_authority_is_spoken_with() {
    let address = server(READY);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}", address.port());
        let client = Client::trusting(&url, AUTHORITY).unwrap().with_key("secret").unwrap();
        assert_eq!(client.readiness().await.unwrap().status, "ready");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_sent_nothing_and_not_asked_again() {
    let url = format!("https://{}", server(READY));
    let retries = Retries { attempts: 3, ..Retries::default() };
    match Client::new(&url) {
        Ok(client) => {
            let refused = client.with_retries(retries).readiness().await.unwrap_err();
            assert!(matches!(&refused, ClientError::Untrusted { .. }), "{refused:?}");
            assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
        }
        // A machine without any authority.
        Err(error) => assert!(matches!(error, ClientError::Authorities(_)), "{error}"),
    }
    let plain = Client::trusting("http://127.0.0.1:1", AUTHORITY).unwrap_err();
    assert!(plain.to_string().contains("https:"), "{plain}");
}
