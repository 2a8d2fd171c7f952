//! Renaming a user.

use bus::{Handled, Handler, HandlerError, Message, Work, values};
use tick_sdk::contracts::accounts::{RenameUser, UserRenamed};

use crate::rules::checked_name;

#[derive(Default)]
struct OnRenameUser;

impl Handler for OnRenameUser {
    type Command = RenameUser;

    async fn handle(
        &self,
        message: &Message<RenameUser>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let name = checked_name(&message.body.name)?;
        let user_id = message.body.user_id;
        let sql = "UPDATE \"user\" SET name = $1 WHERE user_id = $2 AND is_disabled = 0";
        if work.tables()?.execute(sql, &values![name, user_id])? == 0 {
            return Err(HandlerError::refused(format!("there is no user {user_id} that is not disabled")));
        }
        work.publish(&UserRenamed { user_id, name: name.to_owned() });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnRenameUser);
