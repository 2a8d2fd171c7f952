//! Why a request was not answered as asked.

use std::time::Duration;

use thiserror::Error;

use crate::api::{CommandView, Problem};
use crate::contracts::CommandId;

/// Why a request was not answered as asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The gateway's address is none.
    #[error("'{url}' is no address of a gateway: {reason}. Give one like http://127.0.0.1:8090")]
    InvalidUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that no header can hold.
    #[error("the API key contains characters that no header can hold: give it as it was printed")]
    InvalidKey,
    /// An idempotency key that no header can hold.
    #[error("the idempotency key '{0}' contains characters that no header can hold: give visible ASCII")]
    InvalidIdempotencyKey(String),
    /// A name or id that cannot be a part of a path.
    #[error("'{0}' cannot be a name: give one that is not empty, nor only dots")]
    InvalidName(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {source}")]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// What was to name whom to trust does not.
    #[error("no authority can be trusted: {0}")]
    Authorities(String),
    /// The gateway's certificate is not of an authority that is trusted, or not for its name.
    #[error("{url} is not trusted: {reason}. Give the certificate of the authority that issued its own")]
    Untrusted {
        /// The gateway's address.
        url: String,
        /// What is wrong with its certificate.
        reason: String,
    },
    /// The gateway could not be reached.
    #[error("cannot reach {url}: is `orchard serve` running there?")]
    Unreachable {
        /// The gateway's address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("{path} was not answered within {} s", after.as_secs_f64())]
    TimedOut {
        /// What was asked for.
        path: String,
        /// The timeout.
        after: Duration,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection broke before the answer to {path} was whole")]
    Broken {
        /// What was asked for.
        path: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The gateway says why not. Where the answer was no problem of the gateway's (a proxy's, say), it was
    /// made of status and text.
    #[error("{}", said(.0))]
    Refused(Box<Problem>),
    /// The answer is not what this client expects.
    #[error("the answer to {path} cannot be read: {reason}. Is that a gateway, of this version?")]
    Unreadable {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was asked for could not be written as JSON.
    #[error("the body for {path} cannot be written as JSON: {source}")]
    Unwritable {
        /// Where it was to go.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The command was not carried out.
    #[error("{} {} failed: {}", .0.command, .0.command_id, .0.reason.as_deref().unwrap_or("no reason given"))]
    Failed(Box<CommandView>),
    /// The command was stopped on somebody's wish.
    #[error("{} {} was cancelled", .0.command, .0.command_id)]
    Cancelled(Box<CommandView>),
    /// The command has not ended in the time that it was given.
    #[error("{command_id} has not ended within {} s: it goes on, ask for its status", within.as_secs_f64())]
    NotEnded {
        /// The command.
        command_id: CommandId,
        /// The time that it was given.
        within: Duration,
    },
}

impl ClientError {
    /// The status of the answer, where the gateway refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            _ => None,
        }
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Broken { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 429 | 502 | 503 | 504),
            _ => false,
        }
    }
}

/// What a problem says, with every member that is wrong.
fn said(problem: &Problem) -> String {
    let detail = problem.detail.as_ref().unwrap_or(&problem.title);
    let mut text = detail.clone();
    for (member, errors) in &problem.errors {
        // The detail may say already what is wrong.
        for error in errors.iter().filter(|error| !detail.contains(*error)) {
            text.push_str(&format!("\n  {member}: {error}"));
        }
    }
    text.push_str(&format!(" (status {}", problem.status));
    if let Some(request_id) = &problem.request_id {
        text.push_str(&format!(", request {request_id}"));
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_all_that_is_wrong() {
        let errors = [("email".to_owned(), vec!["it is taken".to_owned()])].into();
        let problem = Problem {
            title: "Bad Request".into(),
            status: 400,
            detail: Some("one member is wrong".into()),
            errors,
            ..Problem::default()
        };
        let error = ClientError::Refused(Box::new(problem));
        assert_eq!(error.to_string(), "one member is wrong\n  email: it is taken (status 400)");
        assert_eq!(error.status(), Some(400));
    }
}
