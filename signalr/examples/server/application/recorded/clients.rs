//! What the server sends to clients, and asks of them.

use std::sync::Arc;

use signalr::{Context, Event, HubError, Question};

use super::super::values::{Any, Order};
use super::Recorded;

pub(in super::super) static WELCOME: Event<(String,)> = Event::new("Welcome", &["text"]);
pub(super) static UPLOADED: Event<(String, i32)> = Event::new("Uploaded", &["label", "sum"]);
pub(super) static NOTED: Event<(Option<String>,)> = Event::new("Noted", &["text"]);
pub(super) static CALLED_BACK: Event<(Any,)> = Event::new("CalledBack", &["value"]);
pub(super) static GOT_ORDER: Event<(Order, f64, Option<String>)> =
    Event::new("GotOrder", &["order", "factor", "text"]);
pub(super) static TICK: Event<()> = Event::new("Tick", &[]);
pub(in super::super) static ITEM: Event<(Any,)> = Event::new("Item", &["item"]);
pub(super) static FROM_ALL: Event<(String,)> = Event::new("FromAll", &["text"]);
pub(super) static FROM_OTHERS: Event<(String,)> = Event::new("FromOthers", &["text"]);
pub(super) static FROM_USER: Event<(String,)> = Event::new("FromUser", &["text"]);
pub(super) static FROM_GROUP: Event<(String,)> = Event::new("FromGroup", &["text"]);
pub(in super::super) static ASK: Question<(String,), Option<String>> = Question::new("Ask", &["question"]);
pub(in super::super) static ASK_INT: Question<(), i32> = Question::new("AskInt", &[]);

impl Recorded {
    pub(super) async fn note(
        self: Arc<Self>,
        context: Context,
        text: Option<String>,
    ) -> Result<(), HubError> {
        context.caller().send(&NOTED, (text,)).await?;
        Ok(())
    }

    pub(super) async fn call_back(self: Arc<Self>, context: Context, value: Any) -> Result<(), HubError> {
        context.caller().send(&CALLED_BACK, (value,)).await?;
        Ok(())
    }

    pub(super) async fn call_order(self: Arc<Self>, context: Context) -> Result<(), HubError> {
        context.caller().send(&GOT_ORDER, (Order::first(), 2.0, None)).await?;
        Ok(())
    }

    pub(super) async fn call_no_arguments(self: Arc<Self>, context: Context) -> Result<(), HubError> {
        context.caller().send(&TICK, ()).await?;
        Ok(())
    }

    pub(super) async fn call_many(self: Arc<Self>, context: Context, n: i64) -> Result<(), HubError> {
        for number in 0..n {
            context.caller().send(&ITEM, (Any::Signed(number),)).await?;
        }
        Ok(())
    }

    pub(super) async fn call_all(self: Arc<Self>, context: Context, text: String) -> Result<(), HubError> {
        context.clients().all().send(&FROM_ALL, (text,)).await?;
        Ok(())
    }

    pub(super) async fn call_others(self: Arc<Self>, context: Context, text: String) -> Result<(), HubError> {
        let own = [context.connection_id().clone()];
        context.clients().all_except(&own).send(&FROM_OTHERS, (text,)).await?;
        Ok(())
    }

    pub(super) async fn call_user(
        self: Arc<Self>,
        context: Context,
        user: String,
        text: String,
    ) -> Result<(), HubError> {
        context.clients().user(&user).send(&FROM_USER, (text,)).await?;
        Ok(())
    }

    pub(super) async fn join(self: Arc<Self>, context: Context, group: String) -> Result<(), HubError> {
        context.clients().join(context.connection_id(), &group).await?;
        Ok(())
    }

    pub(super) async fn leave(self: Arc<Self>, context: Context, group: String) -> Result<(), HubError> {
        context.clients().leave(context.connection_id(), &group).await?;
        Ok(())
    }

    pub(super) async fn call_group(
        self: Arc<Self>,
        context: Context,
        group: String,
        text: String,
    ) -> Result<(), HubError> {
        context.clients().group(&group).send(&FROM_GROUP, (text,)).await?;
        Ok(())
    }

    pub(super) async fn call_others_in_group(
        self: Arc<Self>,
        context: Context,
        group: String,
        text: String,
    ) -> Result<(), HubError> {
        let own = [context.connection_id().clone()];
        context.clients().group_except(&group, &own).send(&FROM_GROUP, (text,)).await?;
        Ok(())
    }

    /// The client's answer, or why there is none.
    pub(super) async fn ask_caller(
        self: Arc<Self>,
        context: Context,
        question: String,
    ) -> Result<Option<String>, HubError> {
        match context.ask(&ASK, (question,)).await {
            Ok(answer) => Ok(answer),
            Err(error) => Ok(Some(format!("HubException: {error}"))),
        }
    }
}
