//! A connection to a broker for everything but large bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use lapin::{ConnectionProperties, ConnectionStatus, Event};
use tokio::sync::watch;
use tracing::{Instrument, debug, info, info_span, warn};

use crate::socket::Socket;
use crate::{BrokerError, BrokerUrl, Channel, reactor};

/// A connection is made, and each request answered, within this time, or has failed.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Between looks at a connection whose end nobody has announced.
const LOOK: Duration = Duration::from_millis(250);

/// A connection to a broker. It is closed when it is dropped; [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct Connection {
    url: BrokerUrl,
    inner: lapin::Connection,
    /// Set before this end closes it, which is not a loss.
    is_closing: Arc<AtomicBool>,
    lost: watch::Receiver<Option<String>>,
}

/// lapin 4.12 keeps the error of a channel that the broker closed, and refuses the next channel of the same number
/// with it, when all 2,047 numbers have been used once: so many such channels in a row are passed over.
const USED_NUMBERS: u32 = 256;

impl Connection {
    /// Connects under this name, which the broker's own tools show. To be called within tokio's runtime,
    /// on which the connection then lives.
    ///
    /// # Errors
    /// See [`BrokerError`]; it is [`BrokerError::Unreachable`] after [`TIMEOUT`].
    pub async fn open(url: &BrokerUrl, name: &str) -> Result<Self, BrokerError> {
        Self::open_within(TIMEOUT, url, name).await
    }

    pub(crate) async fn open_within(
        limit: Duration,
        url: &BrokerUrl,
        name: &str,
    ) -> Result<Self, BrokerError> {
        // The library's own attempts would hide what we report, and wait where we would not.
        let properties = ConnectionProperties::default()
            .with_connection_name(name.into())
            .configure_backoff(|backoff| backoff.with_max_times(0));
        let opening = async {
            let socket = Socket::connect(url).await?;
            let opened = reactor::open(url, socket, properties).await;
            opened.map_err(|error| BrokerError::of_connecting(url, &error))
        };
        match tokio::time::timeout(limit, opening).await {
            Ok(connection) => Ok(Self::watched(url, name, connection?)),
            Err(_) => Err(BrokerError::Unreachable { url: url.to_string(), reason: no_answer() }),
        }
    }

    fn watched(url: &BrokerUrl, name: &str, inner: lapin::Connection) -> Self {
        let is_closing = Arc::<AtomicBool>::default();
        let (to_lost, lost) = watch::channel(None);
        let (events, status) = (inner.events_listener(), inner.status().clone());
        let span = info_span!("broker connection", broker = %url, name);
        span.in_scope(|| info!("opened"));
        let is_ours = is_closing.clone();
        let watching = async move {
            let reason = until_lost(events, &status).await;
            if is_ours.load(Ordering::Acquire) {
                debug!("closed");
            } else {
                warn!(reason, "lost");
            }
            to_lost.send_replace(Some(reason));
        };
        tokio::spawn(watching.instrument(span));
        Self { url: url.clone(), inner, is_closing, lost }
    }

    /// The broker.
    pub fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// Whether it is there, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.inner.status().connected()
    }

    /// Whether the broker takes nothing at the moment, as it lacks memory or room on its disk.
    pub fn is_blocked(&self) -> bool {
        self.inner.status().blocked()
    }

    /// Waits until the connection is lost, and gives the reason.
    pub async fn lost(&self) -> BrokerError {
        let mut lost = self.lost.clone();
        let reason = match lost.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // Its runtime ends.
            Err(_) => "it is no longer watched".to_owned(),
        };
        BrokerError::Lost { url: self.url.to_string(), reason }
    }

    /// A new channel.
    ///
    /// # Errors
    /// The connection is lost, or has no more channels.
    pub async fn open_channel(&self) -> Result<Channel, BrokerError> {
        let mut left = USED_NUMBERS;
        loop {
            match answer(&self.url, self.inner.create_channel()).await {
                Ok(channel) => return Ok(Channel::new(self.url.clone(), channel)),
                Err(error) if !error.is_of_a_channel() => return Err(error),
                // The next one has the next number.
                Err(_) if left > 0 => left -= 1,
                Err(error) => {
                    let reason = format!("it has no number left for a channel: {error}");
                    return Err(BrokerError::Lost { url: self.url.to_string(), reason });
                }
            }
        }
    }

    /// Ends it, and waits until the broker knows.
    ///
    /// # Errors
    /// The connection was lost before.
    pub async fn close(&self) -> Result<(), BrokerError> {
        self.is_closing.store(true, Ordering::Release);
        answer(&self.url, self.inner.close(200, "done".into())).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Release);
    }
}

/// Waits for an answer of the broker, but not longer than [`TIMEOUT`].
pub(crate) async fn answer<T>(
    url: &BrokerUrl,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| BrokerError::of_established(url, &error)),
        Err(_) => Err(BrokerError::Lost { url: url.to_string(), reason: no_answer() }),
    }
}

pub(crate) fn no_answer() -> String {
    format!("there was no answer for {} s", TIMEOUT.as_secs())
}

/// Reports what happens to a connection until it is there no more; gives the reason.
async fn until_lost(mut events: impl Stream<Item = Event> + Unpin, status: &ConnectionStatus) -> String {
    let mut reason = "it was closed".to_owned();
    loop {
        tokio::select! {
            event = events.next() => match event {
                // It may be a channel's alone, which the connection survives.
                Some(Event::Error(error)) => reason = error.to_string(),
                Some(Event::ConnectionBlocked(reason)) => warn!(reason, "blocked by the broker"),
                Some(Event::ConnectionUnblocked) => info!("unblocked by the broker"),
                Some(_) => {}
                None => return reason,
            },
            // Not every end is announced.
            () = tokio::time::sleep(LOOK) => {}
        }
        if !status.connected() {
            return reason;
        }
    }
}

#[cfg(test)]
mod tests;
