//! The typed client of the gateway: every route is a method. Feature `client`.
//!
//! ```no_run
//! # async fn example() -> Result<(), tick_sdk::client::ClientError> {
//! use futures_util::TryStreamExt;
//! use tick_sdk::client::{Client, SignalFilter};
//! use tick_sdk::contracts::strategies::StrategySpec;
//! use tick_sdk::contracts::ticks::StartReplay;
//!
//! let client = Client::new("http://127.0.0.1:8090")?;
//! let apple = StrategySpec { strategy: "apple".into(), ..Default::default() };
//! let plan = StartReplay {
//!     files: vec!["usdm_btcusdt_20240808.zst".into()],
//!     strategies: vec![apple],
//!     ..Default::default()
//! };
//! let command = client.start_replay(&plan).await?; // it is on the server's disk
//! let done = command.completed().await?; // and now what it made can be read
//!
//! let run = done.result.and_then(|result| result["run"].as_str().map(str::to_owned));
//! let filter = SignalFilter { run, ..Default::default() };
//! let mut signals = client.signals(&filter);
//! while let Some(signal) = signals.try_next().await? {
//!     println!("{} {} {}", signal.at, signal.symbol, signal.side);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does of itself
//!
//! - **Retries.** A request is sent again when the server could not be reached, broke off, or asked to come
//!   again (429, 502, 503, 504, or any with `Retry-After`), as [`Retries`] says. Every request that sends a
//!   command carries an idempotency key, the same at each attempt, so that it is done once.
//! - **Waits.** `Retry-After` is obeyed up to [`Retries::longest_wait`].
//! - **Ends.** Every request has a timeout ([`Client::with_timeout`]); in a stream it holds for each part.
//! - **Encrypts** with the feature `client-tls`, trusting the system's authorities or those of
//!   [`Client::trusting`].
//! - **Follows nothing.** A redirect is an error: the key is for this server only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Url, redirect};

use crate::contracts::CommandId;

mod answer;
mod call;
mod command;
mod commands;
mod error;
mod errors;
mod items;
mod reads;
mod replays;
mod retry;
mod signals;
mod strategies;
#[cfg(feature = "client-tls")]
mod tls;
mod users;

pub use command::{CommandRequest, SentCommand};
pub use commands::CommandFilter;
pub use error::ClientError;
pub use errors::ErrorFilter;
pub use items::Items;
pub use reads::{EventFilter, PositionFilter, Readiness};
pub use replays::ReplayFilter;
pub use retry::Retries;
pub use signals::SignalFilter;

/// How long a request may take unless [`Client::with_timeout`] says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A gateway. Cloning it is cheap, and clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The gateway's address, which ends with `/`.
    base: Arc<Url>,
    headers: HeaderMap,
    timeout: Duration,
    retries: Retries,
    /// What this command makes is waited for by reads.
    after: Option<CommandId>,
}

impl Client {
    /// A client of the gateway at `url`, as `http://127.0.0.1:8090`. Connects at the first request.
    ///
    /// # Errors
    /// The address is none, or begins with `https:` and this program was built without the feature `client-tls`.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let base = base_of(url)?;
        #[cfg(feature = "client-tls")]
        if base.scheme() == "https" {
            return Self::encrypted(base, tls::of_the_system()?);
        }
        if base.scheme() != "http" {
            let reason =
                "this program was built without HTTPS: the feature `client-tls` of `tick-sdk` has it";
            return Err(ClientError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() });
        }
        let http = http_for(&base);
        // Without it, a library of HTTP that has TLS looks for cryptography that nobody has chosen.
        #[cfg(feature = "client-tls")]
        let http = http.tls_backend_preconfigured(tls::of_nobody()?);
        Ok(Self::over(http.build().map_err(|source| ClientError::Setup { source })?, base))
    }

    /// A client of the gateway at `url`, an `https:` one, whose certificate is to be of one of these authorities,
    /// given as PEM, and not of the system's.
    ///
    /// # Errors
    /// The address is none, or there is no certificate in `authorities`.
    #[cfg(feature = "client-tls")]
    pub fn trusting(url: &str, authorities: &[u8]) -> Result<Self, ClientError> {
        let base = base_of(url)?;
        if base.scheme() != "https" {
            let reason = "an authority is of use with https: only";
            return Err(ClientError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() });
        }
        Self::encrypted(base, tls::of_pem(authorities)?)
    }

    #[cfg(feature = "client-tls")]
    fn encrypted(base: Url, tls: rustls::ClientConfig) -> Result<Self, ClientError> {
        let http = http_for(&base).tls_backend_preconfigured(tls).build();
        Ok(Self::over(http.map_err(|source| ClientError::Setup { source })?, base))
    }

    /// A client that sends with `http`, which brings what [`new`](Self::new) does not: a proxy of its own, a
    /// client's certificate. It should follow no redirects.
    ///
    /// # Errors
    /// The address is none.
    pub fn with_http(url: &str, http: reqwest::Client) -> Result<Self, ClientError> {
        Ok(Self::over(http, base_of(url)?))
    }

    fn over(http: reqwest::Client, base: Url) -> Self {
        Self {
            http,
            base: Arc::new(base),
            headers: HeaderMap::new(),
            timeout: TIMEOUT,
            retries: Retries::default(),
            after: None,
        }
    }

    /// The same client with an API key.
    ///
    /// # Errors
    /// No header can hold the key.
    pub fn with_key(mut self, key: &str) -> Result<Self, ClientError> {
        let mut value =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::InvalidKey)?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// The same client with another timeout of a request; waiting for a command does not count.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same client with other retries.
    pub fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// The same client, each of whose reads waits until what this command makes is in it: one reads what one has
    /// written. To wait for the command itself, see [`SentCommand::completed`].
    pub fn reading_after(&self, command_id: CommandId) -> Self {
        Self { after: Some(command_id), ..self.clone() }
    }

    /// The gateway's address.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }
}

fn http_for(base: &Url) -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder().redirect(redirect::Policy::none());
    // A proxy could not reach what is on this machine, and the server would ask for a key.
    if is_loopback(base) { http.no_proxy() } else { http }
}

/// The address that paths are joined to: it ends with `/`, and has neither query nor fragment.
fn base_of(url: &str) -> Result<Url, ClientError> {
    let invalid = |reason: &str| ClientError::InvalidUrl { url: url.to_owned(), reason: reason.to_owned() };
    let mut base = Url::parse(url).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(invalid("it must begin with http:// and a host"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(invalid("it contains a user; give a key with `Client::with_key`"));
    }
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_or_refused() {
        let base = |url: &str| base_of(url).map(String::from).map_err(|error| error.to_string());
        assert_eq!(base("http://127.0.0.1:8090").as_deref(), Ok("http://127.0.0.1:8090/"));
        assert_eq!(base("http://host/orchard?a=b#c").as_deref(), Ok("http://host/orchard/"));
        for url in ["127.0.0.1:8090", "ftp://host", "http://", "http://me:secret@host", "localhost"] {
            let error = base(url).unwrap_err();
            assert!(error.contains(url) && error.contains("http://127.0.0.1:8090"), "{error}");
        }
    }

    #[test]
    fn only_loopback_goes_around_a_proxy() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(loopback("http://localhost:1") && loopback("http://127.9.9.9") && loopback("http://[::1]:1"));
        assert!(!loopback("http://10.0.0.1") && !loopback("http://localhost.example.com"));
    }

    #[test]
    fn a_key_is_not_shown() {
        let client = Client::new("http://127.0.0.1:1").unwrap();
        let client = client.with_key("hunter2").unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
        assert!(client.with_key("a\nb").is_err());
    }
}
