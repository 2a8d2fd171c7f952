//! TLS: whom this end trusts, who it is itself, and what an error of it means.

use std::io::{self, IoSlice};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{BrokerError, BrokerUrl};

/// An encrypted connection to a broker.
///
/// Under TLS 1.3 a broker looks at the client's certificate when the client believes the handshake to be
/// over. The alert in which it says what it does not like is lost when it resets the connection at once.
/// So an end before the broker has sent anything is an error of TLS: see [`reason`].
pub(crate) struct TlsSocket {
    stream: TlsStream<TcpStream>,
    has_certificate: bool,
    /// The broker has sent something, and so it accepts this end.
    was_answered: bool,
}

impl TlsSocket {
    /// Reads what is there; 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        // The library writes while it reads, too: answers of its own protocol.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // What is read may say why nothing can be written.
        let read = match (read, flushed) {
            (Poll::Ready(Ok(())) | Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (read, _) => read,
        };
        ready!(read).map_err(|error| self.explain(error))?;
        let bytes = buffer.filled().len();
        if bytes == 0 && !self.was_answered {
            return Poll::Ready(Err(self.explain(io::ErrorKind::UnexpectedEof.into())));
        }
        self.was_answered = true;
        Poll::Ready(Ok(bytes))
    }

    /// Writes what fits, from the first buffer on.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        written.map_err(|error| self.explain(error))
    }

    /// Lets what was written go out.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| self.explain(error))
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn explain(&self, error: io::Error) -> io::Error {
        if self.was_answered || reason(&error).is_some() {
            return error;
        }
        io::Error::new(error.kind(), Ended::new(self.has_certificate, &error))
    }
}

/// The broker ended an encrypted connection before it sent anything, and without saying why.
#[derive(Debug, Error)]
enum Ended {
    #[error(
        "it ended the encrypted connection, as a broker does that wants a client's certificate ({0})\n  name one in the URL: ?certfile=client.pem&keyfile=client-key.pem"
    )]
    WithoutCertificate(String),
    #[error(
        "it ended the encrypted connection, as a broker does that does not accept this client's certificate ({0})\n  see certfile in the URL"
    )]
    WithCertificate(String),
}

impl Ended {
    fn new(has_certificate: bool, error: &io::Error) -> Self {
        let cause = error.to_string();
        if has_certificate { Self::WithCertificate(cause) } else { Self::WithoutCertificate(cause) }
    }
}

/// Encrypts a connection that was made to this broker.
pub(crate) async fn encrypt(url: &BrokerUrl, socket: TcpStream) -> Result<TlsSocket, BrokerError> {
    let has_certificate = url.client_files().is_some();
    let of = url.clone();
    // The files of the system's authorities are many.
    let config = tokio::task::spawn_blocking(move || client_config(&of)).await;
    let config = config.map_err(|error| failed(url, error.to_string()))??;
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|_| failed(url, format!("'{}' is not a name that a certificate can have", url.host())))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
    let stream = connecting.await.map_err(|error| {
        let ended = || Ended::new(has_certificate, &error).to_string();
        failed(url, reason(&error).unwrap_or_else(ended))
    })?;
    Ok(TlsSocket { stream, has_certificate, was_answered: false })
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
    use rustls::Error;
    let error = error.get_ref()?;
    if let Some(ended) = error.downcast_ref::<Ended>() {
        return Some(ended.to_string());
    }
    Some(match error.downcast_ref::<Error>()? {
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
