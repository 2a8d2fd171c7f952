//! Lists that come in pages.

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;

use super::call::Call;
use super::{Client, ClientError};
use crate::api::Page;

/// The items of a list, fetched page by page as they are asked for. The first error ends it.
pub type Items<T> = BoxStream<'static, Result<T, ClientError>>;

/// How many items a page has: the fewer requests the better.
pub(super) const PAGE: u32 = 500;
/// And one of items that may be large.
pub(super) const PAGE_OF_LARGE: u32 = 50;

impl Client {
    /// All items of a list.
    pub(super) fn items<T>(&self, call: Result<Call, ClientError>) -> Items<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.items_by(PAGE, call)
    }

    /// All items of a list, so many at a time.
    pub(super) fn items_by<T>(&self, page_items: u32, call: Result<Call, ClientError>) -> Items<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let client = self.clone();
        let pages = async move {
            let call = call?.query("limit", Some(page_items));
            Ok(stream::try_unfold(Some(None), move |cursor: Option<Option<String>>| {
                let client = client.clone();
                let call = call.clone();
                async move {
                    let Some(cursor) = cursor else { return Ok(None) };
                    let page: Page<T> = client.page(&call, cursor.as_deref()).await?;
                    let next = page.next.filter(|next| !next.is_empty());
                    if next.is_some() && next == cursor {
                        let reason = "its next page is the same again".to_owned();
                        return Err(ClientError::Unreadable { path: call.path(), reason });
                    }
                    let items = stream::iter(page.items.into_iter().map(Ok));
                    Ok(Some((items, next.map(Some))))
                }
            })
            .try_flatten())
        };
        stream::once(pages).try_flatten().boxed()
    }

    /// One page of a list, from `cursor` on.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        call: &Call,
        cursor: Option<&str>,
    ) -> Result<Page<T>, ClientError> {
        self.read(call.clone().query("cursor", cursor)).await
    }
}
