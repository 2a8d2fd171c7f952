//! Methods that answer once.

use std::sync::Arc;
use std::time::Duration;

use signalr::{Context, HubError};

use super::super::values::{Bytes, DateTime, DateTimeOffset, Decimal, Guid, Order, TimeSpan};
use super::Recorded;

/// An error of the application, which clients learn of with detailed errors only.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in super::super) struct InvalidOperationException(pub(in super::super) String);

impl Recorded {
    pub(super) async fn echo<T>(self: Arc<Self>, _: Context, value: T) -> Result<T, HubError> {
        Ok(value)
    }

    pub(super) async fn give_long(self: Arc<Self>, _: Context) -> Result<i64, HubError> {
        Ok(1_732_492_800_123_456_789)
    }

    pub(super) async fn give_integers(self: Arc<Self>, _: Context) -> Result<Vec<i64>, HubError> {
        const EDGES: [i64; 20] = [
            0,
            127,
            128,
            255,
            256,
            65_535,
            65_536,
            4_294_967_295,
            4_294_967_296,
            i64::MAX,
            -1,
            -32,
            -33,
            -128,
            -129,
            -32_768,
            -32_769,
            -2_147_483_648,
            -2_147_483_649,
            i64::MIN,
        ];
        Ok(EDGES.to_vec())
    }

    pub(super) async fn give_doubles(self: Arc<Self>, _: Context) -> Result<Vec<f64>, HubError> {
        Ok(vec![0.0, -0.0, 1.0, 1.5, 0.1, 1e21, 1e-7, 123_456_789.125, f64::MAX, 5e-324])
    }

    pub(super) async fn give_nan(self: Arc<Self>, _: Context) -> Result<f64, HubError> {
        Ok(f64::NAN)
    }

    pub(super) async fn give_decimal(self: Arc<Self>, _: Context) -> Result<Decimal, HubError> {
        Ok(Decimal("12345.67890".to_owned()))
    }

    pub(super) async fn give_utc(self: Arc<Self>, _: Context) -> Result<DateTime, HubError> {
        Ok(DateTime::utc("2026-11-29T10:30:15"))
    }

    pub(super) async fn give_utc_ticks(self: Arc<Self>, _: Context) -> Result<DateTime, HubError> {
        Ok(DateTime::utc("2026-11-29T10:30:15.1234567"))
    }

    pub(super) async fn give_unspecified(self: Arc<Self>, _: Context) -> Result<DateTime, HubError> {
        Ok(DateTime::unspecified("2026-11-29T10:30:15.1234567"))
    }

    pub(super) async fn give_offset(self: Arc<Self>, _: Context) -> Result<DateTimeOffset, HubError> {
        Ok(DateTimeOffset::new("2026-11-29T12:30:15.25", 120))
    }

    pub(super) async fn give_old(self: Arc<Self>, _: Context) -> Result<DateTime, HubError> {
        Ok(DateTime::utc("1960-01-02T03:04:05"))
    }

    pub(super) async fn give_span(self: Arc<Self>, _: Context) -> Result<TimeSpan, HubError> {
        Ok(TimeSpan(937_840_050_000))
    }

    pub(super) async fn give_guid(self: Arc<Self>, _: Context) -> Result<Guid, HubError> {
        Ok(Guid("01234567-89ab-cdef-0123-456789abcdef".to_owned()))
    }

    pub(super) async fn give_bytes(self: Arc<Self>, _: Context) -> Result<Bytes, HubError> {
        Ok(Bytes(vec![0, 1, 2, 0xfd, 0xfe, 0xff]))
    }

    pub(super) async fn give_text(self: Arc<Self>, _: Context) -> Result<String, HubError> {
        const TEXT: &str = "quote \" backslash \\ slash / tab \t newline \n less < amp & plus + \u{e9} \u{fc} \u{6f22} \
                            \u{1f600} \u{1e} end";
        Ok(TEXT.to_owned())
    }

    pub(super) async fn give_order(self: Arc<Self>, _: Context) -> Result<Order, HubError> {
        Ok(Order::first())
    }

    pub(super) async fn give_big(self: Arc<Self>, _: Context, length: u32) -> Result<String, HubError> {
        Ok("x".repeat(length as usize))
    }

    pub(super) async fn nothing(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        Ok(())
    }

    /// A result that is there at once, and one that is not, look the same to a client.
    pub(super) async fn nothing_later(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        tokio::task::yield_now().await;
        Ok(())
    }

    pub(super) async fn text_later(self: Arc<Self>, _: Context, text: String) -> Result<String, HubError> {
        tokio::task::yield_now().await;
        Ok(text)
    }

    pub(super) async fn add(self: Arc<Self>, _: Context, a: i32, b: i32) -> Result<i32, HubError> {
        Ok(a.wrapping_add(b))
    }

    pub(super) async fn renamed(self: Arc<Self>, _: Context) -> Result<String, HubError> {
        Ok("renamed method".to_owned())
    }

    pub(super) async fn slow(self: Arc<Self>, _: Context, milliseconds: u32) -> Result<u32, HubError> {
        tokio::time::sleep(Duration::from_millis(milliseconds.into()) / self.is_faster).await;
        Ok(milliseconds)
    }

    pub(super) async fn throw(self: Arc<Self>, _: Context, text: String) -> Result<(), HubError> {
        Err(InvalidOperationException(text).into())
    }

    pub(super) async fn throw_hub(self: Arc<Self>, _: Context, text: String) -> Result<(), HubError> {
        Err(HubError::deliberate(text))
    }

    pub(super) async fn who_am_i(self: Arc<Self>, context: Context) -> Result<Vec<Option<String>>, HubError> {
        let user = context.user();
        Ok(vec![user.map(|user| user.id.clone()), user.map(|user| user.name.clone())])
    }

    pub(super) async fn my_id(self: Arc<Self>, context: Context) -> Result<String, HubError> {
        Ok(context.connection_id().to_string())
    }

    pub(super) async fn abort(self: Arc<Self>, context: Context) -> Result<(), HubError> {
        context.abort();
        Ok(())
    }

    pub(super) async fn admin_only(self: Arc<Self>, _: Context) -> Result<String, HubError> {
        Ok("admin".to_owned())
    }
}
