//! Users.

use reqwest::Method;
use uuid::Uuid;

use super::call::Call;
use super::{Client, ClientError, CommandRequest, Items};
use crate::api::{RenameUserBody, UserView};
use crate::contracts::accounts::CreateUser;

impl Client {
    /// Creates a user, whose id is the command's. Fails where another has the e-mail address.
    pub fn create_user(&self, user: &CreateUser) -> CommandRequest {
        let call = self.post(&["api", "users"]).and_then(|call| call.body(user));
        CommandRequest::new(self, call)
    }

    /// All users.
    pub fn users(&self) -> Items<UserView> {
        self.items(Call::get(self, &["api", "users"]))
    }

    /// A user.
    pub async fn user(&self, user_id: Uuid) -> Result<UserView, ClientError> {
        self.read(Call::get(self, &["api", "users", &user_id.to_string()])?).await
    }

    /// Gives a user another name.
    pub fn rename_user(&self, user_id: Uuid, name: &str) -> CommandRequest {
        let body = RenameUserBody { name: name.to_owned() };
        let call = Call::new(self, Method::PATCH, &["api", "users", &user_id.to_string()]);
        CommandRequest::new(self, call.and_then(|call| call.body(&body)))
    }

    /// Disables a user; the e-mail address stays taken.
    pub fn disable_user(&self, user_id: Uuid) -> CommandRequest {
        CommandRequest::new(self, Call::new(self, Method::DELETE, &["api", "users", &user_id.to_string()]))
    }
}
