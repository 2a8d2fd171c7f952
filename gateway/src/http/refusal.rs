//! What is answered when a request is not done: a problem (RFC 9457).

use std::collections::BTreeMap;

use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bus::SendError;
use tick_sdk::api::{PROBLEM_TYPE, Pointer, Problem};

use crate::documents::DocumentError;

/// Why a request is not done. The middleware around all routes makes the answer's body of it, which names the
/// request.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    detail: Option<String>,
    errors: BTreeMap<String, Vec<String>>,
    pointers: Vec<Pointer>,
    retry_after_s: Option<u32>,
    /// What the log says of it, and the client need not know.
    pub(crate) cause: Option<String>,
}

impl Refusal {
    /// With what is wrong, and what to do.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = Some(detail.into());
        Self {
            status,
            detail,
            errors: BTreeMap::new(),
            pointers: Vec::new(),
            retry_after_s: None,
            cause: None,
        }
    }

    /// 400.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503, or another that passes: when to try again.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// With something to read before the rest.
    #[must_use]
    pub(crate) fn preceded_by(self, text: &str) -> Self {
        let detail = self.detail.map(|detail| format!("{text}{detail}"));
        Self { detail, ..self }
    }

    /// 503: what cannot be read now, and why, which the log says.
    pub(crate) fn unavailable(what: &str, cause: impl std::fmt::Display) -> Self {
        let detail = format!("{what} cannot be read now; the log says why");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1).caused_by(cause)
    }

    /// With why, which the log says.
    #[must_use]
    pub(crate) fn caused_by(self, cause: impl std::fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// A wrong query parameter or header.
    #[must_use]
    pub(crate) fn parameter(mut self, name: &str, detail: impl Into<String>) -> Self {
        self.errors.entry(name.to_owned()).or_default().push(detail.into());
        self
    }

    /// A wrong place of the body.
    #[must_use]
    pub(crate) fn pointer(mut self, pointer: String, detail: String) -> Self {
        self.errors.entry(member_path(&pointer)).or_default().push(detail.clone());
        self.pointers.push(Pointer { pointer, detail });
        self
    }

    /// The answer to this request.
    pub(crate) fn answer(self, request_id: &str, path: &str) -> Response {
        let problem = Problem {
            kind: PROBLEM_TYPE.to_owned(),
            title: self.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            // What begins with two slashes, or with none, would be a reference to something else.
            instance: Some(path.to_owned()).filter(|path| path.starts_with('/') && !path.starts_with("//")),
            errors: self.errors,
            pointers: self.pointers,
            request_id: Some(request_id.to_owned()),
        };
        // A problem is texts and numbers, which all have a place in JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = (self.status, body).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"orchard\""));
        }
        answer
    }
}

/// A place of the body as its members are written in code: `strategies[0].name`.
fn member_path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path += &format!("[{part}]");
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path += &part.replace("~1", "/").replace("~0", "~");
    }
    if path.is_empty() { "$".to_owned() } else { path }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = self.status.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        Self::unavailable("the read model", error)
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        let detail = error.to_string();
        match error {
            SendError::OtherBody { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
                .parameter("Idempotency-Key", "was used with another body: use another key"),
            SendError::Unwritable { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            SendError::Unavailable { retry_after_s, .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_after_s)
            }
            SendError::NoSuchEndpoint { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_body_are_named_as_in_code() {
        assert_eq!(member_path("/strategies/0/parameters/a~1b"), "strategies[0].parameters.a/b");
        assert_eq!(member_path(""), "$");
    }
}
