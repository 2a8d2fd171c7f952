//! How a connection begins: version, login, limits, vhost.

use std::future::poll_fn;
use std::time::Duration;

use amq_protocol::auth::Credentials;
use amq_protocol::protocol::{AMQPClass, connection};
use amq_protocol::types::{AMQPValue, FieldTable};

use super::Buffers;
use super::Problem;
use super::connection::AmqpConnection;
use super::incoming::Received;
use super::socket::Socket;
use crate::connection::no_answer;
use crate::{BrokerError, BrokerUrl, TIMEOUT};

use connection::AMQPMethod as Method;

/// The largest AMQP frame where the broker sets no limit.
const FRAME_MAX: u32 = 1 << 20;

/// What this client does that the first version of the protocol did not have.
const CAPABILITIES: [&str; 5] = [
    "publisher_confirms",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
];

/// AMQP's codes for a login or a vhost that is refused.
const ACCESS_REFUSED: u16 = 403;
const NOT_ALLOWED: u16 = 530;

pub(super) async fn open(
    url: &BrokerUrl,
    name: &str,
    buffers: Buffers,
) -> Result<AmqpConnection, BrokerError> {
    let unreachable = |reason| BrokerError::Unreachable { url: url.to_string(), reason };
    let tls = url.tls()?;
    let opening = async {
        let socket = Socket::connect(url.uri(), tls).await?;
        let mut connection = AmqpConnection::new(url, socket, buffers);
        connection.log_in(name).await?;
        Ok(connection)
    };
    match tokio::time::timeout(TIMEOUT, opening).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(Problem::Closed { code: ACCESS_REFUSED, .. })) => {
            Err(BrokerError::Login { url: url.to_string() })
        }
        Ok(Err(Problem::Closed { code: NOT_ALLOWED, .. })) => {
            Err(BrokerError::Vhost { url: url.to_string(), vhost: url.uri().vhost.clone() })
        }
        Ok(Err(Problem::Closed { text: reason, .. } | Problem::Broken(reason))) => Err(unreachable(reason)),
        Err(_) => Err(unreachable(no_answer())),
    }
}

impl AmqpConnection {
    async fn log_in(&mut self, name: &str) -> Result<(), Problem> {
        self.write_header();
        let Method::Start(start) = self.receive().await? else { return Err(unexpected()) };
        self.peer = product(&start.server_properties);
        let uri = self.url.uri();
        let mechanism = uri.query.auth_mechanism.unwrap_or_default();
        let user = &uri.authority.userinfo;
        let credentials = Credentials::new(user.username.as_str().into(), user.password.as_str().into());
        let start = connection::StartOk {
            client_properties: client_properties(name),
            mechanism: mechanism.name().into(),
            response: credentials.sasl_auth_string(mechanism),
            locale: "en_US".into(),
        };
        self.say(Method::StartOk(start));
        let Method::Tune(tune) = self.receive().await? else { return Err(unexpected()) };
        let wanted = self.url.uri().query.heartbeat.unwrap_or(tune.heartbeat);
        let frame_max = if tune.frame_max == 0 { FRAME_MAX } else { tune.frame_max };
        let frame_max = self.url.uri().query.frame_max.map_or(frame_max, |wanted| frame_max.min(wanted));
        (self.frame_max, self.heartbeat) = (frame_max as usize, Duration::from_secs(wanted.into()));
        let channel_max = tune.channel_max;
        self.say(Method::TuneOk(connection::TuneOk { channel_max, frame_max, heartbeat: wanted }));
        let virtual_host = self.url.uri().vhost.as_str().into();
        self.say(Method::Open(connection::Open { virtual_host }));
        match self.receive().await? {
            Method::OpenOk(_) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    fn say(&mut self, method: Method) {
        self.send(0, AMQPClass::Connection(method));
    }

    async fn receive(&mut self) -> Result<Method, Problem> {
        match poll_fn(|cx| self.poll_received(cx)).await? {
            Received::Method { method: AMQPClass::Connection(method), .. } => Ok(method),
            _ => Err(unexpected()),
        }
    }
}

/// What the broker calls itself, with its version.
fn product(properties: &FieldTable) -> String {
    let text = |name: &str| match properties.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => String::new(),
    };
    format!("{} {}", text("product"), text("version")).trim().to_owned()
}

fn unexpected() -> Problem {
    Problem::Broken("it does not answer as a broker does".to_owned())
}

fn client_properties(name: &str) -> FieldTable {
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut capabilities = FieldTable::default();
    for capability in CAPABILITIES {
        capabilities.insert(capability.into(), AMQPValue::Boolean(true));
    }
    let mut properties = FieldTable::default();
    properties.insert("product".into(), text("orchard"));
    properties.insert("version".into(), text(env!("CARGO_PKG_VERSION")));
    properties.insert("connection_name".into(), text(name));
    properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    properties
}
