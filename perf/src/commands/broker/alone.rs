//! `CreateUser` once more, carried out in a transaction of its own: one after the other, and many at once.

use bus::{Handled, Handler, HandlerError, Message, Work, values};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// So many transactions at once.
pub(super) const AT_ONCE: usize = 32;

/// As the accounts have it.
pub(super) const TABLES: &str = accounts::TABLES;

/// A context of its own, with a contract, its event and its handler.
macro_rules! alone {
    ($Create:ident, $Created:ident, $OnCreate:ident, in $context:literal, $at_once:expr) => {
        /// Creates a user.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(super) struct $Create {
            email: String,
            name: String,
        }
        tick_sdk::command!($Create, version 1, endpoint $context);

        /// There is a new user.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct $Created {
            user_id: Uuid,
            email: String,
            name: String,
        }
        tick_sdk::event!($Created, version 1, context $context);

        #[derive(Default)]
        struct $OnCreate;

        impl Handler for $OnCreate {
            type Command = $Create;
            const BATCH: usize = 1;
            const AT_ONCE: usize = $at_once;

            async fn handle(
                &self,
                message: &Message<$Create>,
                work: &mut Work<'_>,
            ) -> Result<Handled, HandlerError> {
                let $Create { email, name } = message.body.clone();
                let user_id = message.command_id.0;
                let row = values![user_id, email.to_lowercase(), name.clone()];
                if work.tables()?.execute(INSERT, &row)? == 0 {
                    return Err(HandlerError::refused(format!("another user has the e-mail address {email}")));
                }
                work.publish(&$Created { user_id, email, name });
                Ok(Handled::Done(serde_json::json!({ "userId": user_id })))
            }
        }

        bus::handler!($OnCreate);
    };
}

const INSERT: &str = "INSERT INTO \"user\" (user_id, email_lower, name) VALUES ($1, $2, $3) \
                      ON CONFLICT (email_lower) DO NOTHING";

alone!(CreateAlone, CreatedAlone, OnCreateAlone, in "perf-alone", 1);
alone!(CreateBeside, CreatedBeside, OnCreateBeside, in "perf-beside", AT_ONCE);
