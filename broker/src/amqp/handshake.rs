//! How a connection begins: version, login, limits, vhost.

use std::future::poll_fn;
use std::time::Duration;

use amq_protocol::auth::Credentials;
use amq_protocol::protocol::{AMQPClass, connection};
use amq_protocol::types::{AMQPValue, FieldTable};

use super::Buffers;
use tracing::info;

use super::Failure;
use super::connection::AmqpConnection;
use super::incoming::Received;
use crate::connection::no_answer;
use crate::socket::Socket;
use crate::{BrokerError, BrokerUrl, TIMEOUT};

use connection::AMQPMethod as Method;

/// No AMQP frame is larger, whatever the broker allows: as much is kept to read one into.
const FRAME_MAX: u32 = 1 << 20;

/// AMQP allows no smaller limit.
const FRAME_MIN: u32 = 4096;

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

/// Why a broker lets nobody in.
fn refused(url: &BrokerUrl, failure: Failure) -> BrokerError {
    let vhost = url.uri().vhost.clone();
    let url = url.to_string();
    match failure {
        Failure::Closed { code: ACCESS_REFUSED, .. } => BrokerError::Login { url },
        Failure::Closed { code: NOT_ALLOWED, .. } => BrokerError::Vhost { url, vhost },
        Failure::Closed { text: reason, .. } | Failure::Broken(reason) => {
            BrokerError::Unreachable { url, reason }
        }
        Failure::Tls(reason) => BrokerError::Tls { url, reason },
    }
}

impl AmqpConnection {
    /// Connects and logs in, under a name that the broker's own tools show. Bodies arrive in what
    /// `buffers` gives.
    ///
    /// # Errors
    /// See [`BrokerError`]; it is [`BrokerError::Unreachable`] after [`TIMEOUT`].
    pub async fn open(url: &BrokerUrl, name: &str, buffers: Buffers) -> Result<Self, BrokerError> {
        let opening = async {
            let socket = Socket::connect(url).await?;
            let mut connection = Self::new(url, name, socket, buffers);
            connection.log_in(name).await.map_err(|failure| refused(url, failure))?;
            connection.span.in_scope(|| info!("opened"));
            Ok(connection)
        };
        tokio::time::timeout(TIMEOUT, opening)
            .await
            .unwrap_or_else(|_| Err(BrokerError::Unreachable { url: url.to_string(), reason: no_answer() }))
    }

    async fn log_in(&mut self, name: &str) -> Result<(), Failure> {
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
        self.send_method(Method::StartOk(start));
        let Method::Tune(tune) = self.receive().await? else { return Err(unexpected()) };
        let query = &self.url.uri().query;
        let heartbeat = query.heartbeat.unwrap_or(tune.heartbeat);
        // 0 says that the broker sets no limit.
        let limits = [FRAME_MAX, query.frame_max.unwrap_or(0), tune.frame_max];
        let frame_max = limits.into_iter().filter(|max| *max > 0).min().unwrap_or(FRAME_MAX).max(FRAME_MIN);
        self.set_frame_max(frame_max as usize);
        self.heartbeat = Duration::from_secs(heartbeat.into());
        let channel_max = tune.channel_max;
        self.send_method(Method::TuneOk(connection::TuneOk { channel_max, frame_max, heartbeat }));
        let virtual_host = self.url.uri().vhost.as_str().into();
        self.send_method(Method::Open(connection::Open { virtual_host }));
        match self.receive().await? {
            Method::OpenOk(_) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    fn send_method(&mut self, method: Method) {
        self.send(0, AMQPClass::Connection(method));
    }

    async fn receive(&mut self) -> Result<Method, Failure> {
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

fn unexpected() -> Failure {
    Failure::Broken("it does not answer as a broker does".to_owned())
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
