//! The hub that the tests call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::request::Parts;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::Semaphore;

use crate::{Context, Event, Hub, HubError, Methods, Question, Upload, User};

pub(super) static SAID: Event<(String,)> = Event::new("Said", &["text"]);
pub(super) static TICK: Event<()> = Event::new("Tick", &[]);
pub(super) static ASK: Question<(String,), String> = Question::new("Ask", &["question"]);

/// What a client's arrival meets, by the query's `mode`.
#[derive(Clone, Default)]
pub(super) struct TestHub(pub(super) Arc<Shared>);

#[derive(Default)]
pub(super) struct Shared {
    /// Calls of `Wait` end one by one as it gets permits.
    pub(super) gate: Gate,
    /// Methods and streams that are under way.
    pub(super) alive: Arc<AtomicUsize>,
    /// What the hub saw, in order.
    pub(super) seen: Mutex<Vec<String>>,
}

pub(super) struct Gate(pub(super) Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Shared {
    pub(super) fn see(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(what.into());
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn open_gate(&self, calls: usize) {
        self.gate.0.add_permits(calls);
    }

    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// Waits for a condition.
    pub(super) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = || self.seen();
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("{:?}", seen()));
    }
}

/// Counts what is under way.
pub(super) struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn of(hub: &TestHub) -> Self {
        hub.0.alive.fetch_add(1, Ordering::SeqCst);
        Self(hub.0.alive.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("secret {0}")]
pub(super) struct Secret(pub(super) &'static str);

impl Hub for TestHub {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Echo", ["text"], Self::echo);
        methods.call("Add", ["a", "b"], Self::add);
        methods.call("AddOptional", ["a", "b", "c"], Self::add_optional);
        methods.call("Nothing", [], Self::nothing);
        methods.call("Eight", ["a", "b", "c", "d", "e", "f", "g", "h"], Self::eight);
        methods.call("Fail", [], Self::fail);
        methods.call("FailDeliberately", [], Self::fail_deliberately);
        methods.call("Deny", [], Self::deny);
        methods.call("Panic", [], Self::panic);
        methods.call("NaN", [], Self::nan);
        methods.call("Wait", ["name"], Self::wait);
        methods.call("WaitWith", ["numbers"], Self::wait_with);
        methods.call("Admin", [], Self::nothing).roles(["admin", "owner"]);
        methods.call("Named", [], Self::nothing).allow(|context| context.query("name").is_some());
        methods.call("Abort", [], Self::abort);
        methods.call("Remember", ["text"], Self::remember);
        methods.call("Recall", [], Self::recall);
        methods.call("Request", [], Self::request);
        methods.call("Say", ["text"], Self::say);
        methods.call("Ask", ["question"], Self::ask);
        methods.stream("Count", ["n"], Self::count);
        methods.stream("CountLater", ["n"], Self::count_later);
        methods.stream("Endless", [], Self::endless);
        methods.stream("Flood", ["text"], Self::flood);
        methods.stream("CountThenFail", [], Self::count_then_fail);
        methods.stream("CountThenTell", [], Self::count_then_tell);
        methods.stream("CountThenPanic", [], Self::count_then_panic);
        methods.stream("FailBefore", [], Self::fail_before);
        methods.stream("AdminStream", [], Self::admin_stream).roles(["admin"]);
        methods.call("Sum", ["numbers"], Self::sum);
        methods.call("Zip", ["label", "numbers", "factor", "texts"], Self::zip);
        methods.call("TakeOne", ["numbers"], Self::take_one);
        methods.call("Keep", ["numbers"], Self::keep);
        methods.stream("Double", ["numbers"], Self::double);
        methods.event(&SAID);
        methods.event(&TICK);
        methods.question(&ASK);
    }

    fn authorise(&self, user: Option<&User>, request: &Parts) -> bool {
        request.uri.query().is_none_or(|query| !query.contains("members")) || user.is_some()
    }

    async fn on_connected(self: Arc<Self>, context: Context) -> Result<(), HubError> {
        self.0.see("connected");
        match context.query("mode").as_deref() {
            Some("throw") => return Err(Secret("on connecting").into()),
            Some("tell") => return Err(HubError::deliberate("refused deliberately")),
            Some("panic") => panic!("on connecting"),
            Some("abort") => context.abort(),
            Some("greet") => context.caller().send(&SAID, ("hello".to_owned(),)).await?,
            Some("ask") => {
                let answer = context.ask(&ASK, ("who?".to_owned(),)).await?;
                self.0.see(format!("answered {answer}"));
            }
            Some("wait") => {
                let _alive = Alive::of(&self);
                self.0.gate.0.acquire().await?.forget();
            }
            _ => {}
        }
        Ok(())
    }

    async fn on_disconnected(self: Arc<Self>, context: Context, error: Option<String>) {
        assert!(context.is_ended());
        self.0.see(format!("disconnected {error:?}"));
    }
}

impl TestHub {
    async fn echo(self: Arc<Self>, _: Context, text: String) -> String {
        text
    }

    async fn add(self: Arc<Self>, _: Context, a: i64, b: i64) -> Result<i64, HubError> {
        Ok(a + b)
    }

    async fn add_optional(self: Arc<Self>, _: Context, a: i64, b: Option<i64>, c: Option<i64>) -> i64 {
        a + b.unwrap_or(10) + c.unwrap_or(100)
    }

    async fn nothing(self: Arc<Self>, _: Context) {}

    #[allow(clippy::too_many_arguments, reason = "that is what is tested")]
    async fn eight(
        self: Arc<Self>,
        _: Context,
        a: i8,
        b: u8,
        c: i16,
        d: u16,
        e: i32,
        f: u32,
        g: bool,
        h: String,
    ) -> (i64, bool, String) {
        (i64::from(a) + i64::from(b) + i64::from(c) + i64::from(d) + i64::from(e) + i64::from(f), g, h)
    }

    async fn fail(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        Err(Secret("reason").into())
    }

    async fn fail_deliberately(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        Err(HubError::deliberate("the reason"))
    }

    async fn deny(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        Err(HubError::unauthorized())
    }

    async fn panic(self: Arc<Self>, _: Context) {
        panic!("in a method");
    }

    async fn nan(self: Arc<Self>, _: Context) -> std::collections::BTreeMap<String, Unencodable> {
        [("a".to_owned(), Unencodable)].into()
    }

    async fn wait(self: Arc<Self>, _: Context, name: String) -> Result<String, HubError> {
        let _alive = Alive::of(&self);
        self.0.see(format!("begun {name}"));
        self.0.gate.0.acquire().await?.forget();
        self.0.see(format!("ended {name}"));
        Ok(name)
    }

    async fn wait_with(self: Arc<Self>, _: Context, numbers: Upload<i64>) -> Result<i64, HubError> {
        let _alive = Alive::of(&self);
        self.0.gate.0.acquire().await?.forget();
        sum(numbers).await
    }

    async fn abort(self: Arc<Self>, context: Context) {
        context.abort();
    }

    async fn remember(self: Arc<Self>, context: Context, text: String) -> bool {
        context.set_item(text).is_some()
    }

    async fn recall(self: Arc<Self>, context: Context) -> Option<String> {
        context.item::<String>().map(|text| text.to_string())
    }

    async fn request(self: Arc<Self>, context: Context) -> Vec<Option<String>> {
        vec![
            Some(context.connection_id().to_string()),
            context.user().map(|user| user.id.clone()),
            context.query("name"),
            context.header("x-client").map(str::to_owned),
            context.cookie("second").map(str::to_owned),
        ]
    }

    async fn say(self: Arc<Self>, context: Context, text: String) -> Result<(), HubError> {
        Ok(context.clients().all().send(&SAID, (text,)).await?)
    }

    async fn ask(self: Arc<Self>, context: Context, question: String) -> Result<String, HubError> {
        let _alive = Alive::of(&self);
        Ok(context.ask(&ASK, (question,)).await?)
    }

    fn count(self: Arc<Self>, _: Context, n: u32) -> impl Stream<Item = u32> {
        stream::iter(0..n)
    }

    async fn count_later(
        self: Arc<Self>,
        _: Context,
        n: u32,
    ) -> Result<impl Stream<Item = Result<u32, HubError>>, HubError> {
        tokio::task::yield_now().await;
        Ok(stream::iter(0..n).map(Ok))
    }

    fn endless(self: Arc<Self>, _: Context) -> impl Stream<Item = u32> {
        let alive = Alive::of(&self);
        stream::iter([0]).chain(stream::pending()).inspect(move |_| {
            let _ = &alive;
        })
    }

    fn flood(self: Arc<Self>, _: Context, text: String) -> impl Stream<Item = String> {
        let alive = Alive::of(&self);
        stream::repeat(text).inspect(move |_| {
            let _ = &alive;
        })
    }

    fn count_then_fail(self: Arc<Self>, _: Context) -> impl Stream<Item = Result<u32, HubError>> {
        stream::iter([Ok(0), Err(Secret("in the stream").into())])
    }

    fn count_then_tell(self: Arc<Self>, _: Context) -> impl Stream<Item = Result<u32, HubError>> {
        stream::iter([Ok(0), Err(HubError::deliberate("in the stream"))])
    }

    fn count_then_panic(self: Arc<Self>, _: Context) -> impl Stream<Item = u32> {
        stream::iter(0..).inspect(|item| assert_eq!(*item, 0, "in the stream"))
    }

    fn fail_before(self: Arc<Self>, _: Context) -> Result<stream::Empty<u32>, HubError> {
        Err(HubError::deliberate("before the stream"))
    }

    fn admin_stream(self: Arc<Self>, _: Context) -> impl Stream<Item = u32> {
        stream::iter([1])
    }

    async fn sum(self: Arc<Self>, _: Context, numbers: Upload<i64>) -> Result<i64, HubError> {
        let _alive = Alive::of(&self);
        sum(numbers).await
    }

    async fn zip(
        self: Arc<Self>,
        _: Context,
        label: String,
        numbers: Upload<i64>,
        factor: i64,
        texts: Upload<String>,
    ) -> Result<String, HubError> {
        let mut words = vec![label];
        let mut numbers = numbers;
        while let Some(number) = numbers.next().await {
            words.push((number? * factor).to_string());
        }
        let mut texts = texts;
        while let Some(text) = texts.next().await {
            words.push(text?);
        }
        Ok(words.join(" "))
    }

    async fn take_one(
        self: Arc<Self>,
        _: Context,
        mut numbers: Upload<i64>,
    ) -> Result<Option<i64>, HubError> {
        Ok(numbers.next().await.transpose()?)
    }

    /// Reads on after the call.
    async fn keep(self: Arc<Self>, _: Context, mut numbers: Upload<i64>) {
        tokio::spawn(async move {
            while let Some(number) = numbers.next().await {
                self.0.see(format!("{number:?}"));
            }
            self.0.see("no more");
        });
    }

    fn double(
        self: Arc<Self>,
        _: Context,
        numbers: Upload<i64>,
    ) -> impl Stream<Item = Result<i64, HubError>> {
        numbers.map(|number| Ok(number? * 2))
    }
}

async fn sum(mut numbers: Upload<i64>) -> Result<i64, HubError> {
    let mut sum = 0;
    while let Some(number) = numbers.next().await {
        sum += number?;
    }
    Ok(sum)
}

/// A value that no protocol can carry.
#[derive(ts_rs::TS)]
pub(super) struct Unencodable;

impl serde::Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not to be encoded"))
    }
}
