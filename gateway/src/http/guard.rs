//! Who may ask: whoever has the key, and, unless configured otherwise, this machine's own programs.
//!
//! A page of another origin can make a browser of this machine send requests here. Without a key a request is
//! therefore taken only where its `Host` is this server's own (a name that somebody else made point here is not)
//! and its `Origin`, where there is one, too. What came through a proxy may come from anywhere, and needs the key.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::refusal::Refusal;

/// The caller that has the bootstrap key.
pub(crate) const KEY_HOLDER: &str = "bootstrap";
/// The caller that is on this machine and has no key.
pub(crate) const LOCAL: &str = "local";

/// The bootstrap key: only its hash is kept, so that whoever reads the state cannot send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKey {
    sha256: [u8; 32],
}

impl ApiKey {
    /// The key that is this text. As keys are random, a plain hash of one cannot be turned back.
    pub fn of(text: &str) -> Self {
        Self { sha256: Sha256::digest(text).into() }
    }

    fn is(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        given.ct_eq(&self.sha256).into()
    }
}

impl From<&str> for ApiKey {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

/// The hash, as 64 hexadecimal digits.
impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is not the hash of a key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not the hash of an API key: 64 hexadecimal digits are expected")]
pub struct InvalidKeyHash;

/// Of the hash that [`ApiKey`] shows as.
impl FromStr for ApiKey {
    type Err = InvalidKeyHash;

    fn from_str(text: &str) -> Result<Self, InvalidKeyHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidKeyHash);
        }
        let mut sha256 = [0; 32];
        for (place, byte) in sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| InvalidKeyHash)?;
        }
        Ok(Self { sha256 })
    }
}

/// Decides who may ask.
#[derive(Clone)]
pub(crate) struct Guard {
    key: Option<ApiKey>,
    is_key_needed_locally: bool,
    /// What `Host` may be: with the port, in lower case.
    hosts: Vec<String>,
}

impl Guard {
    /// For a server at these addresses, which has these names, too.
    pub(crate) fn new(
        key: Option<ApiKey>,
        is_key_needed_locally: bool,
        addresses: &[SocketAddr],
        names: &[String],
    ) -> Self {
        let mut hosts = Vec::new();
        for address in addresses {
            let port = address.port();
            let mut add = |name: &str| {
                hosts.push(format!("{name}:{port}"));
                if port == 80 {
                    hosts.push(name.to_owned());
                }
            };
            ["localhost", "127.0.0.1", "[::1]"].into_iter().for_each(&mut add);
            names.iter().for_each(|name| add(&name.to_ascii_lowercase()));
            if !address.ip().is_unspecified() {
                let name = match address.ip() {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                };
                add(&name);
            }
        }
        Self { key, is_key_needed_locally, hosts }
    }

    /// The caller's name. `token` is a key that came in the query, where that is a place for one: one in a header comes
    /// before it.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        token: Option<&str>,
        peer: Option<IpAddr>,
    ) -> Result<&'static str, Refusal> {
        if let Some(given) = credentials(headers).or(token.map(str::as_bytes)) {
            let is_key = self.key.as_ref().is_some_and(|key| key.is(given));
            return is_key.then_some(KEY_HOLDER).ok_or_else(|| unauthorized("the key is not this server's"));
        }
        let is_local = peer.is_some_and(|peer| peer.to_canonical().is_loopback());
        if !is_local || self.is_key_needed_locally || came_through_a_proxy(headers) {
            return Err(unauthorized("send the API key: `Authorization: Bearer KEY`, or `X-Api-Key: KEY`"));
        }
        self.check_host(headers)?;
        Ok(LOCAL)
    }

    fn check_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_own = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        let forbidden = |what: &str, given: &str| {
            let own = self.hosts.first().map_or("", String::as_str);
            let detail = format!("{what} is '{given}', not this server's own, as {own}: send the API key");
            Refusal::new(StatusCode::FORBIDDEN, detail)
        };
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
        if hosts.next().is_some() || !is_own(host) {
            return Err(forbidden("Host", host));
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if !origin.strip_prefix("http://").is_some_and(is_own) {
                return Err(forbidden("Origin", origin));
            }
        }
        Ok(())
    }
}

/// The key that a request brings; a scheme without one, as clients without a key send it, brings none.
fn credentials(headers: &HeaderMap) -> Option<&[u8]> {
    let of_scheme = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).and_then(|value| {
        let (scheme, key) = value.split_at_checked(6)?;
        scheme.eq_ignore_ascii_case(b"bearer").then(|| key.trim_ascii())
    });
    let plain = || headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii());
    of_scheme.filter(|key| !key.is_empty()).or_else(plain).filter(|key| !key.is_empty())
}

fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(name.as_str(), "forwarded" | "via" | "x-real-ip") || name.as_str().starts_with("x-forwarded")
    })
}

fn unauthorized(detail: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, detail)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOOPBACK: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const OTHER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));

    fn guard(is_key_needed_locally: bool) -> Guard {
        let address = "127.0.0.1:8090".parse().unwrap();
        Guard::new(Some(ApiKey::of("secret")), is_key_needed_locally, &[address], &[])
    }

    fn admit(
        guard: &Guard,
        peer: Option<IpAddr>,
        headers: &[(&'static str, &str)],
    ) -> Result<&'static str, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        guard.admit(&map, None, peer).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn loopback_needs_no_key_but_its_own_host_and_origin() {
        let guard = guard(false);
        let own = ("host", "localhost:8090");
        assert_eq!(admit(&guard, LOOPBACK, &[own]), Ok(LOCAL));
        assert_eq!(admit(&guard, LOOPBACK, &[own, ("origin", "http://127.0.0.1:8090")]), Ok(LOCAL));
        assert_eq!(admit(&guard, LOOPBACK, &[own, ("authorization", "Bearer ")]), Ok(LOCAL));
        for headers in [
            &[][..],
            &[("host", "evil.example:8090")],
            &[("host", "localhost:8091")],
            &[own, ("host", "evil.example")],
            &[own, ("origin", "http://evil.example")],
            &[own, ("origin", "null")],
            &[own, ("origin", "https://localhost:8090")],
        ] {
            assert_eq!(admit(&guard, LOOPBACK, headers), Err(403), "{headers:?}");
        }
        for proxy in ["x-forwarded-for", "forwarded", "via", "x-forwarded-host"] {
            assert_eq!(admit(&guard, LOOPBACK, &[own, (proxy, "x")]), Err(401), "{proxy}");
        }
    }

    #[test]
    fn the_key_opens_from_anywhere_and_a_wrong_one_nowhere() {
        let guard = guard(true);
        let host = ("host", "localhost:8090");
        assert_eq!(admit(&guard, LOOPBACK, &[host]), Err(401));
        assert_eq!(admit(&guard, OTHER, &[host]), Err(401));
        assert_eq!(admit(&guard, None, &[host]), Err(401));
        assert_eq!(admit(&guard, OTHER, &[("authorization", "bearer secret"), ("via", "p")]), Ok(KEY_HOLDER));
        assert_eq!(admit(&guard, OTHER, &[("x-api-key", "secret")]), Ok(KEY_HOLDER));
        assert_eq!(admit(&guard, OTHER, &[("authorization", "Bearer secrets")]), Err(401));
        assert_eq!(guard.admit(&HeaderMap::new(), Some("secret"), OTHER).ok(), Some(KEY_HOLDER));
        assert!(guard.admit(&HeaderMap::new(), Some("secrets"), OTHER).is_err());
        let kept: ApiKey = ApiKey::of("secret").to_string().parse().unwrap();
        assert_eq!(kept, ApiKey::of("secret"));
        assert_eq!("secret".parse::<ApiKey>(), Err(InvalidKeyHash));
        let keyless = Guard::new(None, false, &[], &[]);
        assert_eq!(admit(&keyless, LOOPBACK, &[("x-api-key", "secret")]), Err(401));
    }
}
