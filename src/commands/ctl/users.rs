//! `orchard ctl users`.

use anyhow::Result;
use clap::{Args, Subcommand};
use tick_sdk::api::UserView;
use tick_sdk::contracts::accounts::CreateUser;
use uuid::Uuid;

use super::output::{Columns, ListArgs, SendArgs, or_dash};
use super::{Session, parse_id};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Create a user; refused where another has the e-mail address
    Create(CreateArgs),
    /// All users
    List(ListArgs),
    /// One of them
    Show {
        /// The user
        #[arg(value_name = "USERID", value_parser = parse_id)]
        user: Uuid,
    },
    /// Give a user another name
    Rename(RenameArgs),
    /// Disable a user; the e-mail address stays taken
    Disable(DisableArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The name as it is shown
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct RenameArgs {
    /// The user
    #[arg(value_name = "USERID", value_parser = parse_id)]
    user: Uuid,
    /// The name from now on
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct DisableArgs {
    /// The user
    #[arg(value_name = "USERID", value_parser = parse_id)]
    user: Uuid,
    #[command(flatten)]
    send: SendArgs,
}

const COLUMNS: Columns<UserView> = Columns {
    titles: &["user", "e-mail", "name", "state", "created"],
    numbers: &[],
    row: |user| {
        vec![
            user.user_id.to_string(),
            user.email.clone(),
            user.name.clone(),
            state(user).to_owned(),
            user.created_at.clone(),
        ]
    },
};

fn state(user: &UserView) -> &'static str {
    if user.is_disabled { "disabled" } else { "enabled" }
}

pub(super) async fn act(action: &Action, session: &Session) -> Result<()> {
    let client = &session.client;
    match action {
        Action::Create(CreateArgs { email, name, send }) => {
            let user = CreateUser { email: email.clone(), name: name.clone() };
            session.send(client.create_user(&user), send).await
        }
        Action::List(which) => session.out.list(client.users(), which, &COLUMNS).await,
        Action::Show { user } => show(&client.user(*user).await?, session),
        Action::Rename(RenameArgs { user, name, send }) => {
            session.send(client.rename_user(*user, name), send).await
        }
        Action::Disable(DisableArgs { user, send }) => session.send(client.disable_user(*user), send).await,
    }
}

fn show(user: &UserView, session: &Session) -> Result<()> {
    let facts = [
        ("User", user.user_id.to_string()),
        ("E-mail", user.email.clone()),
        ("Name", user.name.clone()),
        ("State", state(user).to_owned()),
        ("Created", user.created_at.clone()),
        ("Changed", or_dash(user.changed_at.as_ref())),
    ];
    session.out.one(user, &facts)
}
