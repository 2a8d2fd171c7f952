//! The recordings, as `tick-sdk/tests/data/masstransit/README.md` describes them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bus::wire::{Delivery, Properties, Table, Value};
use serde_json::Value as Json;

/// One of the recorded files.
pub(crate) fn recorded(name: &str) -> Vec<Json> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tick-sdk/tests/data/masstransit");
    let path = format!("{folder}/{name}.json.zst");
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

/// One message as its sender published it.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The scenario and which of its messages.
    pub(crate) case: String,
    pub(crate) scenario: String,
    /// Whether a recorded service published it; else it was put on a queue by hand.
    pub(crate) is_published: bool,
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) properties: Properties,
    pub(crate) body: Vec<u8>,
}

impl Published {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn delivery(&self) -> Delivery {
        Delivery {
            exchange: self.exchange.clone(),
            key: self.key.clone(),
            properties: self.properties.clone(),
            body: self.body.clone(),
        }
    }
}

/// Every message that was published in the scenarios, and every one that was delivered besides, each once.
pub(crate) fn messages() -> Vec<Published> {
    let mut messages: Vec<Published> = Vec::new();
    for scenario in recorded("scenarios") {
        let name = scenario["scenario"].as_str().unwrap();
        let mut count = 0;
        let connections = || scenario["connections"].as_array().unwrap().iter();
        let methods = |kind| {
            let all = connections().flat_map(|connection| connection.as_array().unwrap());
            all.filter(move |method| method["method"] == kind)
        };
        for method in methods("basic.publish").chain(methods("basic.deliver")) {
            let mut published = published(name, method);
            let is_known = messages.iter().any(|known| {
                let same = known.body == published.body && known.properties == published.properties;
                known.scenario == name && known.exchange == published.exchange && same
            });
            if !is_known {
                count += 1;
                published.case = format!("{name} {count}");
                messages.push(published);
            }
        }
    }
    messages
}

fn published(scenario: &str, method: &Json) -> Published {
    Published {
        case: String::new(),
        scenario: scenario.to_owned(),
        is_published: method["method"] == "basic.publish",
        exchange: method["exchange"].as_str().unwrap().to_owned(),
        key: method["routing_key"].as_str().unwrap_or_default().to_owned(),
        properties: properties(&method["properties"]),
        body: match &method["body"] {
            Json::String(text) => text.clone().into_bytes(),
            other => BASE64_STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
        },
    }
}

pub(crate) fn properties(recorded: &Json) -> Properties {
    let text = |name: &str| recorded[name].as_str().map(str::to_owned);
    Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        headers: table(&recorded["headers"]),
        is_persistent: recorded["delivery_mode"] == 2,
        priority: recorded["priority"].as_u64().map(|priority| u8::try_from(priority).unwrap()),
        correlation_id: text("correlation_id"),
        reply_to: text("reply_to"),
        expiration: text("expiration"),
        message_id: text("message_id"),
        timestamp: recorded["timestamp"].as_u64(),
        kind: text("type"),
        user_id: text("user_id"),
        app_id: text("app_id"),
    }
}

fn table(recorded: &Json) -> Table {
    let values = recorded.as_object().into_iter().flatten();
    values.map(|(name, value)| (name.clone(), amqp(value))).collect()
}

fn amqp(recorded: &Json) -> Value {
    let (kind, value) = recorded.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "S" => Value::Text(value.as_str().unwrap().to_owned()),
        "I" => Value::I32(value.as_i64().unwrap().try_into().unwrap()),
        "l" => Value::Integer(value.as_i64().unwrap()),
        "d" => Value::F64(value.as_f64().unwrap()),
        "t" => Value::Boolean(value.as_bool().unwrap()),
        "T" => Value::Timestamp(value.as_u64().unwrap()),
        "D" => Value::Decimal {
            scale: u8::try_from(value[0].as_u64().unwrap()).unwrap(),
            digits: u32::try_from(value[1].as_u64().unwrap()).unwrap(),
        },
        "F" => Value::Table(table(value)),
        "A" => Value::List(value.as_array().unwrap().iter().map(amqp).collect()),
        other => panic!("a value of type {other}"),
    }
}

/// The URNs of a message, of its envelope or its headers.
pub(crate) fn urns(message: &Published) -> Vec<String> {
    match message.json()["messageType"].as_array() {
        Some(urns) => urns.iter().map(|urn| urn.as_str().unwrap().to_owned()).collect(),
        None => {
            let urns = message.properties.headers.text("MT-MessageType").unwrap_or_default().split(';');
            urns.filter(|urn| !urn.is_empty()).map(str::to_owned).collect()
        }
    }
}
