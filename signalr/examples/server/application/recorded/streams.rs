//! Streams of the server, and streams of the client.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use signalr::{Context, HubError, Upload};

use super::super::values::Order;
use super::Recorded;
use super::calls::InvalidOperationException;
use super::clients::UPLOADED;

pub(in super::super) type Items<T> = stream::BoxStream<'static, Result<T, HubError>>;

impl Recorded {
    pub(super) async fn count(self: Arc<Self>, _: Context, n: i32) -> Result<Items<i32>, HubError> {
        Ok(counted(n).boxed())
    }

    /// Each item only when another task has run.
    pub(super) async fn count_later(self: Arc<Self>, _: Context, n: i32) -> Result<Items<i32>, HubError> {
        let later = counted(n).then(|item| async {
            tokio::task::yield_now().await;
            item
        });
        Ok(later.boxed())
    }

    pub(super) async fn mixed(self: Arc<Self>, _: Context) -> Result<Items<Option<String>>, HubError> {
        Ok(stream::iter([Some("a"), None, Some("line\nbreak")].map(|item| Ok(item.map(str::to_owned))))
            .boxed())
    }

    pub(super) async fn orders(self: Arc<Self>, _: Context) -> Result<Items<Order>, HubError> {
        Ok(stream::iter([Ok(Order::first())]).boxed())
    }

    pub(super) async fn empty(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        Ok(stream::empty().boxed())
    }

    pub(super) async fn count_then_throw(
        self: Arc<Self>,
        _: Context,
        n: i32,
    ) -> Result<Items<i32>, HubError> {
        let error = InvalidOperationException("thrown in the stream".to_owned());
        Ok(counted(n).chain(stream::iter([Err(error.into())])).boxed())
    }

    pub(super) async fn count_then_throw_hub(
        self: Arc<Self>,
        _: Context,
        n: i32,
    ) -> Result<Items<i32>, HubError> {
        let error = HubError::deliberate("deliberate in the stream");
        Ok(counted(n).chain(stream::iter([Err(error)])).boxed())
    }

    pub(super) async fn throw_before_stream(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        Err(InvalidOperationException("before the stream".to_owned()).into())
    }

    pub(super) async fn throw_hub_before_stream(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        Err(HubError::deliberate("deliberate before the stream"))
    }

    /// 0, 1, …, until the client cancels it or has gone.
    pub(super) async fn endless(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        let ticks = tokio::time::interval(Duration::from_millis(100) / self.is_faster);
        let items = stream::unfold((ticks, 0), |(mut ticks, number)| async move {
            ticks.tick().await;
            Some((Ok(number), (ticks, number + 1)))
        });
        Ok(items.boxed())
    }

    pub(super) async fn admin_stream(self: Arc<Self>, _: Context) -> Result<Items<i32>, HubError> {
        Ok(stream::iter([Ok(1)]).boxed())
    }

    pub(super) async fn sum(self: Arc<Self>, _: Context, mut numbers: Upload<i32>) -> Result<i32, HubError> {
        let mut sum = 0_i32;
        while let Some(number) = numbers.next().await {
            sum = sum.wrapping_add(number?);
        }
        Ok(sum)
    }

    pub(super) async fn concat(
        self: Arc<Self>,
        _: Context,
        mut texts: Upload<Option<String>>,
        prefix: String,
    ) -> Result<String, HubError> {
        let mut all = prefix;
        while let Some(text) = texts.next().await {
            all.push_str(&text?.unwrap_or_default());
        }
        Ok(all)
    }

    pub(super) async fn zip(
        self: Arc<Self>,
        _: Context,
        label: String,
        mut numbers: Upload<i32>,
        factor: i32,
        mut texts: Upload<String>,
    ) -> Result<String, HubError> {
        let mut parts = vec![label];
        while let Some(number) = numbers.next().await {
            parts.push(number?.wrapping_mul(factor).to_string());
        }
        while let Some(text) = texts.next().await {
            parts.push(text?);
        }
        Ok(parts.join(" "))
    }

    pub(super) async fn double(
        self: Arc<Self>,
        _: Context,
        numbers: Upload<i32>,
    ) -> Result<Items<i32>, HubError> {
        Ok(numbers.map(|number| Ok(number?.wrapping_mul(2))).boxed())
    }

    /// How the stream ended.
    pub(super) async fn upload_error(
        self: Arc<Self>,
        _: Context,
        mut numbers: Upload<i32>,
    ) -> Result<String, HubError> {
        let mut count = 0;
        loop {
            match numbers.next().await {
                Some(Ok(_)) => count += 1,
                Some(Err(error)) => return Ok(format!("{count} items, HubException: {error}")),
                None => return Ok(format!("{count} items, no error")),
            }
        }
    }

    pub(super) async fn take_one(
        self: Arc<Self>,
        _: Context,
        mut numbers: Upload<i32>,
    ) -> Result<i32, HubError> {
        match numbers.next().await {
            Some(number) => Ok(number?),
            None => Err(HubError::deliberate("the stream has no item")),
        }
    }

    pub(super) async fn upload(
        self: Arc<Self>,
        context: Context,
        label: String,
        mut numbers: Upload<i32>,
    ) -> Result<(), HubError> {
        let mut sum = 0_i32;
        while let Some(number) = numbers.next().await {
            sum = sum.wrapping_add(number?);
        }
        context.clients().connection(context.connection_id()).send(&UPLOADED, (label, sum)).await?;
        Ok(())
    }
}

fn counted(n: i32) -> impl Stream<Item = Result<i32, HubError>> {
    stream::iter((0..n).map(Ok))
}
