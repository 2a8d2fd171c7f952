//! Whom a client over HTTPS trusts. Feature `client-tls`.

use std::error::Error;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::ClientError;

/// Trusts nobody, and so speaks plain HTTP only.
pub(super) fn of_nobody() -> Result<ClientConfig, ClientError> {
    trusting(RootCertStore::empty())
}

/// Trusts the authorities that the system trusts.
pub(super) fn of_the_system() -> Result<ClientConfig, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        let reason = format!("the system has no certificates of authorities{why}: install them, or name one");
        return Err(ClientError::Authorities(reason));
    }
    trusting(roots)
}

/// Trusts these authorities only.
pub(super) fn of_pem(authorities: &[u8]) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let certificate = certificate
            .map_err(|error| ClientError::Authorities(format!("what is given is no PEM: {error}")))?;
        roots.add(certificate).map_err(|error| ClientError::Authorities(error.to_string()))?;
    }
    if roots.is_empty() {
        let reason =
            "what is given has no certificate in it: give PEM, `-----BEGIN CERTIFICATE-----` and so on";
        return Err(ClientError::Authorities(reason.to_owned()));
    }
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| ClientError::Authorities(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What is wrong with the server's certificate, where that is what an error is about.
pub(super) fn distrust(error: &reqwest::Error) -> Option<String> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        // What is within an error of I/O is not its source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.map_or(error, |inner| inner as &(dyn Error + 'static));
        if let Some(rustls::Error::InvalidCertificate(reason)) = inner.downcast_ref::<rustls::Error>() {
            return Some(reason.to_string());
        }
        source = if std::ptr::addr_eq(inner, error) { error.source() } else { Some(inner) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "hello"] {
            assert!(matches!(of_pem(text.as_bytes()), Err(ClientError::Authorities(_))), "{text}");
        }
    }
}
