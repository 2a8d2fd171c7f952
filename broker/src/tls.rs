//! TLS: whom this end trusts, who it is itself, and what an error of it means.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{BrokerError, BrokerUrl};

/// Encrypts a connection that was made to this broker.
pub(crate) async fn encrypt(url: &BrokerUrl, socket: TcpStream) -> Result<TlsStream<TcpStream>, BrokerError> {
    let of = url.clone();
    // The files of the system's authorities are many.
    let config = tokio::task::spawn_blocking(move || client_config(&of)).await;
    let config = config.map_err(|error| failed(url, error.to_string()))??;
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|_| failed(url, format!("'{}' is not a name that a certificate can have", url.host())))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
    connecting.await.map_err(|error| match reason(&error) {
        Some(reason) => failed(url, reason),
        None => failed(url, format!("the broker ended the handshake: {error}")),
    })
}

fn failed(url: &BrokerUrl, reason: String) -> BrokerError {
    BrokerError::Tls { url: url.to_string(), reason }
}

/// What the URL's files say; without an authority of its own the system's are trusted.
fn client_config(url: &BrokerUrl) -> Result<ClientConfig, BrokerError> {
    let mut trusted = RootCertStore::empty();
    match url.authority_file() {
        Some(file) => {
            for certificate in certificates(file)? {
                trusted.add(certificate).map_err(|error| unusable(file, &error))?;
            }
        }
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(url, error.to_string()))?
        .with_root_certificates(trusted);
    let Some((certificate, key)) = url.client_files() else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| unusable(certificate, &error))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(unusable(file, &"it holds no certificate")),
        read => read.map_err(|error| unusable(file, &error)),
    }
}

fn unusable(file: &Path, reason: &dyn ToString) -> BrokerError {
    BrokerError::File { file: file.display().to_string(), reason: reason.to_string() }
}

/// What an error of a socket says if it is one of TLS, with the reader's next step.
pub(crate) fn reason(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) => {
            "it does not answer with TLS\n  see whether the port is the one for amqps://".to_owned()
        }
        error => error.to_string(),
    })
}

/// Why the broker's certificate is not accepted.
fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "its certificate is not trusted here\n  name its authority's file in the URL: ?cacertfile=ca.pem"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is not for the host of the URL: {error}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired: {error}")
        }
        error => format!("its certificate is not accepted: {error}"),
    }
}

/// What the broker says to this end's certificate.
fn of_alert(alert: AlertDescription) -> String {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, HandshakeFailure, UnknownCA,
    };
    match alert {
        CertificateRequired | HandshakeFailure => format!(
            "it wants a client's certificate ({alert:?})\n  name one in the URL: ?certfile=client.pem&keyfile=client-key.pem"
        ),
        UnknownCA | BadCertificate | CertificateUnknown | CertificateExpired | CertificateRevoked
        | AccessDenied => {
            format!("it does not accept this client's certificate ({alert:?})\n  see certfile in the URL")
        }
        alert => format!("it ended the connection ({alert:?})"),
    }
}
