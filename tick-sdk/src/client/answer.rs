//! An answer, of which the head is there.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Map, Value};

use super::ClientError;
use crate::api::{PROBLEM_TYPE, Problem};

/// The longest answer that is read whole.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How much of an answer that is no problem of the gateway's is quoted.
const QUOTED_CHARS: usize = 200;

/// An answer whose body is still to come.
pub(super) struct Answer {
    response: Response,
    path: String,
    /// How long each part of the body may take.
    timeout: Duration,
}

/// The body of an answer, which is not longer than a client should hold.
pub(super) async fn whole(mut answer: Answer) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(part) = answer.next_part().await? {
        if body.len() + part.len() > MAX_ANSWER_BYTES {
            let reason = format!("it is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(ClientError::Unreadable { path: answer.path, reason });
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

impl Answer {
    pub(super) fn new(response: Response, path: String, timeout: Duration) -> Self {
        Self { response, path, timeout }
    }

    pub(super) fn is_success(&self) -> bool {
        self.response.status().is_success()
    }

    /// What was asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// More of the body, `None` at its end.
    pub(super) async fn next_part(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let timed_out = || ClientError::TimedOut { path: self.path.clone(), after: self.timeout };
        match tokio::time::timeout(self.timeout, self.response.chunk()).await {
            Err(_) => Err(timed_out()),
            Ok(Err(source)) => {
                Err(ClientError::Broken { path: self.path.clone(), source: source.without_url() })
            }
            Ok(Ok(part)) => Ok(part.map(Vec::from)),
        }
    }

    /// Why it is no success, and how long the server asks to wait.
    pub(super) async fn refusal(self) -> (ClientError, Option<Duration>) {
        let status = self.response.status();
        let header = |name| self.response.headers().get(name).and_then(|value| value.to_str().ok());
        // The gateway gives seconds. A date, which others may give, is as good as nothing.
        let retry_after =
            header(RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let is_problem = header(CONTENT_TYPE).is_some_and(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/problem+json"))
        });
        // Half an answer still says what the status means.
        let body = whole(self).await.unwrap_or_default();
        let problem = is_problem.then(|| problem_of(&body)).flatten();
        let mut problem = problem.unwrap_or_else(|| Problem {
            title: status.canonical_reason().unwrap_or("refused").to_owned(),
            detail: quoted(&body),
            ..Problem::default()
        });
        problem.status = status.as_u16();
        (ClientError::Refused(Box::new(problem)), retry_after)
    }
}

/// A problem, each of whose members may be absent (RFC 9457).
fn problem_of(body: &[u8]) -> Option<Problem> {
    let mut members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    members.entry("type").or_insert_with(|| PROBLEM_TYPE.into());
    members.entry("title").or_insert_with(|| "refused".into());
    members.entry("status").or_insert_with(|| 0.into());
    serde_json::from_value(members.into()).ok()
}

/// The beginning of a text that somebody else wrote, without what would steer a terminal.
fn quoted(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let shown: String = text.trim().chars().filter(|c| !c.is_control()).take(QUOTED_CHARS).collect();
    (!shown.is_empty()).then_some(shown)
}
