//! One request: where it goes, what it carries, and how it is sent until it is answered.

use std::fmt::Display;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{self, Answer};
use super::{Client, ClientError};
use crate::contracts::ConversationId;

/// The header that makes two requests one.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that names a tree of causes.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// A request, the same at each attempt.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    url: Url,
    body: Option<String>,
    idempotency_key: Option<String>,
    correlation_id: Option<ConversationId>,
    accept: &'static str,
    /// On top of the client's timeout: how long the server was asked to wait.
    extra_time: Duration,
}

impl Call {
    /// A request for the path made of `segments`, each of which may hold any character.
    pub(super) fn new(client: &Client, method: Method, segments: &[&str]) -> Result<Self, ClientError> {
        let mut url = client.base.as_ref().clone();
        for segment in segments {
            // These mean something in a path, however they are escaped.
            if matches!(*segment, "" | "." | "..") {
                return Err(ClientError::InvalidName((*segment).to_owned()));
            }
        }
        // Only an address without a host has no segments, and the client's has one.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(Self {
            method,
            url,
            body: None,
            idempotency_key: None,
            correlation_id: None,
            accept: "application/json",
            extra_time: Duration::ZERO,
        })
    }

    /// A read, of which the server answers once what the client's `after` made is in it.
    pub(super) fn get(client: &Client, segments: &[&str]) -> Result<Self, ClientError> {
        Ok(Self::new(client, Method::GET, segments)?.query("after", client.after))
    }

    /// With a parameter, unless there is no value.
    pub(super) fn query(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.url.query_pairs_mut().append_pair(name, &value.to_string());
        }
        self
    }

    pub(super) fn body(mut self, body: &impl Serialize) -> Result<Self, ClientError> {
        let text = serde_json::to_string(body)
            .map_err(|source| ClientError::Unwritable { path: self.path(), source })?;
        self.body = Some(text);
        Ok(self)
    }

    pub(super) fn idempotency_key(mut self, key: String) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    pub(super) fn correlation_id(self, correlation_id: Option<ConversationId>) -> Self {
        Self { correlation_id, ..self }
    }

    pub(super) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(super) fn extra_time(self, extra_time: Duration) -> Self {
        Self { extra_time, ..self }
    }

    /// What was asked for, as errors name it.
    pub(super) fn path(&self) -> String {
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{} {}{query}", self.method, self.url.path())
    }

    /// Whether sending it twice does no more than sending it once.
    fn is_repeatable(&self) -> bool {
        self.method == Method::GET || self.idempotency_key.is_some()
    }

    fn headers(&self, client: &Client) -> Result<HeaderMap, ClientError> {
        let mut headers = client.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = &self.idempotency_key {
            let value = key.try_into().map_err(|_| ClientError::InvalidIdempotencyKey(key.clone()))?;
            headers.insert(IDEMPOTENCY_KEY, value);
        }
        let correlation_id = self.correlation_id.and_then(|id| HeaderValue::try_from(id.to_string()).ok());
        if let Some(value) = correlation_id {
            headers.insert(CORRELATION_ID, value);
        }
        Ok(headers)
    }
}

impl Client {
    pub(super) fn post(&self, segments: &[&str]) -> Result<Call, ClientError> {
        Call::new(self, Method::POST, segments)
    }

    /// Sends the request until it is answered, and reads the answer.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let text = self.send(&call, answer::whole).await?;
        serde_json::from_slice(&text)
            .map_err(|error| ClientError::Unreadable { path: call.path(), reason: error.to_string() })
    }

    /// Sends the request until it is answered with a success. `take` reads what it needs of the answer: if
    /// that fails, it is asked for again.
    pub(super) async fn send<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        call: &Call,
        take: impl Fn(Answer) -> F,
    ) -> Result<T, ClientError> {
        let mut attempts = 1;
        loop {
            let (error, retry_after) = match self.attempt(call).await {
                Ok(answer) => match take(answer).await {
                    Ok(taken) => return Ok(taken),
                    Err(error) => (error, None),
                },
                Err(refused) => refused,
            };
            // What never arrived can be sent again, whatever it asks for.
            let may_repeat = call.is_repeatable() || matches!(error, ClientError::Unreachable { .. });
            let is_worth_it = error.is_transient() || retry_after.is_some();
            match self.retries.wait(attempts, retry_after) {
                Some(wait) if may_repeat && is_worth_it => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
            attempts += 1;
        }
    }

    /// Sends it once. An error comes with the time that the server asks to wait.
    async fn attempt(&self, call: &Call) -> Result<Answer, (ClientError, Option<Duration>)> {
        let headers = call.headers(self).map_err(|error| (error, None))?;
        let mut request = self.http.request(call.method.clone(), call.url.clone()).headers(headers);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let timeout = self.timeout + call.extra_time;
        let sent = tokio::time::timeout(timeout, request.send()).await;
        let timed_out = || ClientError::TimedOut { path: call.path(), after: timeout };
        let response = match sent {
            Err(_) => return Err((timed_out(), None)),
            Ok(Err(source)) if source.is_timeout() => return Err((timed_out(), None)),
            Ok(Err(source)) => return Err((self.unsent(call, source), None)),
            Ok(Ok(response)) => response,
        };
        let answer = Answer::new(response, call.path(), self.timeout);
        if answer.is_success() { Ok(answer) } else { Err(answer.refusal().await) }
    }

    fn unsent(&self, call: &Call, source: reqwest::Error) -> ClientError {
        let source = source.without_url();
        #[cfg(feature = "client-tls")]
        if let Some(reason) = super::tls::distrust(&source) {
            return ClientError::Untrusted { url: self.base.to_string(), reason };
        }
        if source.is_connect() {
            ClientError::Unreachable { url: self.base.to_string(), source }
        } else {
            ClientError::Broken { path: call.path(), source }
        }
    }
}
