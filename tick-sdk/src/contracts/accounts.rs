//! Users: the context `accounts`.

use uuid::Uuid;

use crate::shape::Form;
use crate::{command, event, shape};

/// The context's name, which is also its endpoint's.
pub const ACCOUNTS: &str = "accounts";

shape! {
    /// Creates a user; refused where another has the e-mail address. Its id is the command's id.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateUser {
        /// Unique among all users, without regard to case.
        pub email: String,
        /// As it is shown, 1 to 200 characters.
        pub name: String as Form::Length { least: 1, most: 200 },
    }
}
command!(CreateUser, version 1, endpoint ACCOUNTS);

shape! {
    /// Gives a user another name.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RenameUser {
        /// The user.
        pub user_id: Uuid,
        /// As it is shown from now on, 1 to 200 characters.
        pub name: String as Form::Length { least: 1, most: 200 },
    }
}
command!(RenameUser, version 1, endpoint ACCOUNTS);

shape! {
    /// Disables a user; the e-mail address stays taken.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DisableUser {
        /// The user.
        pub user_id: Uuid,
    }
}
command!(DisableUser, version 1, endpoint ACCOUNTS);

shape! {
    /// There is a new user.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct UserCreated {
        /// The user.
        pub user_id: Uuid,
        /// Its e-mail address, as given.
        pub email: String,
        /// Its name.
        pub name: String as Form::Length { least: 1, most: 200 },
    }
}
event!(UserCreated, version 1, context ACCOUNTS);

shape! {
    /// A user has another name.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct UserRenamed {
        /// The user.
        pub user_id: Uuid,
        /// Its name from now on.
        pub name: String as Form::Length { least: 1, most: 200 },
    }
}
event!(UserRenamed, version 1, context ACCOUNTS);

shape! {
    /// A user was disabled.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct UserDisabled {
        /// The user.
        pub user_id: Uuid,
    }
}
event!(UserDisabled, version 1, context ACCOUNTS);
