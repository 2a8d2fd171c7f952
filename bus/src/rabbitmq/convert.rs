//! Messages of the wire as the client has them, and back.

use crate::wire;

/// Ready to be handed to the client.
pub(super) fn publication(publication: wire::Publication) -> broker::Publication {
    let wire::Publication { target, properties, body } = publication;
    broker::Publication {
        exchange: target.exchange(),
        routing_key: target.key().to_owned(),
        is_mandatory: target.is_mandatory(),
        properties: to_broker(properties),
        body: body.into(),
    }
}

/// As it came.
pub(super) fn delivery(delivery: broker::Delivery) -> wire::Delivery {
    wire::Delivery {
        exchange: delivery.exchange,
        key: delivery.routing_key,
        properties: of_broker(delivery.properties),
        body: delivery.body,
    }
}

/// A table with the types that its values have.
pub(super) fn table(table: &wire::Table) -> broker::Table {
    table.iter().fold(broker::Table::default(), |made, (name, value)| made.with(name, value_of(value)))
}

fn to_broker(properties: wire::Properties) -> broker::Properties {
    let headers = table(&properties.headers);
    broker::Properties {
        content_type: properties.content_type,
        content_encoding: properties.content_encoding,
        headers,
        is_persistent: properties.is_persistent,
        priority: properties.priority,
        correlation_id: properties.correlation_id,
        reply_to: properties.reply_to,
        expiration: properties.expiration,
        message_id: properties.message_id,
        timestamp: properties.timestamp,
        kind: properties.kind,
        // The broker would refuse what another user has published, and close the channel.
        user_id: None,
        app_id: properties.app_id,
    }
}

fn of_broker(properties: broker::Properties) -> wire::Properties {
    let headers = properties.headers.iter().map(|(name, value)| (name.to_owned(), wire_value(value)));
    wire::Properties {
        headers: headers.collect(),
        content_type: properties.content_type,
        content_encoding: properties.content_encoding,
        is_persistent: properties.is_persistent,
        priority: properties.priority,
        correlation_id: properties.correlation_id,
        reply_to: properties.reply_to,
        expiration: properties.expiration,
        message_id: properties.message_id,
        timestamp: properties.timestamp,
        kind: properties.kind,
        user_id: properties.user_id,
        app_id: properties.app_id,
    }
}

fn value_of(value: &wire::Value) -> broker::Value {
    match value {
        wire::Value::Text(text) => broker::Value::Text(text.clone()),
        wire::Value::Octets(bytes) => broker::Value::Octets(bytes.clone()),
        wire::Value::Boolean(value) => broker::Value::Boolean(*value),
        wire::Value::I8(value) => broker::Value::I8(*value),
        wire::Value::U8(value) => broker::Value::U8(*value),
        wire::Value::I16(value) => broker::Value::I16(*value),
        wire::Value::U16(value) => broker::Value::U16(*value),
        wire::Value::I32(value) => broker::Value::I32(*value),
        wire::Value::U32(value) => broker::Value::U32(*value),
        wire::Value::Integer(value) => broker::Value::Integer(*value),
        wire::Value::F32(value) => broker::Value::F32(*value),
        wire::Value::F64(value) => broker::Value::F64(*value),
        wire::Value::Decimal { scale, digits } => broker::Value::Decimal { scale: *scale, digits: *digits },
        wire::Value::Timestamp(seconds) => broker::Value::Timestamp(*seconds),
        wire::Value::Bytes(bytes) => broker::Value::Bytes(bytes.clone()),
        wire::Value::List(values) => broker::Value::List(values.iter().map(value_of).collect()),
        wire::Value::Table(inner) => broker::Value::Table(table(inner)),
        wire::Value::Void => broker::Value::Void,
    }
}

fn wire_value(value: broker::Value) -> wire::Value {
    match value {
        broker::Value::Text(text) => wire::Value::Text(text),
        broker::Value::Octets(bytes) => wire::Value::Octets(bytes),
        broker::Value::Boolean(value) => wire::Value::Boolean(value),
        broker::Value::I8(value) => wire::Value::I8(value),
        broker::Value::U8(value) => wire::Value::U8(value),
        broker::Value::I16(value) => wire::Value::I16(value),
        broker::Value::U16(value) => wire::Value::U16(value),
        broker::Value::I32(value) => wire::Value::I32(value),
        broker::Value::U32(value) => wire::Value::U32(value),
        broker::Value::Integer(value) => wire::Value::Integer(value),
        broker::Value::F32(value) => wire::Value::F32(value),
        broker::Value::F64(value) => wire::Value::F64(value),
        broker::Value::Decimal { scale, digits } => wire::Value::Decimal { scale, digits },
        broker::Value::Timestamp(seconds) => wire::Value::Timestamp(seconds),
        broker::Value::Bytes(bytes) => wire::Value::Bytes(bytes),
        broker::Value::List(values) => wire::Value::List(values.into_iter().map(wire_value).collect()),
        broker::Value::Table(table) => wire::Value::Table(
            table.iter().map(|(name, value)| (name.to_owned(), wire_value(value))).collect(),
        ),
        broker::Value::Void => wire::Value::Void,
    }
}
