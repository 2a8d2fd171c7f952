//! Creating users.

use bus::{BatchHandler, Handled, HandlerError, Message, Work, values};
use tick_sdk::contracts::accounts::{CreateUser, UserCreated};

use crate::rules::{checked_email, checked_name};

#[derive(Default)]
struct OnCreateUser;

impl BatchHandler for OnCreateUser {
    type Command = CreateUser;

    async fn handle_all(
        &self,
        messages: &[Message<CreateUser>],
        work: &mut Work<'_>,
    ) -> Result<Vec<Handled>, HandlerError> {
        let (mut rows, mut created) = (Vec::new(), Vec::new());
        for message in messages {
            let email = checked_email(&message.body.email)?;
            let name = checked_name(&message.body.name)?;
            let user_id = message.command_id.0;
            rows.push(values![user_id, email.to_lowercase(), name]);
            created.push(UserCreated { user_id, email: email.to_owned(), name: name.to_owned() });
        }
        // Many rows a statement; of two at once the second sees the first.
        let into = "INSERT INTO \"user\" (user_id, email_lower, name)";
        let inserted = work.tables()?.insert(into, &rows, "ON CONFLICT (email_lower) DO NOTHING")?;
        if inserted < rows.len() as u64 {
            // Of several it is said of none: each is handled again by itself.
            let email = created.first().map_or("", |user| user.email.as_str());
            return Err(HandlerError::refused(format!("another user has the e-mail address {email}")));
        }
        for (message, user) in messages.iter().zip(&created) {
            work.caused_by(message);
            work.publish(user);
        }
        Ok(created.iter().map(|user| Handled::Done(serde_json::json!({ "userId": user.user_id }))).collect())
    }
}

bus::batch_handler!(OnCreateUser);
