use uuid::Uuid;

use crate::shape;
use crate::shape::Form;

shape! {
    /// A user.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct UserView {
        /// The user, which is the id of the command that created it.
        pub user_id: Uuid,
        /// Its e-mail address, as given.
        pub email: String,
        /// Its name.
        pub name: String,
        /// Whether it was disabled.
        pub is_disabled: bool,
        /// When it was created.
        pub created_at: String as Form::Time,
        /// When it last changed, where it has.
        pub changed_at: Option<String> as Form::Time,
    }
}

shape! {
    /// The body of `PATCH /api/users/{id}`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RenameUserBody {
        /// The name from now on, 1 to 200 characters.
        pub name: String as Form::Length { least: 1, most: 200 },
    }
}
