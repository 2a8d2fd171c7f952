//! Who may see and do what: asked here, and nowhere else.

use axum::http::request::Parts;
use signalr::{Refused, User};

use crate::http::HubCaller;

/// What somebody may want of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To see prices, signals and how the system stands.
    See,
    /// To see commands of others.
    SeeAllCommands,
}

/// The bootstrap key may do all, and so may programs of this machine that need none.
pub(super) fn may(user: Option<&User>, wish: Wish) -> bool {
    let _ = wish;
    user.is_some()
}

/// The caller whom the gateway has admitted, by the rules of every route: the key, or this machine's own programs.
pub(super) fn user(_: Option<&str>, request: &Parts) -> Result<Option<User>, Refused> {
    let HubCaller(name) = request.extensions.get::<HubCaller>().ok_or(Refused)?;
    let (id, name) = ((*name).to_owned(), (*name).to_owned());
    Ok(Some(User { id, name, roles: Default::default(), expires: None }))
}
