//! The contract with a value of every kind that .NET has, read as it reads them, but for what it reads silently wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use tick_sdk::command;
use tick_sdk::contracts::envelope::UtcTime;
use uuid::Uuid;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AllValues {
    pub(crate) text: Option<String>,
    pub(crate) missing: Option<String>,
    pub(crate) yes: bool,
    pub(crate) maybe: Option<bool>,
    pub(crate) octet: u8,
    pub(crate) short: i16,
    pub(crate) int: i32,
    pub(crate) long: i64,
    pub(crate) u_long: u64,
    pub(crate) float: f32,
    pub(crate) double: f64,
    pub(crate) decimal: Decimal,
    pub(crate) decimal_or_not: Option<Decimal>,
    pub(crate) guid: Guid,
    pub(crate) guid_or_not: Option<Guid>,
    pub(crate) utc: Time,
    pub(crate) unspecified: Time,
    pub(crate) local: Time,
    pub(crate) offset: Time,
    pub(crate) date: Date,
    pub(crate) time: TimeOfDay,
    pub(crate) span: Span,
    pub(crate) side: Side,
    pub(crate) side_or_not: Option<Side>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) uri: Option<String>,
    pub(crate) letter: Letter,
    pub(crate) inner: Option<Inner>,
    pub(crate) inners: Option<Vec<Option<Inner>>>,
    pub(crate) words: Option<Vec<Option<String>>>,
    pub(crate) map: Option<BTreeMap<String, Decimal>>,
    pub(crate) anything: Option<serde_json::Map<String, Json>>,
    pub(crate) version: Option<String>,
    pub(crate) whatever: Option<Json>,
}
command!(AllValues, version 1, endpoint "probe");

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Inner {
    pub(crate) text: Option<String>,
    pub(crate) number: Option<i32>,
}

/// Decimal text with every digit that came; written as text, read from text and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Decimal(String);

impl Default for Decimal {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Json::deserialize(deserializer)? {
            Json::String(text) => text,
            Json::Number(number) => number.to_string(),
            Json::Null => return Ok(Self::default()),
            other => return Err(D::Error::custom(format!("{other} is no decimal"))),
        };
        plain_decimal(&text).map(Self).ok_or_else(|| D::Error::custom(format!("'{text}' is no decimal")))
    }
}

/// `1e3` as `1000`. Nothing but digits, one sign, one point and one exponent, and not beyond what .NET's decimal holds.
fn plain_decimal(text: &str) -> Option<String> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok().filter(|exponent| (-40..40).contains(exponent))?;
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || !(whole.to_owned() + fraction).bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut digits = whole.to_owned() + fraction;
    let mut scale = i32::try_from(fraction.len()).ok()? - exponent;
    while scale < 0 {
        digits.push('0');
        scale += 1;
    }
    let scale = usize::try_from(scale).ok()?;
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    const GREATEST: u128 = (1 << 96) - 1;
    whole.parse::<u128>().ok().filter(|whole| *whole <= GREATEST)?;
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// A text that must be of a form, kept as it came.
macro_rules! text_of_form {
    ($Name:ident, $default:literal, $is_form:expr) => {
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub(crate) struct $Name(pub(crate) String);

        impl Default for $Name {
            fn default() -> Self {
                Self($default.to_owned())
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let is_form: fn(&str) -> bool = $is_form;
                if is_form(&text) {
                    return Ok(Self(text));
                }
                Err(D::Error::custom(format!("'{text}' is no {}", stringify!($Name))))
            }
        }
    };
}

text_of_form!(Guid, "00000000-0000-0000-0000-000000000000", |text| {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
});
text_of_form!(Time, "0001-01-01T00:00:00", |text| text.parse::<UtcTime>().is_ok());
text_of_form!(Date, "0001-01-01", |text| text.len() == 10 && text.parse::<UtcTime>().is_ok());
text_of_form!(TimeOfDay, "00:00:00", |text| format!("2026-01-31T{text}").parse::<UtcTime>().is_ok());
text_of_form!(Span, "00:00:00", |text| {
    let text = text.strip_prefix('-').unwrap_or(text);
    let time = text.split_once('.').filter(|(days, _)| days.bytes().all(|byte| byte.is_ascii_digit()));
    let time = time.map_or(text, |(_, time)| time);
    format!("2026-01-31T{time}").parse::<UtcTime>().is_ok()
});
text_of_form!(Bytes, "", |text| BASE64_STANDARD.decode(text).is_ok());
text_of_form!(Letter, "\0", |text| text.encode_utf16().count() == 1);

/// An enum: a number that has a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Side(u8);

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            side @ 0..=2 => Ok(Self(side)),
            other => Err(D::Error::custom(format!("{other} is no side"))),
        }
    }
}

impl AllValues {
    /// The properties that differ from an unset message, as the recorded handler showed them.
    pub(crate) fn seen(&self) -> BTreeMap<String, String> {
        let unset = serde_json::to_value(Self::default()).unwrap();
        let ours = serde_json::to_value(self).unwrap();
        let set = ours.as_object().unwrap().iter().filter(|(name, value)| unset[name.as_str()] != **value);
        set.map(|(name, value)| (pascal_case(name), self.shown(name, value))).collect()
    }

    fn shown(&self, name: &str, value: &Json) -> String {
        let text = value.as_str().unwrap_or_default();
        match name {
            "float" => self.float.to_string(),
            "side" => ["Unknown", "Buy", "Sell"][usize::from(self.side.0)].to_owned(),
            "guid" | "guidOrNot" => text.to_lowercase(),
            "utc" | "unspecified" | "local" | "offset" => moment(text),
            "date" => format!("{}/{}/{}", &text[5..7], &text[8..10], &text[..4]),
            "time" => text[..5].to_owned(),
            "span" => span(text),
            "bytes" => BASE64_STANDARD.decode(text).unwrap().iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02X}").unwrap();
                hex
            }),
            "inner" | "inners" => {
                value.to_string().replace("\"text\":", "\"Text\":").replace("\"number\":", "\"Number\":")
            }
            // A decimal is a number again in the handler's own text of it.
            "map" => value.to_string().replace("\":\"", "\":").replace("\",", ",").replace("\"}", "}"),
            _ if value.is_string() => text.to_owned(),
            _ => value.to_string(),
        }
    }
}

fn pascal_case(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// In UTC, to seven decimals, without a zone.
fn moment(text: &str) -> String {
    let utc = text.parse::<UtcTime>().unwrap().to_string();
    let utc = utc.trim_end_matches('Z');
    let (seconds, decimals) = utc.split_once('.').unwrap_or((utc, ""));
    format!("{seconds}.{decimals:0<7}")
}

/// With all its parts.
fn span(text: &str) -> String {
    match text.split_once('.') {
        Some((days, time)) => match time.split_once('.') {
            Some((seconds, decimals)) => format!("{days}.{seconds}.{decimals:0<7}"),
            None => text.to_owned(),
        },
        None if text.len() == 5 => format!("{text}:00"),
        None => text.to_owned(),
    }
}
