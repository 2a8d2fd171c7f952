//! What all messages of an endpoint have in common.

use tick_sdk::contracts::MessageId;
use tick_sdk::contracts::envelope::{
    CONTENT_TYPE, Envelope, EnvelopeError, HeaderValue, Headers, Host, UtcTime,
};

use super::{Home, Properties, Publication, Table, Target, Value};

/// Writes the messages of one endpoint: it is their `sourceAddress`.
#[derive(Clone, Debug)]
pub struct Writer {
    pub(super) home: Home,
    pub(super) endpoint: String,
    pub(super) host: Host,
}

/// What makes a message one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its id.
    pub message_id: MessageId,
    /// When it is sent.
    pub at: UtcTime,
}

impl Stamp {
    /// With a new id, of this time in ms since the UNIX epoch.
    pub fn new(now_ms: u64) -> Self {
        let at = UtcTime::from_unix_ms(now_ms).unwrap_or(UtcTime::EPOCH);
        Self { message_id: MessageId::new(), at }
    }
}

impl Writer {
    /// Of an endpoint, in this program.
    pub fn new(home: Home, endpoint: impl Into<String>, host: Host) -> Self {
        Self { home, endpoint: endpoint.into(), host }
    }

    /// The endpoint's name.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The envelope with what this endpoint says of itself, ready to go to `target`.
    pub(super) fn publication(
        &self,
        mut envelope: Envelope,
        target: Target,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        envelope.message_id = Some(stamp.message_id);
        envelope.sent_time = Some(stamp.at);
        envelope.source_address = Some(self.home.address(&self.endpoint));
        if envelope.destination_address.is_none() {
            envelope.destination_address = Some(self.home.address(&target.exchange()));
        }
        envelope.host = self.host.clone();
        let body = envelope.encode()?;
        let mut properties = properties_of(&envelope);
        properties.expiration = envelope.expiration_time.map(|end| {
            let left_ms = end.unix_ms().saturating_sub(stamp.at.unix_ms());
            left_ms.max(1).to_string()
        });
        Ok(Publication { target, properties, body })
    }
}

/// The properties that repeat what the envelope says.
fn properties_of(envelope: &Envelope) -> Properties {
    let repeated = envelope.properties();
    let headers: Table = repeated
        .headers
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                HeaderValue::Text(text) => Value::Text(text),
                HeaderValue::Integer(number) => {
                    i32::try_from(number).map_or(Value::Integer(number), Value::I32)
                }
                HeaderValue::Double(number) => Value::F64(number),
            };
            (name, value)
        })
        .collect();
    Properties {
        content_type: Some(CONTENT_TYPE.to_owned()),
        headers,
        is_persistent: true,
        correlation_id: repeated.correlation_id,
        message_id: repeated.message_id,
        ..Properties::default()
    }
}

/// The headers that are passed on to what is sent because of a message: those that are not MassTransit's own.
pub(super) fn passed_on(headers: &Headers) -> Result<Headers, EnvelopeError> {
    let mut passed = Headers::default();
    for (name, value) in headers.iter() {
        if !name.get(..3).is_some_and(|beginning| beginning.eq_ignore_ascii_case("MT-")) {
            passed.set(name, value)?;
        }
    }
    Ok(passed)
}
