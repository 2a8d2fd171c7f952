//! Signals, in pages or as one stream.

use futures_util::stream::{self, BoxStream, StreamExt};
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::call::Call;
use super::items::PAGE;
use super::{Client, ClientError, Items};
use crate::api::SignalView;

/// The longest line of a stream that is read.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Which signals. What is absent or empty does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalFilter {
    /// Only of this run.
    pub run: Option<String>,
    /// Only of these instances.
    pub strategies: Vec<String>,
    /// Only of these instruments.
    pub symbols: Vec<String>,
    /// Only with this side: `buy`, `sell` or `flat`.
    pub side: Option<String>,
    /// From this event time on: RFC 3339.
    pub from: Option<String>,
    /// Up to this event time, which is left out: RFC 3339.
    pub to: Option<String>,
    /// Only at this price or above, in decimal.
    pub min_price: Option<String>,
    /// Instead of all of the run's the last so many, at most 1,000: for those before, give the first one's time as `to`. It goes
    /// with no side and no price.
    pub latest: Option<u32>,
}

impl SignalFilter {
    fn of(&self, call: Call) -> Call {
        let call = call
            .query("run", self.run.as_deref())
            .query("side", self.side.as_deref())
            .query("from", self.from.as_deref())
            .query("to", self.to.as_deref())
            .query("minPrice", self.min_price.as_deref())
            .query("latest", self.latest.map(|_| "true"));
        let call = self.strategies.iter().fold(call, |call, name| call.query("strategy", Some(name)));
        self.symbols.iter().fold(call, |call, symbol| call.query("symbol", Some(symbol)))
    }
}

impl Client {
    fn signal_call(&self, filter: &SignalFilter) -> Result<Call, ClientError> {
        Ok(filter.of(Call::get(self, &["api", "signals"])?))
    }

    /// Signals, fetched page by page: what is fetched stays fetched when a later page fails, and a slow reader
    /// holds nothing open.
    pub fn signals(&self, filter: &SignalFilter) -> Items<SignalView> {
        self.items_by(filter.latest.unwrap_or(PAGE), self.signal_call(filter))
    }

    /// Signals as one answer that the server writes as it is read: the quickest for many.
    ///
    /// # Errors
    /// At the end of the stream, where the connection broke: then it was not all.
    pub async fn signal_stream(&self, filter: &SignalFilter) -> Result<Items<SignalView>, ClientError> {
        let call = self.signal_call(filter)?.query("limit", filter.latest).accept("application/x-ndjson");
        let answer = self.send(&call, async |answer| Ok(answer)).await?;
        Ok(lines(answer))
    }

    /// Signals as CSV with a header line, in parts as they come.
    ///
    /// # Errors
    /// At the end of the stream, where the connection broke: then it was not all.
    pub async fn signals_csv(
        &self,
        filter: &SignalFilter,
    ) -> Result<BoxStream<'static, Result<Vec<u8>, ClientError>>, ClientError> {
        let call = self.signal_call(filter)?.query("limit", filter.latest).accept("text/csv");
        let answer = self.send(&call, async |answer| Ok(answer)).await?;
        let parts = stream::try_unfold(answer, async |mut answer| {
            Ok(answer.next_part().await?.map(|part| (part, answer)))
        });
        Ok(parts.boxed())
    }
}

/// The values of an answer that has one a line.
fn lines<T: DeserializeOwned + Send + 'static>(answer: Answer) -> Items<T> {
    let unread = Unread { answer, bytes: Vec::new(), from: 0, is_whole: false };
    stream::try_unfold(unread, async |mut unread| Ok(unread.next_value().await?.map(|value| (value, unread))))
        .boxed()
}

/// What has come of a stream, and what of it was read.
struct Unread {
    answer: Answer,
    bytes: Vec<u8>,
    /// Where in `bytes` the next line begins.
    from: usize,
    /// Whether all has come.
    is_whole: bool,
}

impl Unread {
    async fn next_value<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        while let Some(line) = self.next_line().await? {
            // A blank line keeps a connection alive, and says nothing.
            if !line.trim_ascii().is_empty() {
                let value = serde_json::from_slice(&line).map_err(|error| self.unreadable(error.to_string()));
                return value.map(Some);
            }
        }
        Ok(None)
    }

    async fn next_line(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        // What was looked at already is not looked at again: a line may come in many parts.
        let mut looked = self.from;
        loop {
            if let Some(length) = self.bytes[looked..].iter().position(|byte| *byte == b'\n') {
                let end = looked + length;
                let line = self.bytes[self.from..end].to_vec();
                self.from = end + 1;
                return Ok(Some(line));
            }
            self.bytes.drain(..self.from);
            self.from = 0;
            looked = self.bytes.len();
            if looked > MAX_LINE_BYTES {
                return Err(self.unreadable(format!("a line of it is longer than {MAX_LINE_BYTES} bytes")));
            }
            if self.is_whole {
                let last = std::mem::take(&mut self.bytes);
                return Ok((!last.is_empty()).then_some(last));
            }
            match self.answer.next_part().await? {
                Some(part) => self.bytes.extend_from_slice(&part),
                None => self.is_whole = true,
            }
        }
    }

    fn unreadable(&self, reason: String) -> ClientError {
        ClientError::Unreadable { path: self.answer.path().to_owned(), reason }
    }
}
