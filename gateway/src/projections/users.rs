//! Users, of the events of `accounts`.

use bus::StoredEvent;
use tick_sdk::api::UserView;
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::accounts::{UserCreated, UserDisabled, UserRenamed};
use uuid::Uuid;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, DocumentError, Key};
use crate::instant::{ms_of_text, text_of_ms};

/// Users by id; in order of creation.
pub(crate) static USERS: Collection = Collection { name: "users", indexes: &["by_time"] };

struct Users;

crate::projection!(Users);

impl Projection for Users {
    const NAME: &'static str = "users";
    const VERSION: u32 = 1;
    const COLLECTIONS: &'static [&'static Collection] = &[&USERS];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            UserCreated::NAME => {
                let UserCreated { user_id, email, name } = read(event)?;
                let created_at = text_of_ms(event.at_ms);
                put(batch, &UserView { user_id, email, name, created_at, ..UserView::default() })?;
            }
            UserRenamed::NAME => {
                let UserRenamed { user_id, name } = read(event)?;
                change(batch, event, user_id, |user| user.name = name)?;
            }
            UserDisabled::NAME => {
                let UserDisabled { user_id } = read(event)?;
                change(batch, event, user_id, |user| user.is_disabled = true)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn change(
    batch: &mut Batch<'_>,
    event: &StoredEvent,
    user_id: Uuid,
    change: impl FnOnce(&mut UserView),
) -> Result<(), ApplyError> {
    let user: Option<UserView> = batch.get(&USERS, &user_id.to_string())?;
    let mut user = user.ok_or_else(|| ApplyError::Refused(format!("there is no user {user_id}")))?;
    change(&mut user);
    user.changed_at = Some(text_of_ms(event.at_ms));
    Ok(put(batch, &user)?)
}

fn put(batch: &mut Batch<'_>, user: &UserView) -> Result<(), DocumentError> {
    let keys = vec![Some(Key::new().number(ms_of_text(&user.created_at)))];
    batch.put(&USERS, &user.user_id.to_string(), keys, user)
}
