//! Creating a user.

use bus::{Handled, Handler, HandlerError, Message, Work, values};
use tick_sdk::contracts::accounts::{CreateUser, UserCreated};

use crate::rules::{checked_email, checked_name};

#[derive(Default)]
struct OnCreateUser;

impl Handler for OnCreateUser {
    type Command = CreateUser;

    async fn handle(
        &self,
        message: &Message<CreateUser>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let email = checked_email(&message.body.email)?;
        let name = checked_name(&message.body.name)?;
        let user_id = message.command_id.0;
        let lower = email.to_lowercase();
        // One statement, so that of two at once the second sees the first.
        let sql = "INSERT INTO \"user\" (user_id, email_lower, name) VALUES ($1, $2, $3) \
                   ON CONFLICT (email_lower) DO NOTHING";
        if work.tables()?.execute(sql, &values![user_id, lower, name])? == 0 {
            return Err(HandlerError::refused(format!("another user has the e-mail address {email}")));
        }
        work.publish(&UserCreated { user_id, email: email.to_owned(), name: name.to_owned() });
        Ok(Handled::Done(serde_json::json!({ "userId": user_id })))
    }
}

bus::handler!(OnCreateUser);
