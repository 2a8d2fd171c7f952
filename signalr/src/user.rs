//! Who a client is.

use std::collections::BTreeSet;
use std::time::SystemTime;

use axum::http::request::Parts;

/// A user, as the application's [`Authenticate`] found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// By which messages are addressed to a user.
    pub id: String,
    /// To be shown.
    pub name: String,
    /// What the user may do, in the application's own words.
    pub roles: BTreeSet<String>,
    /// When the token expires.
    pub expires: Option<SystemTime>,
}

/// A token that is refused: the request is answered with 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is refused")]
pub struct Refused;

/// Finds who sends a request.
pub trait Authenticate: Send + Sync + 'static {
    /// `token` comes from `Authorization: Bearer …` or the query's `access_token`. `Ok(None)` is an anonymous user.
    fn authenticate(&self, token: Option<&str>, request: &Parts) -> Result<Option<User>, Refused>;
}

impl<F> Authenticate for F
where
    F: Fn(Option<&str>, &Parts) -> Result<Option<User>, Refused> + Send + Sync + 'static,
{
    fn authenticate(&self, token: Option<&str>, request: &Parts) -> Result<Option<User>, Refused> {
        self(token, request)
    }
}
