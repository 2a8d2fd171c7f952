//! Disabling a user.

use bus::{Handled, Handler, HandlerError, Message, Work, values};
use tick_sdk::contracts::accounts::{DisableUser, UserDisabled};

#[derive(Default)]
struct OnDisableUser;

impl Handler for OnDisableUser {
    type Command = DisableUser;

    async fn handle(
        &self,
        message: &Message<DisableUser>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let user_id = message.body.user_id;
        let sql = "UPDATE \"user\" SET is_disabled = 1 WHERE user_id = $1 AND is_disabled = 0";
        if work.tables()?.execute(sql, &values![user_id])? == 0 {
            return Err(HandlerError::refused(format!("there is no user {user_id} that is not disabled")));
        }
        work.publish(&UserDisabled { user_id });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnDisableUser);
