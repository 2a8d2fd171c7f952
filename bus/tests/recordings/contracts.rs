//! The contracts of the recorded services, each at the endpoint that it had there.

use serde::{Deserialize, Serialize};
use tick_sdk::contracts::CommandId;
use tick_sdk::{command, event, request};
use uuid::Uuid;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateUser {
    pub(crate) command_id: Option<CommandId>,
    pub(crate) email: String,
    pub(crate) name: String,
}
command!(CreateUser, version 1, endpoint "create-user");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenameUser {
    pub(crate) command_id: CommandId,
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
}
command!(RenameUser, version 1, endpoint "rename-user");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartReplay {
    pub(crate) command_id: CommandId,
    pub(crate) files: Vec<String>,
    pub(crate) symbols: Vec<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) speed: f64,
    #[serde(rename = "loop")]
    pub(crate) repeats: i32,
    pub(crate) strategies: Vec<String>,
}
command!(StartReplay, version 1, endpoint "replays");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserCreated {
    pub(crate) correlation_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
}
event!(UserCreated, version 1, context "create-user");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayCompleted {
    pub(crate) correlation_id: Uuid,
    pub(crate) run: String,
    pub(crate) ticks: u64,
    pub(crate) elapsed: String,
    pub(crate) net_profit: String,
    pub(crate) profit_by_strategy: serde_json::Map<String, serde_json::Value>,
    pub(crate) results: Vec<StrategyResult>,
}
event!(ReplayCompleted, version 1, context "replays");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrategyResult {
    pub(crate) strategy: String,
    pub(crate) signals: u64,
    pub(crate) profit: String,
    pub(crate) sharpe: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetUser {
    pub(crate) user_id: Uuid,
}
request!(GetUser, version 1, endpoint "get-user", answers [UserFound, UserNotFound]);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserFound {
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserNotFound {
    pub(crate) user_id: Uuid,
}

/// As [`GetUser`], which one recorded client asked with one answer only.
pub(crate) mod one_answer {
    use serde::{Deserialize, Serialize};
    use tick_sdk::request;
    use uuid::Uuid;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct GetUser {
        pub(crate) user_id: Uuid,
    }
    request!(GetUser, version 1, endpoint "get-user with one answer", answers [UserFound]);

    #[derive(Serialize, Deserialize)]
    #[expect(dead_code, reason = "only its name is written")]
    pub(crate) enum UserFound {}
}
