//! Who may see and do what: asked here, and nowhere else.

use signalr::User;

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
