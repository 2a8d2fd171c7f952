//! `CreateUser` once more, carried out in a transaction of its own.

use bus::{Handled, Handler, HandlerError, Message, Work, values};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The context.
const CONTEXT: &str = "perf-alone";

/// Creates a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CreateAlone {
    email: String,
    name: String,
}
tick_sdk::command!(CreateAlone, version 1, endpoint CONTEXT);

/// There is a new user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedAlone {
    user_id: Uuid,
    email: String,
    name: String,
}
tick_sdk::event!(CreatedAlone, version 1, context CONTEXT);

/// As the accounts have it.
pub(super) const TABLES: &str = accounts::TABLES;

#[derive(Default)]
struct OnCreateAlone;

impl Handler for OnCreateAlone {
    type Command = CreateAlone;
    const BATCH: usize = 1;

    async fn handle(
        &self,
        message: &Message<CreateAlone>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let CreateAlone { email, name } = message.body.clone();
        let user_id = message.command_id.0;
        let sql = "INSERT INTO \"user\" (user_id, email_lower, name) VALUES ($1, $2, $3) \
                   ON CONFLICT (email_lower) DO NOTHING";
        if work.tables()?.execute(sql, &values![user_id, email.to_lowercase(), name.clone()])? == 0 {
            return Err(HandlerError::refused(format!("another user has the e-mail address {email}")));
        }
        work.publish(&CreatedAlone { user_id, email, name });
        Ok(Handled::Done(serde_json::json!({ "userId": user_id })))
    }
}

bus::handler!(OnCreateAlone);
