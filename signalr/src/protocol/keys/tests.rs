//! Values as .NET's MessagePack and JSON have them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pascal_case;
use crate::options::Keys;
use crate::protocol::{Codec, Protocol};

const JSON: Codec = Codec { protocol: Protocol::Json, keys: Keys::PascalCase };
const AS_IN_JSON: Codec = Codec { protocol: Protocol::MessagePack, keys: Keys::AsInJson };
const PASCAL_CASE: Codec = Codec { protocol: Protocol::MessagePack, keys: Keys::PascalCase };

/// Bytes: `bin` in MessagePack.
#[derive(Debug, Default, PartialEq)]
struct Binary(Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Binary;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Binary, E> {
                Ok(Binary(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Timestamp((i8, Binary));

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
enum Side {
    #[default]
    Buy,
    Sell,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Order {
    id: i32,
    name: String,
    side: Side,
    comment: Option<String>,
    limit: Option<f64>,
    created: Timestamp,
    legs: Vec<Leg>,
    tags: BTreeMap<String, i32>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Leg {
    symbol: String,
    price: String,
    quantity: i32,
}

/// What ASP.NET Core answered to EchoOrder, without what stands around it.
const ORDER: &str = "88a2496403a44e616d65a473656e74a453696465a453656c6ca7436f6d6d656e74c0a54c696d6974cb4004000000000000a743726561746564d6ff\
                     6b0bfeb7a44c6567739183a653796d626f6ca445535a36a55072696365a4312e3235a85175616e7469747904a45461677381a46465736b01";

fn order() -> Order {
    Order {
        id: 3,
        name: "sent".to_owned(),
        side: Side::Sell,
        comment: None,
        limit: Some(2.5),
        created: Timestamp((-1, Binary(vec![0x6b, 0x0b, 0xfe, 0xb7]))),
        legs: vec![Leg { symbol: "ESZ6".to_owned(), price: "1.25".to_owned(), quantity: 4 }],
        tags: BTreeMap::from([("desk".to_owned(), 1)]),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_order_is_as_dotnet_writes_it() {
    let payload = PASCAL_CASE.encode_value(&order()).unwrap();
    assert_eq!(hex(&payload.bytes), ORDER);
    assert_eq!(payload.read::<Order>().unwrap(), order());
}

#[test]
fn without_the_setting_names_are_as_in_json() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Quote {
        unit_price: f64,
    }
    let quote = Quote { unit_price: 0.5 };
    assert_eq!(JSON.encode_value(&quote).unwrap().bytes, r#"{"unitPrice":0.5}"#);
    let named = |codec: Codec| codec.encode_value(&quote).unwrap();
    assert_eq!(hex(&named(AS_IN_JSON).bytes), format!("81a9{}cb3fe0000000000000", hex(b"unitPrice")));
    assert_eq!(hex(&named(PASCAL_CASE).bytes), format!("81a9{}cb3fe0000000000000", hex(b"UnitPrice")));
    for codec in [JSON, AS_IN_JSON, PASCAL_CASE] {
        assert_eq!(named(codec).read::<Quote>().unwrap(), quote);
    }
}

#[test]
fn a_name_that_is_not_known_is_skipped_and_one_in_other_case_is_not_known() {
    let with_unknown = PASCAL_CASE.decode_value::<Order>(b"\x82\xa2Id\x04\xa7Unknown\xc3").unwrap();
    assert_eq!(with_unknown, Order { id: 4, ..Order::default() });
    assert_eq!(PASCAL_CASE.decode_value::<Leg>(b"\x81\xa8quantity\x04").unwrap().quantity, 4);
    assert_eq!(AS_IN_JSON.decode_value::<Leg>(b"\x81\xa8Quantity\x04").unwrap(), Leg::default());
}

#[test]
fn fields_of_variants_are_renamed_and_variants_are_not() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Change {
        Cleared,
        Moved { from_price: i32, legs: Vec<Leg> },
        Named(String),
        Pair(i32, Leg),
    }
    let leg = || Leg { quantity: 7, ..Leg::default() };
    for change in [
        Change::Cleared,
        Change::Moved { from_price: 5, legs: vec![leg()] },
        Change::Named("x".to_owned()),
        Change::Pair(1, leg()),
    ] {
        let payload = PASCAL_CASE.encode_value(&change).unwrap();
        assert!(!hex(&payload.bytes).contains(&hex(b"quantity")));
        assert_eq!(payload.read::<Change>().unwrap(), change);
    }
    let moved = PASCAL_CASE.encode_value(&Change::Moved { from_price: 5, legs: Vec::new() }).unwrap();
    assert_eq!(moved.bytes, b"\x81\xa5moved\x82\xa9FromPrice\x05\xa4Legs\x90"[..]);
}

#[test]
fn names_are_renamed_at_each_word() {
    for (name, expected) in [
        ("unitPrice", "UnitPrice"),
        ("unit_price", "UnitPrice"),
        ("Id", "Id"),
        ("x", "X"),
        ("", ""),
        ("ß", "SS"),
    ] {
        assert_eq!(pascal_case(name).collect::<String>(), expected);
    }
}

#[test]
fn json_has_no_nan_and_messagepack_has() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(JSON.encode_value(&value).is_err());
        assert!(JSON.encode_value(&(1, vec![Some(value)])).is_err());
        assert!(JSON.encode_value(&BTreeMap::from([("x", value as f32)])).is_err());
        assert!(AS_IN_JSON.encode_value(&value).is_ok());
    }
    assert_eq!(JSON.encode_value(&(1.5, f32::MAX, None::<f64>)).unwrap().bytes, "[1.5,3.4028235e+38,null]");
}

#[test]
fn raw_json_goes_through_as_it_is() {
    let raw = serde_json::value::RawValue::from_string("{\"b\": 1.50}".to_owned()).unwrap();
    assert_eq!(JSON.encode_value(&(raw,)).unwrap().bytes, "[{\"b\": 1.50}]");
}

#[test]
fn bytes_are_no_text_and_whole_floats_no_integers() {
    for codec in [AS_IN_JSON, PASCAL_CASE] {
        assert!(codec.decode_value::<String>(b"\xc4\x01a").is_err());
        assert_eq!(codec.decode_value::<String>(b"\xa1a").unwrap(), "a");
        assert!(codec.decode_value::<String>(b"\xa1\xff").is_err());
        assert!(codec.decode_value::<Vec<String>>(b"\x91\xc4\x01a").is_err());
        assert!(codec.decode_value::<i32>(b"\xca\x40\x00\x00\x00").is_err());
        assert_eq!(codec.decode_value::<f64>(b"\x02").unwrap(), 2.0);
        assert_eq!(codec.decode_value::<Binary>(b"\xc4\x02\x01\x02").unwrap(), Binary(vec![1, 2]));
    }
}

#[test]
fn only_values_for_dotnet_are_told_that_they_are_binary() {
    struct Form;
    impl Serialize for Form {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let is_human_readable = serializer.is_human_readable();
            serializer.serialize_bool(is_human_readable)
        }
    }
    for (codec, is_human_readable) in [(JSON, true), (AS_IN_JSON, true), (PASCAL_CASE, false)] {
        assert_eq!(codec.encode_value(&Form).unwrap().read::<bool>().unwrap(), is_human_readable);
    }
}
