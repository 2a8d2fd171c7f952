//! Who clients are: their token says it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use signalr::{Refused, User};

/// How long a brief token lasts.
const BRIEF: Duration = Duration::from_secs(2);

/// A user, if there is a token: `alice`, or with a role `root-admin`. The token `bad` is refused, and those with the role `brief`
/// expire soon.
pub(super) fn anyone(token: Option<&str>, _: &Parts) -> Result<Option<User>, Refused> {
    token.map(user).transpose()
}

fn user(token: &str) -> Result<User, Refused> {
    let (name, role) = token.split_once('-').map_or((token, None), |(name, role)| (name, Some(role)));
    if name.is_empty() || name == "bad" {
        return Err(Refused);
    }
    let expires = (role == Some("brief")).then(|| SystemTime::now() + BRIEF);
    let roles: BTreeSet<_> = role.map(str::to_owned).into_iter().collect();
    Ok(User { id: name.to_owned(), name: name.to_owned(), roles, expires })
}
