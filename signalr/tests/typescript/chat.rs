//! A hub with everything that a hub can have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::request::Parts;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use signalr::{Context, Event, Hub, HubError, Methods, Question, Refused, Upload, User};
use ts_rs::TS;

static SAID: Event<(String, Message)> = Event::new("Said", &["room", "message"]);
static JOINED: Event<(String, Option<u32>)> = Event::new("user joined", &["user_name", "age"]);
static CONFIRM: Question<(String,), bool> = Question::new("Confirm", &["question"]);
static NOTIFY: Question<(Shape,), ()> = Question::new("Notify", &["shape"]);

/// Rooms in which people talk.
#[derive(Debug, Default)]
pub(crate) struct ChatHub {
    messages: AtomicUsize,
}

/// One thing that was said.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Unique, and growing.
    message_id: u64,
    text: String,
    mood: Mood,
    /// What it answers,
    /// if it is an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    answers: Option<u64>,
    attachments: Vec<Attachment>,
    /// Counts by their emoji.
    reactions: BTreeMap<String, u32>,
}

/// How it was meant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Happy,
    Neutral,
    Angry,
}

#[derive(Clone, Debug, Serialize, Deserialize, TS)]
struct Attachment {
    name: String,
    size: (u32, u32),
    #[serde(flatten)]
    place: Place,
}

/// Where a file is.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
struct Place {
    url: String,
}

/// A part of a longer list.
#[derive(Clone, Debug, Serialize, TS)]
struct Page<T> {
    items: Vec<T>,
    /// Of the next page, if there is one.
    next: Option<u32>,
}

/// Something to be drawn.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Shape {
    Circle { radius: f64 },
    Line { from: (f64, f64), to: (f64, f64) },
    Nothing,
}

impl Hub for ChatHub {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Say", ["room", "text"], Self::say).docs("Says it to all in the room.");
        methods.call("History", ["room", "limit"], Self::history).docs(
            "What was said in a room, the last first. Without a limit it is as much as the server likes to give, which is never more than a hundred messages.",
        );
        methods.call("Check", ["question"], Self::check).docs("Asks the caller back.");
        methods.call("ID", [], Self::id);
        methods.call("send", ["new", "_uploads"], Self::send);
        methods
            .stream("Ticks", ["count", "period_ms"], Self::ticks)
            .docs("Counts, with a pause before each number.");
        methods.call("Sum", ["numbers"], Self::sum).docs("Adds up what is uploaded.");
        methods.stream("Shout", ["prefix", "texts", "texts"], Self::shout);
        methods.call("Fail", ["text"], Self::fail);
        methods.event(&SAID).docs("Somebody said something.");
        methods.event(&JOINED);
        methods.question(&CONFIRM).docs("Whether the user agrees.");
        methods.question(&NOTIFY);
    }
}

impl ChatHub {
    async fn say(self: Arc<Self>, context: Context, room: String, text: String) -> Result<(), HubError> {
        let message_id = self.messages.fetch_add(1, Ordering::Relaxed) as u64;
        context.caller().send(&SAID, (room, message(message_id, text))).await?;
        Ok(context.caller().send(&JOINED, ("Zoë".to_owned(), None)).await?)
    }

    async fn history(self: Arc<Self>, _: Context, room: String, limit: Option<u32>) -> Page<Message> {
        let count = limit.unwrap_or(3);
        Page { items: (0..count.into()).map(|id| message(id, room.clone())).collect(), next: limit }
    }

    async fn check(self: Arc<Self>, context: Context, question: String) -> Result<bool, HubError> {
        context.ask(&NOTIFY, (Shape::Circle { radius: 1.5 },)).await?;
        Ok(context.ask(&CONFIRM, (question,)).await?)
    }

    async fn id(self: Arc<Self>, context: Context) -> String {
        context.connection_id().to_string()
    }

    async fn send(
        self: Arc<Self>,
        _: Context,
        new: Shape,
        uploads: serde_json::Value,
    ) -> (Shape, serde_json::Value) {
        (new, uploads)
    }

    fn ticks(self: Arc<Self>, _: Context, count: u32, period_ms: u64) -> impl Stream<Item = u32> + Send {
        futures_util::stream::iter(0..count).then(move |number| async move {
            tokio::time::sleep(Duration::from_millis(period_ms)).await;
            number
        })
    }

    async fn sum(self: Arc<Self>, _: Context, mut numbers: Upload<i64>) -> Result<i64, HubError> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
            if sum > 1_000_000 {
                return Err(HubError::deliberate("enough"));
            }
        }
        Ok(sum)
    }

    fn shout(
        self: Arc<Self>,
        _: Context,
        prefix: String,
        texts: Upload<String>,
        others: Upload<String>,
    ) -> impl Stream<Item = String> + Send {
        texts.chain(others).map(move |text| format!("{prefix}{}", text.unwrap_or_default().to_uppercase()))
    }

    async fn fail(self: Arc<Self>, _: Context, text: String) -> Result<(), HubError> {
        Err(HubError::deliberate(text))
    }
}

/// Nobody is refused.
pub(crate) fn everyone(_: Option<&str>, _: &Parts) -> Result<Option<User>, Refused> {
    Ok(None)
}

fn message(message_id: u64, text: String) -> Message {
    let place = Place { url: "https://files.example/a.png".to_owned() };
    let attachment = Attachment { name: "a.png".to_owned(), size: (640, 480), place };
    let reactions = BTreeMap::from([("👍".to_owned(), 2)]);
    Message { message_id, text, mood: Mood::Neutral, answers: None, attachments: vec![attachment], reactions }
}
